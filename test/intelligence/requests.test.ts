/** What becomes of a request's parts, beyond what fakes.test.ts compares with the vendors' own clients. */
import { describe, expect, it } from 'vitest'
import type { SampleRequest, SamplingContent } from '#protocol'
import { anthropicProvider, openaiProvider, type ProviderOptions } from '../../src/intelligence.ts'
import { rows, type Vendor, vendors } from './fakes.ts'
import { anthropicStream, chatStream, responsesStream, type Script, script, toolScript } from './scripts.ts'

const [claude, chat, responses, compatible] = vendors as [Vendor, Vendor, Vendor, Vendor]
type Body = Record<string, unknown>
type Fetch = NonNullable<ProviderOptions['fetch']>

/** A `fetch` that answers with this script and keeps the bodies. */
function answering(vendor: Vendor, given: Script = script()) {
  const bodies: Body[] = []
  const fetch: Fetch = async (_url, init) => {
    bodies.push(JSON.parse(String(init.body)))
    return new Response(vendor.stream(given).join(''), { headers: { 'content-type': 'text/event-stream' } })
  }
  return { bodies, fetch }
}

async function bodyOf(vendor: Vendor, request: Partial<SampleRequest>, options: ProviderOptions = {}): Promise<Body> {
  const { bodies, fetch } = answering(vendor)
  await vendor.make('http://fake', { fetch, ...options }).sample({ maxTokens: 50, messages: [user('Hi')], ...request })
  return bodies[0] ?? {}
}

const user = (...content: (string | SamplingContent)[]) => ({
  role: 'user' as const,
  content: content.map((one) => (typeof one === 'string' ? { type: 'text' as const, text: one } : one)),
})
const asked = (...content: SamplingContent[]) => ({ role: 'assistant' as const, content })
const use = (id: string, name: string): SamplingContent => ({ type: 'tool_use', id, name, input: { a: 1 } })
const schema = { type: 'object' as const }

describe.each(rows)('a request to %s', (_name, vendor) => {
  it('sends names and ids that the API refuses under names of its own, and takes them back', async () => {
    const tools = ['files.read', 'files_read', 'files/read', 'x'.repeat(200)].map((name) => ({
      name,
      inputSchema: schema,
    }))
    const messages = [
      user('Hi'),
      asked(use('call:1', 'files.read')),
      {
        role: 'user' as const,
        content: { type: 'tool_result' as const, toolUseId: 'call:1', content: [] },
      },
    ]
    const { bodies, fetch } = answering(
      vendor,
      script({
        blocks: [{ type: 'tool', id: 'call_9', name: 'files_read_2', json: ['{}'] }],
        stop: 'toolUse',
      }),
    )
    const result = await vendor.make('http://fake', { fetch }).sample({ maxTokens: 9, messages, tools })
    const text = JSON.stringify(bodies[0])
    expect(result.content).toMatchObject({ type: 'tool_use', name: 'files.read' })
    expect(text).not.toContain('files.read')
    expect(text).not.toContain('call:1')
    expect(text).toContain('files_read_3')
    expect(text.match(/call_1/g)?.length).toBe(2)
  })

  it('takes the model by hint, then by priority, and its own most tokens and body', async () => {
    const models = [
      { name: 'big-2', intelligence: 1, cheapness: 0 },
      { name: 'small-2', cheapness: 1, aliases: ['haiku'], maxTokens: 20, body: { top_k: 5, stream_options: null } },
    ]
    const chosen = async (modelPreferences: SampleRequest['modelPreferences']) =>
      (await bodyOf(vendor, modelPreferences === undefined ? {} : { modelPreferences }, { models }))['model']
    expect(await chosen(undefined)).toBe('big-2')
    expect(await chosen({ costPriority: 1, intelligencePriority: 0.5 })).toBe('small-2')
    expect(await chosen({ hints: [{ name: 'claude-3-haiku' }], intelligencePriority: 1 })).toBe('small-2')
    expect(await chosen({ hints: [{}, { name: 'none' }, { name: 'BIG' }], costPriority: 1 })).toBe('big-2')
    const body = await bodyOf(vendor, { modelPreferences: { hints: [{ name: 'haiku' }] } }, { models })
    expect(body).toMatchObject({ top_k: 5 })
    expect(body).not.toHaveProperty('stream_options')
    expect(Object.values(body)).toContain(20)
  })

  it('leaves toolChoice out where no tools are', async () => {
    expect(await bodyOf(vendor, { toolChoice: { mode: 'auto' } })).not.toHaveProperty('tool_choice')
  })

  it('replaces an id that the conversation has already', async () => {
    const messages = [
      user('Hi'),
      asked(use('call_a1', 'now')),
      {
        role: 'user' as const,
        content: { type: 'tool_result' as const, toolUseId: 'call_a1', content: [] },
      },
    ]
    const { fetch } = answering(vendor, toolScript)
    const tools = [{ name: 'now', inputSchema: schema }]
    const { content } = await vendor.make('http://fake', { fetch }).sample({ maxTokens: 9, messages, tools })
    const ids = [content].flat().flatMap((block) => (block.type === 'tool_use' ? block.id : []))
    expect(ids).toHaveLength(2)
    expect(new Set(['call_a1', ...ids]).size).toBe(3)
  })

  it('refuses content that the API has no place for, before anything is sent', async () => {
    const video = { type: 'audio' as const, data: 'AAAA', mimeType: 'audio/flac' }
    await expect(bodyOf(vendor, { messages: [user(video)] })).rejects.toMatchObject({ code: 'unsupported' })
    const picture = { type: 'image' as const, data: 'AAAA', mimeType: 'image/tiff' }
    const sending = bodyOf(vendor, { messages: [user('Hi'), { role: 'assistant', content: picture }] })
    await expect(sending).rejects.toMatchObject({ code: 'unsupported' })
  })
})

describe('thoughts', () => {
  const thinking = script({
    blocks: [
      { type: 'thinking', pieces: ['Let me ', 'see'], signature: 'sig==' },
      { type: 'tool', id: 'call_t', name: 'now', json: ['{"a":1}'] },
    ],
    stop: 'toolUse',
  })
  const messages = [
    user('Hi'),
    asked(use('call_t', 'now')),
    {
      role: 'user' as const,
      content: { type: 'tool_result' as const, toolUseId: 'call_t', content: [] },
    },
  ]
  const tools = [{ name: 'now', inputSchema: schema }]

  it.each([
    ['anthropic', claude, [{ type: 'thinking', thinking: 'Let me see', signature: 'sig==' }]],
    ['openai responses', responses, [{ type: 'reasoning', encrypted_content: 'sig==' }]],
  ] as const)(
    'of %s are kept from the server and go back with the tool use that followed',
    async (_name, vendor, hidden) => {
      const { bodies, fetch } = answering(vendor, thinking)
      const provider = vendor.make('http://fake', { fetch })
      const result = await provider.sample({ maxTokens: 9, messages: [user('Hi')], tools })
      expect(JSON.stringify(result)).not.toContain('sig==')
      await provider.sample({ maxTokens: 9, messages, tools })
      const told =
        (bodies[1]?.['messages'] as { content: Body[] }[] | undefined)?.[1]?.content ??
        (bodies[1]!['input'] as Body[]).slice(1)
      expect(told.slice(0, 2)).toMatchObject([...hidden, {}])
      expect(told[1]?.['type']).toMatch(/^(tool_use|function_call)$/)
    },
  )
})

describe('a tool result', () => {
  const picture = { type: 'image' as const, data: 'AAAA', mimeType: 'image/png' }
  const link = { type: 'resource_link' as const, uri: 'file:///a', name: 'a' }
  const held = { type: 'resource' as const, resource: { uri: 'file:///b', text: 'Bee' } }
  const messages = [
    user('Hi'),
    asked(use('c1', 'f'), use('c2', 'f')),
    {
      role: 'user' as const,
      content: [
        {
          type: 'tool_result' as const,
          toolUseId: 'c1',
          content: [{ type: 'text' as const, text: 'See' }, picture, link, held],
        },
        { type: 'tool_result' as const, toolUseId: 'c2', content: [], structuredContent: { n: 1 } },
      ],
    },
  ]

  it('of several kinds goes to the Messages API in one block', async () => {
    const { messages: told, tools, tool_choice } = await bodyOf(claude, { messages })
    expect((told as { content: { content: Body[] }[] }[])[2]?.content[0]?.content).toEqual([
      { type: 'text', text: 'See' },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
      { type: 'text', text: 'a\nfile:///a' },
      { type: 'text', text: 'file:///b\nBee' },
    ])
    // The conversation has a tool that is not on offer any more.
    expect([tools, tool_choice]).toEqual([[{ name: 'f', input_schema: { type: 'object' } }], { type: 'none' }])
  })

  it('goes to chat completions as text, and its image as the next message of the user', async () => {
    const { messages: told } = await bodyOf(chat, { messages })
    expect((told as Body[]).slice(2)).toEqual([
      { role: 'tool', tool_call_id: 'c1', content: 'See\na\nfile:///a\nfile:///b\nBee\n(1 more of it below)' },
      { role: 'tool', tool_call_id: 'c2', content: '{"n":1}' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'From the result of c1:' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
        ],
      },
    ])
  })

  it('goes to the responses API as a list where it is not all text', async () => {
    const { input } = await bodyOf(responses, { messages })
    expect((input as Body[]).slice(3)).toMatchObject([
      {
        type: 'function_call_output',
        call_id: 'c1',
        output: [{ type: 'input_text' }, { type: 'input_image' }, {}, {}],
      },
      { type: 'function_call_output', call_id: 'c2', output: '{"n":1}' },
    ])
  })
})

describe('stop sequences', () => {
  const stopSequences = ['ONE', 'TWO', 'THREE', 'FOUR', 'FIVE']
  const given = script({ blocks: [{ type: 'text', pieces: ['before FI', 'VE', ' after'] }] })

  it.each([
    ['openai chat', chat],
    ['openai responses', responses],
    ['compatible', compatible],
  ])('that %s does not take are found on this side, across pieces', async (_name, vendor) => {
    const { fetch } = answering(vendor, given)
    let told = ''
    const result = await vendor
      .make('http://fake', { fetch })
      .sample(
        { maxTokens: 9, messages: [user('Hi')], stopSequences },
        { onDelta: (delta) => void (told += delta.type === 'text' ? delta.text : '') },
      )
    expect(result).toMatchObject({ content: { type: 'text', text: 'before ' }, stopReason: 'stopSequence' })
    expect(result._meta?.['bough/stop']).toEqual({ reason: 'stop_sequence', sequence: 'FIVE' })
    expect(told).toBe('before ')
  })

  it('go to the Messages API all, and the one that was met comes back', async () => {
    expect((await bodyOf(claude, { stopSequences }))['stop_sequences']).toEqual(stopSequences)
    const met = anthropicStream(script())
      .join('')
      .replace('"end_turn","stop_sequence":null', '"stop_sequence","stop_sequence":"TWO"')
    const fetch: Fetch = async () => new Response(met, { headers: { 'content-type': 'text/event-stream' } })
    const result = await claude
      .make('http://fake', { fetch })
      .sample({ maxTokens: 9, messages: [user('Hi')], stopSequences })
    expect(result.stopReason).toBe('stopSequence')
    expect(result._meta?.['bough/stop']).toEqual({ reason: 'stop_sequence', sequence: 'TWO' })
  })
})

describe('what a vendor has its own mind about', () => {
  it('the Messages API gets a temperature only in the version that has one, and never more than 1', async () => {
    expect(await bodyOf(claude, { temperature: 0.3 })).not.toHaveProperty('temperature')
    const { bodies, fetch } = answering(claude)
    const older = anthropicProvider({ apiKey: 'k', model: 'm', version: '2023-06-01', fetch })
    await older.sample({ maxTokens: 9, messages: [user('Hi')], temperature: 1.5 })
    expect(bodies[0]?.['temperature']).toBe(1)
  })

  it('OpenAI gets metadata only where it may store', async () => {
    const metadata = { team: 'blue', count: 3 }
    expect(await bodyOf(chat, { metadata })).not.toHaveProperty('metadata')
    const { bodies, fetch } = answering(responses)
    const storing = openaiProvider({ apiKey: 'k', model: 'm', body: { store: true }, fetch })
    await storing.sample({ maxTokens: 9, messages: [user('Hi')], metadata })
    expect(bodies[0]).toMatchObject({ store: true, metadata: { team: 'blue' } })
  })

  it('empty texts are left out of what the Messages API gets', async () => {
    const messages = [user('Hi', ''), { role: 'assistant' as const, content: { type: 'text' as const, text: '' } }]
    expect((await bodyOf(claude, { messages }))['messages']).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
    ])
  })
})

describe('a server that imitates chat completions', () => {
  const chunk = (delta: object, finish_reason: string | null = null): string =>
    `data: ${JSON.stringify({ model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
  const call = (name: string, args: unknown, more: object = {}) => ({ function: { name, arguments: args }, ...more })
  const answer = async (...events: string[]) => {
    const fetch: Fetch = async () => new Response(events.join(''), { headers: { 'content-type': 'text/event-stream' } })
    const tools = [{ name: 'f', inputSchema: schema }]
    return compatible.make('http://fake', { fetch, retries: 0 }).sample({ maxTokens: 9, messages: [user('Hi')], tools })
  }

  it('may leave out ids and indexes, and give arguments as an object', async () => {
    const result = await answer(chunk({ tool_calls: [call('f', { a: 1 }), call('f', '{"a":2}')] }, 'stop'))
    expect(result).toMatchObject({
      stopReason: 'toolUse',
      content: [
        { type: 'tool_use', id: 'call_1', name: 'f', input: { a: 1 } },
        { type: 'tool_use', id: 'call_2', name: 'f', input: { a: 2 } },
      ],
    })
  })

  it('may give every call the index 0, told apart by their ids', async () => {
    const result = await answer(
      chunk({ tool_calls: [call('f', '{"a"', { index: 0, id: 'x' })] }),
      chunk({ tool_calls: [{ index: 0, id: 'x', function: { arguments: ':1}' } }] }),
      chunk({ tool_calls: [call('f', '{"a":2}', { index: 0, id: 'y' })] }),
      chunk({}, 'tool_calls'),
      'data: [DONE]\n\n',
    )
    expect([result.content].flat()).toMatchObject([
      { id: 'x', input: { a: 1 } },
      { id: 'y', input: { a: 2 } },
    ])
  })

  it('may end without [DONE] once it said why it stopped, and not before', async () => {
    expect(await answer(chunk({ content: 'Hi' }), chunk({}, 'stop'))).toMatchObject({ stopReason: 'endTurn' })
    await expect(answer(chunk({ content: 'Hi' }))).rejects.toMatchObject({ code: 'connection' })
  })

  it('may think aloud and comment, which is passed over', async () => {
    const thought = chunk({ reasoning_content: 'Hm' })
    expect(await answer(': busy\n\n', thought, chunk({ content: 'Hi' }, 'stop'))).toMatchObject({
      content: { text: 'Hi' },
    })
  })
})

describe('options', () => {
  it.each([
    [{ model: 'm', models: ['n'] }, /give either model or models/],
    [{}, /give either model or models/],
    [{ models: [] }, /table of 1 to 100/],
    [{ models: [{ name: 'm', speed: 2 }] }, /speed of model "m" must be 0 to 1, got 2/],
    [{ model: 'm', retries: -1 }, /retries must be a number, 0 or more, got -1/],
    [{ model: 'm', baseUrl: 'ftp://x' }, /baseUrl must be an http: or https: URL, got "ftp:\/\/x"/],
  ])('that are wrong are named: %j', (options, sentence) => {
    expect(() => anthropicProvider(options)).toThrow(sentence)
  })

  it('let headers of the user replace the provider own, and keys come anew for each try', async () => {
    const seen: Headers[] = []
    let number = 0
    const fetch: Fetch = async (_url, init) => {
      seen.push(new Headers(init.headers))
      return new Response(chatStream(script()).join(''), { headers: { 'content-type': 'text/event-stream' } })
    }
    const provider = openaiProvider({
      model: 'm',
      api: 'chat',
      apiKey: async () => `key-${++number}`,
      headers: { 'X-A': 'b' },
      fetch,
    })
    await provider.sample({ maxTokens: 9, messages: [user('Hi')] })
    await provider.sample({ maxTokens: 9, messages: [user('Hi')] })
    expect(seen.map((headers) => headers.get('authorization'))).toEqual(['Bearer key-1', 'Bearer key-2'])
    expect(seen[0]?.get('x-a')).toBe('b')
  })

  it('never show a key that no header can carry', async () => {
    const provider = anthropicProvider({ model: 'm', apiKey: 'secret\nkey' })
    const error = await provider.sample({ maxTokens: 9, messages: [user('Hi')] }).catch((one: Error) => one)
    expect(error).toMatchObject({ code: 'invalid_option' })
    expect(String(error)).not.toContain('secret')
  })
})

it('a stream of one vendor is no stream of another', async () => {
  for (const [vendor, stream] of [
    [claude, chatStream],
    [chat, responsesStream],
    [responses, anthropicStream],
  ] as const) {
    const { fetch } = answering({ ...vendor, stream })
    const sampling = vendor.make('http://fake', { fetch, retries: 0 }).sample({ maxTokens: 9, messages: [user('Hi')] })
    await expect(sampling, vendor.name).rejects.toMatchObject({ code: expect.stringMatching(/bad_stream|connection/) })
  }
})
