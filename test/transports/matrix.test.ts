/**
 * What every transport promises, as a table: a row per transport, a column per promise, each over real sockets and with a whole
 * server behind it. A column that a transport cannot have (standard input has no address) leaves its row out.
 */
import { createServer, type ServeOptions, serve } from 'bough'
import { staticTokens } from 'bough/auth'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Listening, Transport } from '#transports/port'
import { metaOf } from '../server/modern-client.ts'
import type { Wire } from '../server/wire-schema.ts'
import type { Peer, Target } from './matrix-peers.ts'
import { authority, type Row, type RowOptions, rows, tls } from './matrix-rows.ts'

const TIMEOUT_MS = 60_000
const LETTERS = 'ü€😀'

const call = (id: number, name: string, args: object = {}, meta?: object): object => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args, _meta: metaOf(meta === undefined ? {} : { meta }) },
})

const textOf = (answer: Wire): string => answer.result?.content?.[0]?.text

/** A server behind the transport of a row, and what its tools tell. */
async function started(row: Row, options: RowOptions = {}, serving: Partial<ServeOptions> = {}) {
  const told = { begun: 0, aborted: 0, closed: 0 }
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const server = createServer({ name: 'matrix', version: '1' })
    .tool('echo', { run: (args) => String(args['text'] ?? '') })
    .tool('whoami', { run: (_args, ctx) => ctx.auth?.id ?? 'nobody' })
    .tool('gated', {
      run: async (_args, ctx) => {
        told.begun += 1
        ctx.signal.addEventListener('abort', () => (told.aborted += 1))
        await gate
        return 'through'
      },
    })
    .tool('flood', {
      run: async (args, ctx) => {
        told.begun += 1
        const text = 'x'.repeat(Number(args['bytes']))
        for (let n = 1; n <= Number(args['count']) && !ctx.signal.aborted; n += 1) {
          ctx.progress(n, undefined, text)
          await new Promise((resolve) => setImmediate(resolve))
        }
        return 'flooded'
      },
    })
  const made = row.make(options)
  let listening: Listening | undefined
  const watched: Transport = {
    name: made.transport.name,
    listen: async (acceptor) => {
      listening = await made.transport.listen(acceptor)
      return listening
    },
  }
  const app = await serve(server, {
    transports: [watched],
    signals: false,
    guard: false,
    logger: false,
    ...serving,
  })
  onTestFinished(() => app.stop())
  const connect = async (more: Omit<Target, 'url'> = {}): Promise<Peer> => {
    if (listening === undefined) throw new Error('It does not listen.')
    const peer = await made.connect(listening, more)
    onTestFinished(() => peer.vanish())
    return peer
  }
  return { app, connect, told, open: () => open(), connections: () => connectionsOf(listening) }
}

/** Connections that the transport itself says it holds. */
function connectionsOf(listening: Listening | undefined): number {
  if (listening === undefined || !('counts' in listening) || typeof listening.counts !== 'function') return 0
  const { connections, webSockets = 0 } = listening.counts() as { connections: number; webSockets?: number }
  return connections + webSockets
}

/** Waits for `isTrue`, a turn of the event loop at a time, for as long as the test may take. */
async function eventually(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await turn()
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe.each(rows)('$name', (row) => {
  it('reads a message wherever its bytes are split', { timeout: TIMEOUT_MS }, async () => {
    const { connect } = await started(row)
    const peer = await connect()
    const { length } = peer.frame(call(1_000, 'echo', { text: LETTERS }))
    // Every place in the first and the last bytes, where heads and ends are, and every third between them.
    const places = Array.from({ length: length - 1 }, (_, at) => at + 1).filter(
      (at) => at < 30 || at > length - 60 || at % 3 === 0,
    )
    for (const at of places) {
      const bytes = peer.frame(call(1_000 + at, 'echo', { text: LETTERS }))
      peer.write(bytes.subarray(0, at))
      await turn()
      peer.write(bytes.subarray(at))
      expect(textOf(await peer.answer(1_000 + at)), `split at ${at}`).toBe(LETTERS)
    }
  })

  it('reads a message that comes byte by byte', { timeout: TIMEOUT_MS }, async () => {
    const { connect } = await started(row)
    const peer = await connect()
    for (const byte of peer.frame(call(1, 'echo', { text: LETTERS }))) {
      peer.write(Buffer.from([byte]))
      await turn()
    }
    expect(textOf(await peer.answer(1))).toBe(LETTERS)
  })

  it('reads many messages that come in one write', { timeout: TIMEOUT_MS }, async () => {
    const { connect } = await started(row)
    const peer = await connect()
    const ids = Array.from({ length: 50 }, (_, at) => at + 1)
    peer.write(Buffer.concat(ids.map((id) => peer.frame(call(id, 'echo', { text: `${LETTERS}${id}` })))))
    for (const id of ids) expect(textOf(await peer.answer(id))).toBe(`${LETTERS}${id}`)
    expect(peer.messages).toHaveLength(50)
  })

  it('carries messages of every size class', { timeout: TIMEOUT_MS }, async () => {
    const { connect } = await started(row)
    const peer = await connect()
    for (const [id, size] of [1, 124, 125, 126, 127, 1_000, 65_400, 65_535, 65_536, 200_000, 2_000_000].entries()) {
      peer.send(call(id, 'echo', { text: 'x'.repeat(size) }))
      expect(textOf(await peer.answer(id))).toHaveLength(size)
    }
  })

  it('refuses a message that is too long, and serves the next one', { timeout: TIMEOUT_MS }, async () => {
    const { connect } = await started(row, { maxMessageBytes: 4_096 })
    const peer = await connect()
    peer.send(call(1, 'echo', { text: 'x'.repeat(5_000) }))
    expect(await peer.refusal()).toBe(row.oversize)
    const next = row.oversize === 'close 1009' ? await connect() : peer
    if (next !== peer) await peer.closed()
    next.send(call(2, 'echo', { text: 'next' }))
    expect(textOf(await next.answer(2))).toBe('next')
    expect(next.messages.map(({ id }) => id)).toEqual([2])
  })

  it('serves both eras', { timeout: TIMEOUT_MS }, async () => {
    const { connect } = await started(row)
    const peer = await connect()
    const clientInfo = { name: 'matrix', version: '1' }
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }
    peer.send({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
    expect((await peer.answer(1)).result?.protocolVersion).toBe('2025-06-18')
    peer.send(call(2, 'echo', { text: 'modern' }))
    expect(textOf(await peer.answer(2))).toBe('modern')
  })

  it('gives up a peer that does not read, at a bound', { timeout: TIMEOUT_MS }, async () => {
    const { connect, told, connections, app } = await started(row, { maxUnreadBytes: 64 * 1024 })
    const peer = await connect()
    peer.send(call(1, 'echo', { text: 'before' }))
    await peer.answer(1)
    peer.pause()
    const held = connections()
    peer.send(call(2, 'flood', { bytes: 1024 * 1024, count: 100 }, { progressToken: 't' }))
    await eventually(() => told.begun === 1)
    if (!row.isNetwork) return void (await app.done)
    // The connection that carries the flood is gone; that for the posts of a legacy stream may stay.
    await eventually(() => connections() < held)
    const other = await connect()
    other.send(call(3, 'echo', { text: 'other' }))
    expect(textOf(await other.answer(3))).toBe('other')
  })

  it('aborts the calls of a peer that vanishes, and forgets it', { timeout: TIMEOUT_MS }, async () => {
    const { connect, told, connections } = await started(row)
    const peer = await connect()
    peer.send(call(1, 'gated'))
    await eventually(() => told.begun === 1)
    peer.vanish()
    await eventually(() => told.aborted === 1)
    await eventually(() => connections() === 0)
  })

  it('finishes what is in flight when it stops, then closes', { timeout: TIMEOUT_MS }, async () => {
    const { app, connect, told, open } = await started(row)
    const peer = await connect()
    peer.send(call(1, 'gated'))
    await eventually(() => told.begun === 1)
    const stopped = app.stop()
    await turn()
    open()
    expect(textOf(await peer.answer(1))).toBe('through')
    await stopped
    if (row.isNetwork) await peer.closed()
  })

  it('stops though a peer never reads', { timeout: TIMEOUT_MS }, async () => {
    const { app, connect, told } = await started(row, {}, { drainMs: 200 })
    const peer = await connect()
    peer.pause()
    peer.send(call(1, 'flood', { bytes: 100_000, count: 60 }, { progressToken: 't' }))
    await eventually(() => told.begun === 1)
    await app.stop()
  })
})

describe.each(rows.filter(({ hasHalfClose }) => hasHalfClose))('$name, when the client ends its half', (row) => {
  it('still answers what was asked, then ends its own', { timeout: TIMEOUT_MS }, async () => {
    const { connect, told, open } = await started(row)
    const peer = await connect()
    peer.send(call(1, 'gated'))
    peer.send(call(2, 'echo', { text: 'soon' }))
    peer.finish()
    await eventually(() => told.begun === 1)
    open()
    expect(textOf(await peer.answer(1))).toBe('through')
    expect(textOf(await peer.answer(2))).toBe('soon')
    if (row.isNetwork) await peer.closed()
  })

  it('answers a session of the older era too', { timeout: TIMEOUT_MS }, async () => {
    const { connect, told, open } = await started(row)
    const peer = await connect()
    const clientInfo = { name: 'matrix', version: '1' }
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }
    peer.send({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
    peer.send({ jsonrpc: '2.0', method: 'notifications/initialized' })
    peer.send({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'gated' } })
    peer.finish()
    await eventually(() => told.begun === 1)
    open()
    expect(textOf(await peer.answer(2))).toBe('through')
    if (row.isNetwork) await peer.closed()
  })
})

describe.each(rows.filter(({ isNetwork }) => isNetwork))('$name, as a network transport', (row) => {
  it('says where it listens', { timeout: TIMEOUT_MS }, async () => {
    const { app } = await started(row)
    expect(app.urls.at(-1)).toMatch(new RegExp(`^${row.scheme}://127\\.0\\.0\\.1:\\d+`))
  })

  it('names the address that it cannot have', { timeout: TIMEOUT_MS }, async () => {
    const { app } = await started(row)
    const port = Number(new URL(app.url).port)
    await expect(started(row, { port })).rejects.toMatchObject({ name: 'TransportError', code: 'address_in_use' })
    await expect(started(row, { host: '192.0.2.1' })).rejects.toMatchObject({ code: 'address_unavailable' })
  })

  it('lets nobody in without a token where there is an authenticator', { timeout: TIMEOUT_MS }, async () => {
    const { connect } = await started(row, {}, { auth: staticTokens({ secret: 'ann' }) })
    for (const authorization of [undefined, 'Bearer wrong']) {
      const stranger = await connect(authorization === undefined ? {} : { headers: { authorization } })
      if (stranger.refusals.length === 0) stranger.send(call(1, 'whoami'))
      expect(await stranger.refusal()).toMatch(
        row.scheme === 'tcp' || row.scheme === 'tls' ? /^error -\d+$/ : /^status 401$/,
      )
    }
    const ann = await connect({ headers: { authorization: 'Bearer secret' } })
    ann.send(call(1, 'whoami'))
    expect(textOf(await ann.answer(1))).toBe('ann')
  })
})

describe.each(rows.filter(({ countsConnections }) => countsConnections))('$name, within its limits', (row) => {
  const isTcp = row.scheme === 'tcp' || row.scheme === 'tls'

  it.each([
    ['in all', { maxConnections: 2 }, isTcp ? 'error -32600' : 'status 503'],
    ['from one address', { maxConnectionsPerAddress: 2 }, isTcp ? 'error -32600' : 'status 429'],
  ] as const)(
    'refuses one connection more than it may hold %s, until one has ended',
    async (_what, limits, refusal) => {
      const { connect } = await started(row, limits)
      const [first, second] = [await connect(), await connect()]
      for (const peer of [first, second]) {
        peer.send(call(1, 'echo', { text: 'in' }))
        expect(textOf(await peer.answer(1))).toBe('in')
      }
      const third = await connect()
      expect(await third.refusal()).toBe(refusal)
      first.vanish()
      for (let attempt = 0; ; attempt += 1) {
        const fourth = await connect()
        if (fourth.refusals.length === 0) fourth.send(call(1, 'echo', { text: 'now' }))
        await fourth.until(() => fourth.messages.length + fourth.refusals.length > 0, true)
        if (fourth.messages.length > 0) break
        expect(attempt).toBeLessThan(1_000)
      }
      second.send(call(2, 'echo', { text: 'still' }))
      expect(textOf(await second.answer(2))).toBe('still')
    },
    TIMEOUT_MS,
  )

  it('closes a connection that was idle for too long', { timeout: TIMEOUT_MS }, async () => {
    const { connect, connections } = await started(row, { idleTimeoutMs: 100 })
    const peer = await connect()
    peer.send(call(1, 'echo', { text: 'in' }))
    await peer.answer(1)
    await peer.closed()
    await eventually(() => connections() <= 1)
  })
})

describe('transports side by side', () => {
  const listenersOf = async (app: Awaited<ReturnType<typeof serve>>) =>
    (await app.tree()).children.find(({ id }) => id === 'listeners')?.children ?? []

  const plain = rows.filter(({ name }) => ['http', 'ws', 'tcp', 'sse'].includes(name))

  it.each(plain)(
    'when the listener of $name crashes the others serve on, and it comes back',
    async (row) => {
      const server = createServer({ name: 'all', version: '1' }).tool('echo', { run: (args) => String(args['text']) })
      const made = new Map(plain.map((one) => [one.name, one.make({ closeGraceMs: 50 })]))
      const heard = new Map<string, Listening>()
      const transports = [...made].map(
        ([name, { transport }]): Transport => ({
          name,
          listen: async (acceptor) => {
            const listening = await transport.listen(acceptor)
            heard.set(name, listening)
            return listening
          },
        }),
      )
      const app = await serve(server, { transports, signals: false, guard: false, logger: false })
      onTestFinished(() => app.stop())
      const connect = async (name: string): Promise<Peer> => {
        const listening = heard.get(name)
        const peer = listening && (await made.get(name)?.connect(listening))
        if (peer === undefined) throw new Error(`${name} does not listen.`)
        onTestFinished(() => peer.vanish())
        return peer
      }
      const others = await Promise.all(plain.filter((one) => one !== row).map(({ name }) => connect(name)))
      const victim = await connect(row.name)
      for (const peer of [victim, ...others]) {
        peer.send(call(1, 'echo', { text: 'before' }))
        expect(textOf(await peer.answer(1))).toBe('before')
      }
      const before = (await listenersOf(app)).find(({ id }) => id === row.name)
      const url = heard.get(row.name)?.url
      app.system
        .processes()
        .find(({ pid }) => pid === before?.pid)
        ?.exit('kill')
      await victim.closed()
      for (const peer of others) {
        peer.send(call(2, 'echo', { text: 'after' }))
        expect(textOf(await peer.answer(2))).toBe('after')
      }
      for (let now = before; now === undefined || now.pid === before?.pid; ) {
        await turn()
        now = (await listenersOf(app)).find(({ id }) => id === row.name)
      }
      expect(heard.get(row.name)?.url).toBe(url)
      const back = await connect(row.name)
      back.send(call(3, 'echo', { text: 'back' }))
      expect(textOf(await back.answer(3))).toBe('back')
    },
    TIMEOUT_MS,
  )

  it('share one port where they speak HTTP', { timeout: TIMEOUT_MS }, async () => {
    const server = createServer({ name: 'one', version: '1' }).tool('echo', { run: (args) => String(args['text']) })
    const app = await serve(server, {
      http: { port: 0, webSocket: { path: '/socket' }, sse: { path: '/legacy', messagesPath: '/post' }, tls },
      signals: false,
      guard: false,
      logger: false,
    })
    onTestFinished(() => app.stop())
    const { port } = new URL(app.url)
    expect(app.urls).toEqual([
      `https://127.0.0.1:${port}/mcp`,
      `wss://127.0.0.1:${port}/socket`,
      `https://127.0.0.1:${port}/legacy`,
    ])
    expect(authority.cert).toContain('CERTIFICATE')
  })
})
