import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Receiver, Sink } from '#transports/port'
import { type StdioTransportOptions, stdioTransport } from '#transports/stdio'

/** A stdio transport over streams; what it receives and writes is collected. */
async function started(options: StdioTransportOptions = {}) {
  const input = new PassThrough()
  const output = new PassThrough()
  const received: string[] = []
  const writes: string[] = []
  let closedCount = 0
  let sink: Sink | undefined
  output.on('data', (chunk: Buffer) => writes.push(chunk.toString()))
  const listening = await stdioTransport({ input, output, ...options }).listen({
    connection: (newSink, peer): Receiver => {
      sink = newSink
      expect(peer).toEqual({ transport: 'stdio' })
      return { message: (text) => received.push(text), closed: () => (closedCount += 1) }
    },
    exchange: () => expect.unreachable(),
  })
  return { input, output, received, writes, listening, sink: sink!, closedCount: () => closedCount }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('stdio', () => {
  it('hands over one message per line, with \\n or \\r\\n, and skips blank lines', async () => {
    const { input, received, listening } = await started()
    input.write('{"a":1}\n\r\n\n{"b":2}\r\n{"c"')
    input.write(':3}\n')
    await turn()
    expect(received).toEqual(['{"a":1}', '{"b":2}', '{"c":3}'])
    expect(listening.url).toBe('stdio')
  })

  it('delivers a last line without a newline, then closes the receiver once, and can still answer', async () => {
    const { input, received, writes, sink, closedCount } = await started()
    let wasClosed = false
    sink.onClose(() => (wasClosed = true))
    input.end('{"a":1}')
    await once(input, 'close')
    expect(received).toEqual(['{"a":1}'])
    expect(closedCount()).toBe(1)
    expect(sink.isOpen).toBe(true)
    expect(sink.send('{"answer":1}')).toBe(true)
    await turn()
    expect(writes).toEqual(['{"answer":1}\n'])
    expect(wasClosed).toBe(false)
  })

  it('answers an oversized line with -32600 and reads the next line as usual', async () => {
    const { input, received, writes } = await started({ maxMessageBytes: 10 })
    input.write(`${'x'.repeat(6)}`)
    input.write(`${'x'.repeat(6)}`)
    await turn()
    // Refused as soon as the bound is passed, before the line ends.
    expect(writes).toHaveLength(1)
    input.write(`${'x'.repeat(100)}\n${'y'.repeat(10)}\r\n${'z'.repeat(11)}\n{}\n`)
    await turn()
    expect(received).toEqual(['y'.repeat(10), '{}'])
    const refusals = writes.join('').trim().split('\n')
    expect(refusals).toHaveLength(2)
    expect(JSON.parse(refusals[0]!)).toEqual({
      jsonrpc: '2.0',
      id: null,
      error: { code: -32600, message: 'The line is longer than 10 bytes and was dropped.' },
    })
  })

  it('answers a line that is not UTF-8 with -32700 and goes on; U+FFFD itself is welcome', async () => {
    const { input, received, writes } = await started()
    input.write(Buffer.from([0x22, 0xff, 0xfe, 0x22, 0x0a]))
    input.write('"\ufffd"\n')
    await turn()
    expect(received).toEqual(['"\ufffd"'])
    expect(JSON.parse(writes.join(''))).toMatchObject({ id: null, error: { code: -32700 } })
  })

  it('gathers 64 lines of one turn into one write, and the rest before the next macrotask', async () => {
    const { writes, sink, output } = await started()
    let writeCount = 0
    const write = output.write.bind(output)
    output.write = ((chunk: string) => {
      writeCount += 1
      return write(chunk)
    }) as typeof output.write
    for (let n = 0; n < 100; n += 1) sink.send(`{"n":${n}}`)
    await Promise.resolve().then(() => sink.send('{"last":true}'))
    await turn()
    expect(writes.join('').split('\n')).toHaveLength(102)
    expect(writeCount).toBe(2)
  })

  it('treats a broken output as a peer that has gone, without throwing', async () => {
    const { output, sink, closedCount } = await started()
    let closes = 0
    sink.onClose(() => (closes += 1))
    output.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    await turn()
    expect([sink.isOpen, sink.send('{}'), closes, closedCount()]).toEqual([false, false, 1, 1])
  })

  it('gives up a peer that does not read once its unread bytes pass the bound', async () => {
    const stuck = new Writable({ write: () => {} })
    const { sink, closedCount } = await started({ output: stuck as PassThrough, maxBufferedBytes: 1_000 })
    let sent = 0
    while (sent < 1_000 && sink.send('x'.repeat(99))) sent += 1
    expect(sent).toBe(11)
    expect([sink.isOpen, closedCount()]).toEqual([false, 1])
  })

  it('close writes what was sent, closes the receiver and pauses the input; end sends its message first', async () => {
    const { input, writes, sink, listening, closedCount } = await started()
    sink.send('{"n":1}')
    expect(sink.end('{"n":2}')).toBe(true)
    await listening.close()
    await turn()
    expect(writes.join('')).toBe('{"n":1}\n{"n":2}\n')
    expect([input.isPaused(), sink.isOpen, sink.send('{}'), closedCount()]).toEqual([true, false, false, 1])
  })

  it('close does not wait for ever for a peer that does not read', async () => {
    const stuck = new Writable({ write: () => {} })
    const timers: (() => void)[] = []
    const clock = {
      now: () => 0,
      wallNow: () => 0,
      setTimer: (callback: () => void) => timers.push(callback),
      clearTimer: () => {},
    }
    const { sink, listening } = await started({ output: stuck as PassThrough, clock })
    sink.send('{}')
    const closed = listening.close()
    await turn()
    expect(timers).toHaveLength(1)
    timers[0]!()
    await closed
  })

  it('refuses bounds that are no bounds', () => {
    expect(() => stdioTransport({ maxMessageBytes: 0 })).toThrow(
      'stdio: maxMessageBytes must be a positive integer of bytes, got 0.',
    )
  })

  it('serves a real child process over its pipes, garbage included, and lets it exit when stdin ends', async () => {
    // Node loads TypeScript's erasable syntax only behind newer versions, so the child speaks to us and we are the server.
    const script = `
      process.stdout.write('not json\\n' + JSON.stringify({ n: 1, text: 'ü€😀' }) + '\\n')
      let text = ''
      process.stdin.on('data', (chunk) => (text += chunk))
      process.stdin.on('end', () => process.exit(text === '{"answer":"ü"}\\n' ? 0 : 1))
    `
    const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    const texts: string[] = []
    await stdioTransport({ input: child.stdout, output: child.stdin }).listen({
      connection: (sink) => ({
        message: (text) => {
          texts.push(text)
          if (text.startsWith('{')) sink.end('{"answer":"ü"}')
          if (text.startsWith('{')) child.stdin.end()
        },
        closed: () => {},
      }),
      exchange: () => {},
    })
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
    expect(texts).toEqual(['not json', '{"n":1,"text":"ü€😀"}'])
  })
})
