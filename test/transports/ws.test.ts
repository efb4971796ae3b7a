/** What WebSocket has and no other transport: a handshake, frames, compression, pings, close codes. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Receiver, Sink } from '#transports/port'
import { type WebSocketTransportOptions, webSocketTransport } from '#transports/ws'
import { textFrame } from '#transports/ws-connection'
import { handClock } from './http-harness.ts'
import { BINARY, CLOSE, CONTINUATION, maskedFrame, PING, PONG, TEXT, WsPeer } from './matrix-peers.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A transport that echoes, and what it took. */
async function started(options: WebSocketTransportOptions = {}) {
  const sinks: Sink[] = []
  const taken: string[] = []
  let closed = 0
  const listening = await webSocketTransport({ port: 0, closeGraceMs: 100, ...options }).listen({
    connection: (sink): Receiver => {
      sinks.push(sink)
      return {
        message: (text) => {
          taken.push(text)
          sink.send(text)
        },
        closed: () => {
          closed += 1
        },
      }
    },
    exchange: () => expect.unreachable(),
  })
  onTestFinished(() => listening.close())
  const connect = async (headers: Record<string, string> = {}, url = listening.url): Promise<WsPeer> => {
    const peer = await WsPeer.connect({ url }, headers)
    onTestFinished(() => peer.vanish())
    return peer
  }
  return { listening, sinks, taken, connect, closed: () => closed }
}

const message = (n: number, text = ''): Buffer => Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: n, text }))

describe('the handshake', () => {
  it.each([
    ['mcp', 'mcp'],
    ['graphql-ws, mcp', 'mcp'],
    [undefined, undefined],
  ])('with the subprotocols %s offered chooses %s', async (offered, chosen) => {
    const { connect } = await started()
    const peer = await connect(offered === undefined ? {} : { 'sec-websocket-protocol': offered })
    expect(peer.head).toMatch(/^HTTP\/1\.1 101 /)
    expect(/^sec-websocket-protocol: (.*)$/im.exec(peer.head)?.[1]?.trim()).toBe(chosen)
  })

  it.each([
    [
      'other subprotocols alone',
      { 'sec-websocket-protocol': 'graphql-ws' },
      '/mcp',
      400,
      'The subprotocol here is "mcp"',
    ],
    ['a foreign Host', { host: 'evil.example.com' }, '/mcp', 403, 'is not one of this server'],
    ['a foreign Origin', { origin: 'https://evil.example.com' }, '/mcp', 403, 'may not call this server'],
    ['the Origin null', { origin: 'null' }, '/mcp', 403, 'may not call this server'],
    ['another path', {}, '/other', 404, 'It is at /mcp'],
    ['another upgrade', { upgrade: 'h2c' }, '/mcp', 400, 'The only upgrade here is to'],
  ])('refuses %s, and says why', async (_what, headers, path, status, reason) => {
    const { listening, connect, sinks } = await started()
    const peer = await connect(headers, new URL(path, listening.url).href)
    expect(await peer.refusal()).toBe(`status ${status}`)
    await peer.closed()
    expect(JSON.parse(peer.reason)).toMatchObject({ id: null, error: { code: -32600 } })
    expect(JSON.parse(peer.reason).error.message).toContain(reason)
    expect(sinks).toEqual([])
  })

  it('answers a request that is no upgrade with 426', async () => {
    const { listening } = await started()
    const response = await fetch(listening.url.replace('ws:', 'http:'))
    expect([response.status, response.headers.get('upgrade')]).toEqual([426, 'websocket'])
  })

  it.each([
    [{ heartbeatMs: 0 }, 'ws: heartbeatMs must be a positive integer, got 0.'],
    [{ path: 'mcp' }, 'ws: path must start with "/"'],
    [{ compression: { minBytes: -1 } }, 'ws: compression.minBytes must be an integer of at least 0, got -1.'],
    [{ idleTimeoutMs: -1 }, 'ws: idleTimeoutMs must be a positive integer, or 0 for none, got -1.'],
  ])('cannot be had with the options %j', (options, sentence) => {
    expect(() => webSocketTransport(options)).toThrow(sentence)
  })
})

describe('frames', () => {
  it('make one message of fragments, with control frames between them', async () => {
    const { connect, taken } = await started()
    const peer = await connect()
    const bytes = message(1, 'ü€😀')
    // Also within a character.
    for (let at = 0; at < bytes.length; at += 1) {
      const isLast = at === bytes.length - 1
      peer.write(maskedFrame(at === 0 ? TEXT! : CONTINUATION!, bytes.subarray(at, at + 1), isLast))
      if (at === 10) peer.write(maskedFrame(PING!, Buffer.from('between')))
    }
    await peer.answer(1)
    expect(taken).toEqual([bytes.toString()])
  })

  it('that are binary close the connection with 1003 and a reason', async () => {
    const { connect, taken } = await started()
    const peer = await connect()
    peer.write(maskedFrame(BINARY!, message(1)))
    expect(await peer.refusal()).toBe('close 1003')
    expect(peer.reason).toBe('Messages are JSON texts. Send text frames, not binary ones.')
    await peer.closed()
    expect(taken).toEqual([])
  })

  it.each([
    ['a text that is not UTF-8', maskedFrame(TEXT!, Buffer.from([0x22, 0xff, 0x22])), 'close 1007'],
    ['a continuation of nothing', maskedFrame(CONTINUATION!, message(1)), 'close 1002'],
    ['an unmasked frame', Buffer.from([0x81, 2, 0x7b, 0x7d]), 'close 1002'],
    [
      'a message in parts that is too long',
      Buffer.concat([
        maskedFrame(TEXT!, Buffer.alloc(600, 'x'), false),
        maskedFrame(CONTINUATION!, Buffer.alloc(600, 'x')),
      ]),
      'close 1009',
    ],
  ])('close the connection with the right code: %s', async (_what, bytes, refusal) => {
    const { connect, closed } = await started({ maxMessageBytes: 1_000 })
    const peer = await connect()
    peer.write(bytes)
    expect(await peer.refusal()).toBe(refusal)
    await peer.closed()
    while (closed() === 0) await turn()
    expect(closed()).toBe(1)
  })

  it('are made once for the same message, and are those of a server', () => {
    const text = message(1, 'fan-out').toString()
    const frame = textFrame(text)
    expect(textFrame(`${text}`)).toBe(frame)
    expect([frame[0], frame[1]]).toEqual([0x81, text.length])
    expect(textFrame('x'.repeat(126)).subarray(0, 4)).toEqual(Buffer.from([0x81, 126, 0, 126]))
    expect(textFrame('x'.repeat(65_536)).subarray(0, 10)).toEqual(Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]))
  })

  it('sent in one turn arrive in order', async () => {
    const { connect, sinks } = await started()
    const peer = await connect()
    while (sinks.length === 0) await turn()
    for (let n = 0; n < 100; n += 1) sinks[0]?.send(message(n).toString())
    await peer.until(() => peer.messages.length === 100)
    expect(peer.messages.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, n) => n))
  })

  it('sent by end come before the close, which is normal', async () => {
    const { connect, sinks } = await started()
    const peer = await connect()
    while (sinks.length === 0) await turn()
    expect(sinks[0]?.end(message(7).toString())).toBe(true)
    expect([sinks[0]?.isOpen, sinks[0]?.send('{}')]).toEqual([false, false])
    expect(await peer.refusal()).toBe('close 1000')
    expect(peer.messages.map(({ id }) => id)).toEqual([7])
    await peer.closed()
  })
})

describe('compression', () => {
  const offer = {
    'sec-websocket-extensions': 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  }

  it('is refused to nobody and given to nobody unless it is switched on', async () => {
    const { connect } = await started()
    const peer = await connect(offer)
    expect(peer.head).not.toMatch(/sec-websocket-extensions/i)
  })

  it('begins at its floor, and goes both ways', async () => {
    const { connect, taken, sinks } = await started({ compression: { minBytes: 200 } })
    const peer = await connect(offer)
    expect(peer.head).toMatch(/sec-websocket-extensions: permessage-deflate/i)
    const long = message(1, 'x'.repeat(500)).toString()
    const packed = maskedFrame(TEXT! | 0x40, deflateRawSync(Buffer.from(long), { finishFlush: 2 }).subarray(0, -4))
    // The peer does not unpack: what comes is looked at as bytes.
    const chunks: Buffer[] = []
    peer.socket.removeAllListeners('data').on('data', (chunk: Buffer) => chunks.push(chunk))
    peer.write(packed)
    while (taken.length === 0) await turn()
    expect(taken).toEqual([long])
    const short = message(2).toString()
    sinks[0]?.send(short)
    while (!Buffer.concat(chunks).includes(short)) await turn()
    const bytes = Buffer.concat(chunks)
    // FIN, RSV1 (compressed) and text; then, uncompressed, FIN and text.
    expect(bytes[0]).toBe(0xc1)
    const size = (bytes[1] ?? 0) & 0x7f
    const body = Buffer.concat([bytes.subarray(2, 2 + size), Buffer.from([0, 0, 0xff, 0xff])])
    expect(inflateRawSync(body, { finishFlush: 2 }).toString()).toBe(long)
    expect(bytes[2 + size]).toBe(0x81)
  })

  it('does not let a small frame unpack into a message that is too long', async () => {
    const { connect } = await started({ compression: true, maxMessageBytes: 1_000 })
    const peer = await connect(offer)
    const bomb = deflateRawSync(Buffer.alloc(1_000_000, 'x'), { finishFlush: 2 }).subarray(0, -4)
    peer.write(maskedFrame(TEXT! | 0x40, bomb))
    expect(await peer.refusal()).toBe('close 1009')
  })
})

describe('the heartbeat', () => {
  it('pings a peer that is silent, keeps one that answers, and cuts one that does not', async () => {
    const clock = handClock()
    const { connect, sinks, listening } = await started({ clock, heartbeatMs: 1_000 })
    const [answering, dead] = [await connect(), await connect()]
    while (sinks.length < 2) await turn()
    // Time is moved in small steps, with the pongs travelling between them.
    for (let step = 0; step < 100; step += 1) {
      clock.advance(100)
      for (const ping of answering.pings.splice(0)) answering.write(maskedFrame(PONG!, ping))
      for (let turns = 0; turns < 5; turns += 1) await turn()
    }
    await dead.closed()
    expect(dead.pings).toHaveLength(1)
    expect(answering.isClosed).toBe(false)
    answering.write(maskedFrame(TEXT!, message(1)))
    await answering.answer(1)
    while (listening.counts().connections !== 1) await turn()
  })

  it('cuts a peer that pings and never reads', async () => {
    const { connect, listening } = await started({ maxBufferedBytes: 10_000 })
    const peer = await connect()
    peer.pause()
    const pings = Buffer.concat(Array.from({ length: 5_000 }, () => maskedFrame(PING!, Buffer.alloc(125))))
    while (listening.counts().connections > 0) {
      if (peer.socket.writableLength < 1_000_000) peer.write(pings)
      await turn()
    }
  })
})

describe('the end', () => {
  it('is told to the receiver once, whether the peer says goodbye or not', async () => {
    const { connect, closed, listening } = await started()
    const [polite, rude] = [await connect(), await connect()]
    polite.write(maskedFrame(CLOSE!, Buffer.from([0x03, 0xe8])))
    rude.vanish()
    await polite.closed()
    while (listening.counts().connections > 0) await turn()
    expect(closed()).toBe(2)
  })

  it('comes with 1001 when the server closes, also for peers that never answer a close', async () => {
    const { connect, listening, sinks } = await started()
    const [peer, deaf] = [await connect(), await connect()]
    deaf.pause()
    while (sinks.length < 2) await turn()
    await listening.close()
    expect(await peer.refusal()).toBe('close 1001')
    while (listening.counts().connections > 0) await turn()
  })
})
