/** The everything server, from outside: what the conformance suite does not look at. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StdioSession } from './stdio-session.ts'
import { build, type Message, Program, Session, textOf } from './support.ts'

const levels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

describe('the everything server over standard input and output', () => {
  let program: Program
  let session: StdioSession
  let samplings: number

  beforeAll(async () => {
    build()
    samplings = 0
    program = new Program('everything', ['--stdio', '--many-tools'])
    const capabilities = {
      roots: {},
      sampling: { tools: {} },
      elicitation: { form: {}, url: {} },
    }
    session = await StdioSession.open(program, capabilities, {
      ping: () => ({}),
      'roots/list': () => ({ roots: [{ uri: 'file:///a' }, { uri: 'file:///b', name: 'B' }] }),
      'elicitation/create': (params) => ({ action: params?.['mode'] === 'url' ? 'accept' : 'decline' }),
      'sampling/createMessage': (params) => {
        if (params?.['tools'] === undefined) return { role: 'assistant', model: 'm', content: said('hello') }
        const isAnswered = ++samplings > 2
        return isAnswered
          ? { role: 'assistant', model: 'm', content: [said('first'), said('last')], stopReason: 'endTurn' }
          : { role: 'assistant', model: 'm', content: wish(samplings), stopReason: 'toolUse' }
      },
    })
  }, 120_000)

  afterAll(async () => {
    program.child.stdin.end()
    const { status, stderr } = await program.ended
    expect({ status, stderr, strays: session.strays }).toMatchObject({ status: 0, strays: [] })
  })

  const said = (text: string) => ({ type: 'text', text })
  const wish = (round: number) => [
    { type: 'tool_use', id: `use-${round}-a`, name: 'lookup', input: { word: 'a' } },
    { type: 'tool_use', id: `use-${round}-b`, name: 'lookup', input: {} },
  ]

  it('lists at least 120 tools, on pages of at most 50', async () => {
    const names = new Set<string>()
    let cursor: unknown
    do {
      const { result } = await session.request('tools/list', cursor === undefined ? {} : { cursor })
      const page = result?.['tools']
      if (!Array.isArray(page)) throw new Error('no page of tools')
      expect(page.length).toBeLessThanOrEqual(50)
      for (const tool of page) names.add(tool.name)
      cursor = result?.['nextCursor']
    } while (cursor !== undefined)
    expect(names.size).toBeGreaterThanOrEqual(120)
  })

  it.each([
    ['structured_bad', {}, true, /output schema/],
    ['draft7', { pair: ['a', 1] }, undefined, /^\["a",1\]$/],
    ['draft7', { pair: [1, 'a'] }, true, /pair/],
    ['draft7', { pair: ['a', 1, 2] }, true, /pair/],
    ['json_schema_2020_12_tool', { contactMethod: 'phone' }, true, /phone/],
    ['json_schema_2020_12_tool', { contactMethod: 'phone', phone: '1' }, undefined, /phone/],
    ['whoami', {}, undefined, /^anonymous$/],
    ['ping_client', {}, undefined, /^pong$/],
    ['list_roots', {}, undefined, /^\["file:\/\/\/a","file:\/\/\/b"\]$/],
    ['elicit_url', {}, undefined, /^action=accept$/],
    ['test_elicitation', { message: 'Who?' }, undefined, /action=decline/],
    ['test_sampling', { prompt: 'hi' }, undefined, /^LLM response: hello$/],
    ['spin', { ms: 50 }, undefined, /^spun$/],
    ['crash', {}, true, /thrown inside/],
  ])('answers %s %j', async (tool, args, isError, text) => {
    const answer = await session.call(tool, args)
    expect(textOf(answer)).toMatch(text)
    expect(answer.result?.['isError']).toBe(isError)
  })

  it('returns a structured result as structure and as the same text', async () => {
    const answer = await session.call('structured', { n: 21 })
    expect(answer.result?.['structuredContent']).toEqual({ doubled: 42 })
    expect(JSON.parse(textOf(answer))).toEqual({ doubled: 42 })
  })

  it('answers each use of the tool in a sampling conversation until the model is done', async () => {
    expect(textOf(await session.call('sample_tools'))).toBe('last')
    expect(samplings).toBe(3)
  })

  it('refuses url_required with the page to visit', async () => {
    const { error } = await session.call('url_required')
    expect(error).toMatchObject({ code: -32042, data: { elicitations: [{ mode: 'url' }] } })
  })

  it('logs once at each level, rising', async () => {
    await session.request('logging/setLevel', { level: 'debug' })
    session.heard.length = 0
    expect(textOf(await session.call('log_all'))).toBe('logged')
    expect(session.heard.map(({ params }) => [params?.['level'], params?.['data']])).toEqual(
      levels.map((level) => [level, level]),
    )
  })

  it('reports the progress of slow without a gap, and is done in time', async () => {
    session.heard.length = 0
    expect(textOf(await session.call('slow', { ms: 260 }, 'token'))).toBe('done')
    const reports = session.heard.filter(({ method }) => method === 'notifications/progress')
    expect(reports.map(({ params }) => params?.['progress'])).toEqual([1, 2, 3, 4, 5])
  })

  it('counts the aborted calls of slow', async () => {
    const before = Number(textOf(await session.call('aborted_count')))
    const { id } = session.start('tools/call', { name: 'slow', arguments: { ms: 20_000 } })
    await session.request('ping')
    session.notify('notifications/cancelled', { requestId: id })
    await expect.poll(async () => Number(textOf(await session.call('aborted_count')))).toBe(before + 1)
  })

  it('tells of changed tools and prompts, and of touched resources', async () => {
    session.heard.length = 0
    const uri = 'test://template/7/data'
    await session.request('resources/subscribe', { uri })
    await session.call('test_trigger_tool_change')
    await session.call('test_trigger_prompt_change')
    expect(textOf(await session.call('touch', { uri }))).toBe('touched')
    await expect
      .poll(() => session.heard.map(({ method }) => method).sort())
      .toEqual([
        'notifications/prompts/list_changed',
        'notifications/resources/updated',
        'notifications/tools/list_changed',
      ])
  })

  it('completes no more than 100 of 150 words, and says that there are more', async () => {
    const complete = async (value: string) => {
      const ref = { type: 'ref/prompt', name: 'many_completions' }
      const answer = await session.request('completion/complete', { ref, argument: { name: 'word', value } })
      return answer.result?.['completion'] as { values: string[]; total: number; hasMore: boolean }
    }
    const all = await complete('')
    expect([all.values.length, all.total, all.hasMore]).toEqual([100, 150, true])
    expect((await complete('word-14')).values).toEqual(Array.from({ length: 10 }, (_, index) => `word-14${index}`))
  })

  it('goes on after lines that are no message', async () => {
    session.write('garbage')
    session.write('{"jsonrpc":"2.0","id":')
    expect((await session.request('ping')).result).toEqual({})
  })
})

describe('the everything server for a client that can do nothing', () => {
  let program: Program
  let session: StdioSession

  beforeAll(async () => {
    build()
    program = new Program('everything', ['--stdio'])
    session = await StdioSession.open(program)
  }, 120_000)

  afterAll(async () => {
    program.child.stdin.end()
    expect((await program.ended).status).toBe(0)
  })

  it.each(['list_roots', 'elicit_url', 'sample_tools', 'test_sampling', 'test_elicitation'])(
    'answers %s with an error result and asks nothing',
    async (tool) => {
      const answer = await session.call(tool, { prompt: 'hi', message: 'hi' })
      expect(answer.result).toMatchObject({ isError: true })
      expect(session.asked).toEqual([])
    },
  )
})

describe('the everything server over HTTP', () => {
  let program: Program
  let url: string

  beforeAll(async () => {
    build()
    program = new Program('everything', ['--http', '127.0.0.1:0'])
    url = (await program.until(/(http:\S+\/mcp)\n/))[1] ?? ''
  }, 120_000)

  afterAll(async () => {
    expect(await program.stop()).toMatchObject({ status: 0, stdout: '' })
  })

  it('tells one session of what another one touched', async () => {
    const [subscriber, other] = await Promise.all([Session.open(url), Session.open(url)])
    const uri = 'test://template/1/data'
    await subscriber.request('resources/subscribe', { uri })
    const updated = new Promise<Message>((resolve) => {
      const listening = subscriber.listen((message) => {
        if (message.method !== 'notifications/resources/updated') return
        listening.stop()
        resolve(message)
      })
      void listening.isOpen.then(() => other.call('touch', { uri }))
    })
    expect((await updated).params).toEqual({ uri })
  })

  it('lives through crashes, one after the other and four at once', async () => {
    const session = await Session.open(url)
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all([1, 2, 3, 4].map(() => session.call('crash')))
      for (const { result, error } of answers) expect(result?.['isError'] === true || error?.code === -32603).toBe(true)
    }
    expect(textOf(await session.call('whoami'))).toBe('anonymous')
  })

  it('answers others while a thread spins', async () => {
    const session = await Session.open(url)
    let isSpinning = true
    const spin = session.call('spin', { ms: 500 }).finally(() => {
      isSpinning = false
    })
    expect(textOf(await session.call('test_simple_text'))).toBe('This is a simple text response for testing.')
    expect(isSpinning).toBe(true)
    expect(textOf(await spin)).toBe('spun')
  })
})

describe('the command line of the everything server', () => {
  beforeAll(build, 120_000)

  it('names what exists when asked for help', async () => {
    const { status, stdout, stderr } = await new Program('everything', ['--help']).ended
    expect([status, stderr]).toEqual([0, ''])
    for (const flag of ['--http', '--ws', '--tcp', '--sse', '--stdio', '--many-tools', '--log', '--help'])
      expect(stdout).toContain(flag)
  })

  it.each([
    [['--nonsense'], /^Unknown option '--nonsense'\. See --help\.\n$/],
    [[], /^Say how to serve: --http, --ws, --tcp or --sse <host:port>, --stdio, or several\. See --help\.\n$/],
    [['--http', 'nowhere'], /^--http needs host:port, such as 127\.0\.0\.1:3901, got "nowhere"\. See --help\.\n$/],
    [['--http', '127.0.0.1:70000'], /^--http needs host:port/],
    [
      ['--stdio', '--log', 'loud'],
      /^--log needs one of debug, info, warn, error, silent, got "loud"\. See --help\.\n$/,
    ],
  ])('refuses %j with status 2 and a sentence', async (args, sentence) => {
    const ended = await new Program('everything', args).ended
    expect(ended).toEqual({ status: 2, stdout: '', stderr: expect.stringMatching(sentence) })
  })

  it('ends with status 1 and the reason when the address cannot be had', async () => {
    const { status, stderr } = await new Program('everything', ['--http', '192.0.2.1:0']).ended
    expect(status).toBe(1)
    expect(stderr).toContain('http: cannot listen on 192.0.2.1')
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })
})
