import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LinkError } from '#transports/client-port'
import { defaultEnvironment, type StdioClientOptions, stdioClientTransport } from '#transports/client-stdio'
import { notification, Remembering, request, result } from './client-harness.ts'
import { eventually, handClock } from './http-harness.ts'

/** A program for Node that is given as source. */
const program = (source: string): Pick<StdioClientOptions, 'command' | 'args'> => ({
  command: process.execPath,
  args: ['--input-type=module', '-e', source],
})

/** Answers each line with an empty result, and ends when its input does. */
const ECHO = `
  import { createInterface } from 'node:readline'
  for await (const line of createInterface({ input: process.stdin })) {
    const { id } = JSON.parse(line)
    if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result: {} }))
  }`

async function linked(source: string, options: Partial<StdioClientOptions> = {}) {
  const receiver = new Remembering()
  const link = await stdioClientTransport({ ...program(source), stderr: 'ignore', ...options }).open(receiver)
  onTestFinished(() => link.close())
  return { link, receiver }
}

/** Waits for something of another program: by its messages, or, where there are none, by looking again and again. */
async function soon(isTrue: () => boolean): Promise<void> {
  const untilMs = performance.now() + 15_000
  while (!isTrue()) {
    if (performance.now() > untilMs) throw new Error('It never came true.')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  // One that has ended and that nobody has asked about yet is not alive.
  return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

describe('a server over stdio', () => {
  it('gets a line per message and answers with lines', async () => {
    const { link, receiver } = await linked(ECHO)
    for (const id of [1, 2, 3]) link.send(request(id))
    link.send(notification())
    link.send(request('last'))
    await soon(() => receiver.messages.length === 4)
    expect(receiver.answered).toEqual([1, 2, 3, 'last'])
    link.listen()
    link.abandon(1)
    await link.close()
    expect(receiver.ends).toMatchObject([{ kind: 'closed' }])
    expect(link.send(request(5))).toBe(false)
    await link.close()
  })

  it('gets what is sent in one turn in one write', async () => {
    const { link, receiver } = await linked(`
      process.stdin.once('data', (chunk) => console.log(JSON.stringify({ count: String(chunk).split('\\n').length - 1 })))`)
    for (let id = 0; id < 50; id += 1) link.send(request(id))
    await soon(() => receiver.messages.length > 0)
    expect(JSON.parse(receiver.messages[0]!)).toEqual({ count: 50 })
  })

  it('may write lines in pieces, with \\r\\n, and things that are no JSON', async () => {
    const { receiver } = await linked(`
      process.stdout.write('hello\\r\\n{"a"')
      setTimeout(() => process.stdout.write(':1}\\n\\n{"b":2}\\n'), 20)
      process.stdin.resume()`)
    await soon(() => receiver.messages.length === 3)
    expect(receiver.messages).toEqual(['hello', '{"a":1}', '{"b":2}'])
  })

  it('that exits tells how, with its last words', async () => {
    const { link, receiver } = await linked(`process.stderr.write('no config found\\n'); process.exitCode = 3`, {
      stderr: () => {},
    })
    link.send(request(1))
    await soon(() => receiver.ends.length > 0)
    expect(receiver.ends[0]).toMatchObject({ kind: 'broken', mayHaveRun: true })
    expect(receiver.ends[0]!.message).toMatch(/exited with code 3; it last wrote: no config found$/)
    expect(link.send(request(2))).toBe(false)
    await link.close()
    expect(receiver.ends).toHaveLength(1)
  })

  it('that is killed tells by what', async () => {
    const { receiver } = await linked(`process.kill(process.pid, 'SIGKILL')`)
    await soon(() => receiver.ends.length > 0)
    expect(receiver.ends[0]!.message).toContain('was ended by SIGKILL')
  })

  it('delivers what it wrote before it exited', async () => {
    const { receiver } = await linked(`process.stdout.write(JSON.stringify({ id: 1 }))`)
    await soon(() => receiver.ends.length > 0)
    expect(receiver.messages).toEqual(['{"id":1}'])
  })

  it('has its standard error handed over as text, however it is split', async () => {
    const texts: string[] = []
    const { receiver } = await linked(
      `
      const bytes = Buffer.from('grüße')
      process.stderr.write(bytes.subarray(0, 3))
      setTimeout(() => process.stderr.write(bytes.subarray(3)), 20)`,
      { stderr: (text) => texts.push(text) },
    )
    await soon(() => receiver.ends.length > 0)
    expect(texts.join('')).toBe('grüße')
  })

  it('keeps only the end of what it wrote to standard error', async () => {
    const { receiver } = await linked(`process.stderr.write('x'.repeat(200000) + 'the end')`, { stderr: () => {} })
    await soon(() => receiver.ends.length > 0)
    expect(receiver.ends[0]!.message).toMatch(/the end$/)
    expect(receiver.ends[0]!.message.length).toBeLessThan(10_000)
  })

  it('that writes a line that is too long ends the link: it may have been any answer', async () => {
    const { receiver } = await linked(`process.stdout.write('x'.repeat(5000)); process.stdin.resume()`, {
      maxMessageBytes: 1_000,
    })
    await soon(() => receiver.ends.length > 0)
    expect(receiver.ends).toMatchObject([{ kind: 'invalid', mayHaveRun: true }])
    expect(receiver.ends[0]!.message).toContain('longer than 1000 bytes')
  })

  it('that writes a line that is no UTF-8 has it dropped, and goes on', async () => {
    const { receiver } = await linked(
      `process.stdout.write(Buffer.from([0xff, 10, 123, 125, 10])); process.stdin.resume()`,
    )
    await soon(() => receiver.messages.length > 0)
    expect(receiver.messages).toEqual(['{}'])
    expect(receiver.failures).toMatchObject([{ ids: [], failure: { kind: 'invalid' } }])
  })

  it('that does not read takes no more than the bound', async () => {
    const { link } = await linked(`setInterval(() => {}, 1000)`, { maxBufferedBytes: 200_000 })
    const big = { ...request(1), text: JSON.stringify({ text: 'x'.repeat(50_000) }) }
    let takenCount = 0
    while (takenCount < 1_000 && link.send(big)) takenCount += 1
    expect(takenCount).toBeGreaterThan(1)
    expect(takenCount).toBeLessThan(10)
  })
})

describe('starting a server', () => {
  const refusal = async (options: StdioClientOptions) => {
    const error = await stdioClientTransport(options)
      .open(new Remembering())
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(LinkError)
    return (error as LinkError).failure
  }

  it('fails for a command that is not there, a folder that is not there, and what can be no command', async () => {
    const missing = await refusal({ command: 'no-such-server-anywhere' })
    expect(missing).toMatchObject({ kind: 'refused', mayHaveRun: false })
    expect(missing.message).toContain('no such command')
    const folder = await refusal({ command: process.execPath, cwd: '/no/such/folder' })
    expect(folder.message).toContain('no directory "/no/such/folder"')
    expect(await refusal({ command: process.execPath, args: ['a\0b'] })).toMatchObject({ kind: 'refused' })
    expect(await refusal({ command: tmpdir() })).toMatchObject({ kind: 'refused' })
  })

  it('must have options that make sense', () => {
    expect(() => stdioClientTransport({ command: '' })).toThrow('command must not be empty')
    expect(() => stdioClientTransport({ command: 'x', maxMessageBytes: 0 })).toThrow(
      'maxMessageBytes must be a positive',
    )
  })

  it('passes on only what is safe, and what was named', async () => {
    process.env['BOUGH_TEST_SECRET'] = 'secret'
    process.env['BOUGH_TEST_NAMED'] = 'named'
    process.env['BOUGH_TEST_FUNCTION'] = '() { :; }'
    onTestFinished(() => {
      for (const name of Object.keys(process.env)) if (name.startsWith('BOUGH_TEST_')) delete process.env[name]
    })
    const environment = async (options: Partial<StdioClientOptions>) => {
      const { receiver } = await linked(`console.log(JSON.stringify(process.env))`, options)
      await soon(() => receiver.messages.length > 0)
      return JSON.parse(receiver.messages[0]!) as Record<string, string>
    }
    const plain = await environment({})
    expect(plain['PATH']).toBe(process.env['PATH'])
    expect(Object.keys(plain).filter((name) => name.startsWith('BOUGH_TEST_'))).toEqual([])
    const named = await environment({ inheritEnv: ['BOUGH_TEST_NAMED', 'BOUGH_TEST_FUNCTION'], env: { EXTRA: '1' } })
    expect(named).toMatchObject({ BOUGH_TEST_NAMED: 'named', EXTRA: '1' })
    expect(named).not.toHaveProperty('BOUGH_TEST_FUNCTION')
    expect(await environment({ inheritEnv: true, env: { PATH: '/bin' } })).toMatchObject({
      BOUGH_TEST_SECRET: 'secret',
      PATH: '/bin',
    })
    expect(Object.keys(defaultEnvironment())).not.toContain('BOUGH_TEST_SECRET')
  })

  it('happens in the folder that was named', async () => {
    const cwd = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '')
    const { receiver } = await linked(`console.log(JSON.stringify(process.cwd()))`, { cwd })
    await soon(() => receiver.messages.length > 0)
    expect(JSON.parse(receiver.messages[0]!)).toBe(cwd)
  })
})

describe('closing a server', () => {
  /** Says its process id, and stays. */
  const STAYS = `console.log(process.pid); setInterval(() => {}, 1000)`

  it('that ends with its input takes no signal', async () => {
    const { link, receiver } = await linked(`
      process.on('SIGTERM', () => process.stdout.write('terminated'))
      ${ECHO}
      process.stdout.write('{"bye":true}\\n')`)
    link.send(request(1))
    await soon(() => receiver.messages.length === 1)
    await link.close()
    expect(receiver.messages).toEqual([result(1), '{"bye":true}'])
  })

  it('gets what was sent just before', async () => {
    const { link, receiver } = await linked(ECHO)
    link.send(request(1))
    await link.close()
    expect(receiver.answered).toEqual([1])
  })

  it('that stays gets SIGTERM after 2 s', async () => {
    const clock = handClock()
    const { link, receiver } = await linked(STAYS, { clock })
    await soon(() => receiver.messages.length > 0)
    const closing = link.close()
    clock.advance(2_000)
    await closing
    expect(isAlive(Number(receiver.messages[0]))).toBe(false)
    expect(clock.timerCount()).toBe(0)
  })

  it('that ignores SIGTERM gets SIGKILL after 2 s more', async () => {
    const clock = handClock()
    const { link, receiver } = await linked(`process.on('SIGTERM', () => console.log('"ignored"')); ${STAYS}`, {
      clock,
    })
    await soon(() => receiver.messages.length > 0)
    const closing = link.close()
    clock.advance(2_000)
    await soon(() => receiver.messages.length > 1)
    expect(isAlive(Number(receiver.messages[0]))).toBe(true)
    clock.advance(2_000)
    await closing
    expect(isAlive(Number(receiver.messages[0]))).toBe(false)
  })

  it('that ignores everything is gone within 5 s', async () => {
    const { link, receiver } = await linked(`process.on('SIGTERM', () => {}); ${STAYS}`)
    await soon(() => receiver.messages.length > 0)
    const startMs = performance.now()
    await link.close()
    expect(performance.now() - startMs).toBeLessThan(5_000)
    expect(isAlive(Number(receiver.messages[0]))).toBe(false)
  })

  it('ends what the server started too, even when that ignores SIGTERM and holds the pipes', async () => {
    const grandchild = `process.on('SIGTERM', () => {}); console.log(process.pid); setInterval(() => {}, 1000)`
    const { link, receiver } = await linked(`
      import { spawn } from 'node:child_process'
      spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}], { stdio: ['ignore', 'inherit', 'inherit'] })
      process.stdin.on('end', () => process.exit(0)).resume()`)
    await soon(() => receiver.messages.length > 0)
    const pid = Number(receiver.messages[0])
    expect(isAlive(pid)).toBe(true)
    await link.close()
    await soon(() => !isAlive(pid))
  })

  it('leaves no listener on this process', async () => {
    const before = process.listenerCount('exit')
    const { link } = await linked(ECHO)
    expect(process.listenerCount('exit')).toBe(before + 1)
    await link.close()
    expect(process.listenerCount('exit')).toBe(before)
  })

  it('that closes its output but stays is ended', async () => {
    const { receiver } = await linked(
      `
      process.stdin.on('end', () => process.exit(7)).resume()
      require('node:fs').closeSync(1)`.replace(
        /^/,
        `import { createRequire } from 'node:module'; const require = createRequire('/');`,
      ),
    )
    await soon(() => receiver.ends.length > 0)
    expect(receiver.ends).toMatchObject([{ kind: 'broken' }])
  })

  it('happens by itself when the program exits without closing', async () => {
    const parent = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import { stdioClientTransport } from ${JSON.stringify(new URL('../../dist/src/transports/client-stdio.js', import.meta.url).href)}
       const server = "process.on('SIGTERM', () => process.exit(0)); console.log(process.pid); setInterval(() => {}, 1000)"
       await stdioClientTransport({ command: process.execPath, args: ['-e', server] }).open({
         message: (pid) => { console.log(pid); process.exit(0) }, failed: () => {}, closed: () => {},
       })`,
    ])
    let output = ''
    parent.stdout.on('data', (chunk) => (output += chunk))
    await once(parent, 'close')
    expect(output).toMatch(/^\d+\n$/)
    await soon(() => !isAlive(Number(output)))
  })
})

describe('many servers', () => {
  it('started and closed leave nothing', async () => {
    const links = await Promise.all(Array.from({ length: 8 }, () => linked(ECHO)))
    for (const { link } of links) link.send(request(1))
    await soon(() => links.every(({ receiver }) => receiver.messages.length === 1))
    await Promise.all(links.map(({ link }) => link.close()))
    await eventually(() => links.every(({ receiver }) => receiver.ends.length === 1))
    expect(process.listenerCount('exit')).toBeLessThan(10)
  })
})
