/** What holds for a link over every kind of connection, plain and with TLS, whatever its framing. */
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ClientTransport, LinkError, type LinkFailure } from '#transports/client-port'
import { authority, fake, type Kind, kinds, listening, type SharedOptions, transportTo } from './client-fakes.ts'
import { notification, Remembering, request, result } from './client-harness.ts'
import { eventually } from './http-harness.ts'

async function linked(kind: Kind, options: SharedOptions = {}) {
  const server = await fake(kind)
  const receiver = new Remembering()
  const link = await server.transport(options).open(receiver)
  onTestFinished(() => link.close())
  return { server, receiver, link, peer: await server.peer() }
}

async function failureOf(transport: ClientTransport): Promise<LinkFailure> {
  const error = await transport.open(new Remembering()).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(LinkError)
  return (error as LinkError).failure
}

describe.each(kinds)('a link over %s', (kind) => {
  it('carries messages both ways, in order, and as they are', async () => {
    const { link, peer, receiver } = await linked(kind)
    for (const id of [1, 2, 'Ærø 🜁']) expect(link.send(request(id))).toBe(true)
    link.send(notification())
    await eventually(() => peer.received.length === 4)
    expect(peer.received).toEqual([request(1).text, request(2).text, request('Ærø 🜁').text, notification().text])
    for (const id of [1, 2, 'Ærø 🜁']) peer.send(result(id))
    await receiver.messageCount(3)
    expect(receiver.messages).toEqual([result(1), result(2), result('Ærø 🜁')])
    link.listen()
    link.abandon(1)
    expect(receiver.ends).toEqual([])
  })

  it('carries a message of some megabytes', async () => {
    const { link, peer, receiver } = await linked(kind)
    const text = result(1, { text: 'x'.repeat(3_000_000) })
    link.send({ ...request(1), text })
    await eventually(() => peer.received.length === 1)
    expect(peer.received[0]?.length).toBe(text.length)
    peer.send(text)
    await receiver.messageCount(1)
    expect(receiver.messages[0]?.length).toBe(text.length)
  })

  it('is over when the server closes it, behind what it said before', async () => {
    const { link, peer, receiver } = await linked(kind)
    peer.send(result(1))
    peer.end()
    expect(await receiver.end()).toMatchObject({ kind: 'broken', mayHaveRun: true })
    expect(receiver.messages).toEqual([result(1)])
    expect(receiver.ends[0]?.message).toContain(`://127.0.0.1:`)
    expect(link.send(request(2))).toBe(false)
    await link.close()
    expect(receiver.ends).toHaveLength(1)
  })

  it('is over when the connection is cut', async () => {
    const { link, peer, receiver } = await linked(kind)
    peer.socket.destroy()
    expect(await receiver.end()).toMatchObject({ kind: 'broken', mayHaveRun: true })
    expect(link.send(request(2))).toBe(false)
  })

  it('closes in order: what was sent before arrives, and nothing is left', async () => {
    const { link, peer, receiver } = await linked(kind)
    link.send(notification())
    await Promise.all([link.close(), link.close()])
    expect(link.send(request(2))).toBe(false)
    expect(receiver.ends).toMatchObject([{ kind: 'closed' }])
    await eventually(() => peer.isGone)
    expect(peer.received).toEqual([notification().text])
  })

  it('closes although the server neither reads nor answers', async () => {
    const { link, peer, receiver } = await linked(kind, { closeTimeoutMs: 50 })
    peer.socket.pause()
    await link.close()
    expect(receiver.ends).toMatchObject([{ kind: 'closed' }])
  })

  it('ends with a message that is too long, and says which option allows it', async () => {
    const { peer, receiver } = await linked(kind, { maxMessageBytes: 1_000 })
    peer.send(result(1, { text: 'x'.repeat(900) }))
    peer.send(result(2, { text: 'x'.repeat(1_100) }))
    peer.send(result(3))
    const failure = await receiver.end()
    expect(failure).toMatchObject({ kind: 'invalid', mayHaveRun: true })
    expect(failure.message).toMatch(/a (message|line) is longer than 1000 bytes. Raise maxMessageBytes to take it\.$/)
    expect(receiver.answered).toEqual([1])
    await eventually(() => peer.isGone)
  })

  it('takes no more than may wait to be read by the server, and goes on when it reads', async () => {
    const { link, peer } = await linked(kind, { maxBufferedBytes: 100_000 })
    peer.socket.pause()
    const message = { ...request(1), text: result(1, { text: 'x'.repeat(65_536) }) }
    let taken = 0
    // The system's own buffers take some.
    while (link.send(message) && taken < 10_000) {
      taken++
      if (taken % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThan(10_000)
    peer.socket.resume()
    await eventually(() => peer.received.length === taken)
    expect(link.send(message)).toBe(true)
  })

  it('takes one message of any size when nothing waits', async () => {
    const { link, peer } = await linked(kind, { maxBufferedBytes: 10 })
    expect(link.send(request(1))).toBe(true)
    await eventually(() => peer.received.length === 1)
  })

  it('cannot be opened where nobody listens', async () => {
    const server = createServer()
    const port = await listening(server)
    await new Promise((resolve) => server.close(resolve))
    const failure = await failureOf(transportTo(kind, port))
    expect(failure).toMatchObject({ kind: 'refused', mayHaveRun: false })
    expect(failure.message).toContain(`${kind}://127.0.0.1:${port}`)
    expect(failure.message).toContain('ECONNREFUSED')
  })
})

describe.each(['ws', 'wss', 'tls'] as const)('a link over %s', (kind) => {
  it('cannot be opened when the server is silent, and hangs up', async () => {
    let isClosed = false
    const port = await listening(
      createServer((socket) => {
        socket.resume()
        socket.on('close', () => {
          isClosed = true
        })
      }),
    )
    const failure = await failureOf(transportTo(kind, port, { connectTimeoutMs: 100 }))
    expect(failure).toMatchObject({ kind: 'refused', mayHaveRun: false })
    expect(failure.message).toContain('not open within 100 ms')
    await eventually(() => isClosed)
  })

  it('cannot be opened when the server hangs up at once', async () => {
    const port = await listening(createServer((socket) => void socket.destroy()))
    expect(await failureOf(transportTo(kind, port))).toMatchObject({ kind: 'refused', mayHaveRun: false })
  })
})

describe.each(['wss', 'tls'] as const)('a link over %s', (kind) => {
  it('trusts only a server that a known authority vouches for', async () => {
    const { port } = await fake(kind)
    const failure = await failureOf(transportTo(kind, port, { tls: {} }))
    expect(failure).toMatchObject({ kind: 'refused', mayHaveRun: false })
    expect(failure.message).toMatch(/certificate/)
  })

  it('shows its certificate to a server that asks for one', async () => {
    const { port, peer } = await fake(kind, true)
    const shown = authority.issue('client')
    const receiver = new Remembering()
    const tls = { ca: authority.cert, cert: shown.cert, key: shown.key }
    const link = await transportTo(kind, port, { tls }).open(receiver)
    link.send(request(1))
    const { received } = await peer()
    await eventually(() => received.length === 1)
    await link.close()
  })

  it('comes to nothing without a certificate where one is asked for', async () => {
    const { port, peers } = await fake(kind, true)
    const receiver = new Remembering()
    // Under TLS 1.3 a client is through before the server has looked at its certificate.
    const failure = await transportTo(kind, port)
      .open(receiver)
      .then(
        () => receiver.end(),
        (error: LinkError) => error.failure,
      )
    expect(failure.message).toMatch(/certificate/)
    expect(peers).toEqual([])
  })
})
