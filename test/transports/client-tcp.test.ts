import { createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { RequestAuthorizer } from '#transports/client-port'
import { type TcpClientOptions, tcpClientTransport } from '#transports/client-tcp'
import { TransportError } from '#transports/port'
import { listening } from './client-fakes.ts'
import { Remembering, request, result } from './client-harness.ts'
import { eventually } from './http-harness.ts'

async function linked(options: Partial<TcpClientOptions> = {}) {
  const sockets: Socket[] = []
  const received: Buffer[] = []
  const port = await listening(
    createServer((socket) => {
      sockets.push(socket)
      socket.on('data', (chunk) => received.push(chunk))
    }),
  )
  const receiver = new Remembering()
  const link = await tcpClientTransport({ host: '127.0.0.1', port, ...options }).open(receiver)
  onTestFinished(() => link.close())
  await eventually(() => sockets.length > 0)
  return { link, receiver, socket: sockets[0]!, text: () => Buffer.concat(received).toString() }
}

describe('lines over TCP', () => {
  it('may be split at any byte', async () => {
    const { socket, receiver } = await linked()
    socket.setNoDelay(true)
    const bytes = Buffer.from(`${result(1, { text: 'Ærø 🜁' })}\r\n\n${result(2)}\n`)
    for (const byte of bytes) {
      socket.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await receiver.messageCount(2)
    expect(receiver.messages).toEqual([result(1, { text: 'Ærø 🜁' }), result(2)])
  })

  it('are read to the end: what follows the last newline is one too', async () => {
    const { socket, receiver } = await linked()
    socket.end(result(1))
    await receiver.end()
    expect(receiver.messages).toEqual([result(1)])
  })

  it('are dropped alone when they are no UTF-8', async () => {
    const { socket, receiver } = await linked()
    socket.write(Buffer.from([0xff, 0xfe, 0x0a]))
    socket.write(`${result(1)}\n`)
    await receiver.messageCount(1)
    expect(receiver.failures).toMatchObject([{ ids: [], failure: { kind: 'invalid' } }])
    expect(receiver.ends).toEqual([])
  })

  it('leave in one write when they were sent in one turn', async () => {
    const { link, socket, text } = await linked()
    let chunks = 0
    socket.on('data', () => chunks++)
    for (let id = 0; id < 100; id++) link.send(request(id))
    await eventually(() => text().split('\n').length === 101)
    expect(chunks).toBeLessThan(10)
  })
})

describe('a server over TCP', () => {
  it('is given up when it leaves what was sent unread', async () => {
    const { link, receiver, socket } = await linked({ stallTimeoutMs: 200 })
    socket.pause()
    const text = 'x'.repeat(32 * 1024 * 1024)
    link.send({ ...request(1), text })
    const failure = await receiver.end()
    expect(failure).toMatchObject({ kind: 'broken', mayHaveRun: true })
    expect(failure.message).toContain('the server read nothing for 200 ms of what was sent.')
  })

  it('may be silent for as long as it likes while nothing waits to be read', async () => {
    const { link, receiver, socket, text } = await linked({ stallTimeoutMs: 20 })
    link.send(request(1))
    await eventually(() => text() !== '')
    // Several times the limit; nothing tells that something did not happen.
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(receiver.ends).toEqual([])
    socket.write(`${result(1)}\n`)
    await receiver.messageCount(1)
  })

  it('gets what authorizes the connection before everything else', async () => {
    const { link, text } = await linked({ authorization: 'Bearer abc' })
    link.send(request(1))
    await eventually(() => text().endsWith('}\n'))
    expect(text()).toBe(`Authorization: Bearer abc\n${request(1).text}\n`)
  })

  it('gets it from the authorizer, anew for each connection', async () => {
    const asked: unknown[] = []
    const authorizer: RequestAuthorizer = {
      headers: async (what) => {
        asked.push(what)
        return { authorization: `Bearer ${asked.length}` }
      },
      challenged: async () => false,
    }
    for (const round of [1, 2]) {
      const { link, text } = await linked({ authorizer, authorization: 'never' })
      await eventually(() => text() === `Authorization: Bearer ${round}\n`)
      await link.close()
    }
    expect(asked).toMatchObject([{ method: 'GET' }, { method: 'GET' }])
  })

  it('is not connected to when no authorization can be had', async () => {
    const authorizer: RequestAuthorizer = {
      headers: () => Promise.reject(new Error('nobody signed in')),
      challenged: async () => false,
    }
    await expect(linked({ authorizer })).rejects.toMatchObject({
      failure: { kind: 'unauthorized', mayHaveRun: false, message: expect.stringContaining('nobody signed in') },
    })
  })
})

describe('the options of a TCP client', () => {
  it.each([
    [{ host: '', port: 1 }, 'host must not be empty'],
    [{ host: 'h', port: 0 }, 'port must be an integer from 1 to 65535, got 0'],
    [{ host: 'h', port: 65_536 }, 'port must be an integer from 1 to 65535, got 65536'],
    [{ host: 'h', port: 1, stallTimeoutMs: -1 }, 'stallTimeoutMs must be a positive integer, got -1'],
    [{ host: 'h', port: 1, authorization: 'Bearer a\nb' }, 'authorization must be one line'],
  ])('are checked at the door: %j', (options, words) => {
    const made = () => tcpClientTransport(options)
    expect(made).toThrow(TransportError)
    expect(made).toThrow(words)
  })

  it('name an IPv6 address as it is written in a URL', () => {
    expect(tcpClientTransport({ host: '::1', port: 4000 }).target).toBe('tcp://[::1]:4000')
    expect(tcpClientTransport({ host: 'example.com', port: 4000, tls: true }).target).toBe('tls://example.com:4000')
  })
})
