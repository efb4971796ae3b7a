/**
 * A TCP proxy on loopback that hurts what passes through it: connections are cut, bytes flipped, pieces held back, rates kept
 * low. It stands between any client and any server that speak over TCP, and takes what it does from a seed.
 *
 *     const proxy = await chaosProxy({ port: 3000, seed: 7, faults: { delay: 0.2, delayMs: 50, cut: 0.01 } })
 *     const client = await connect(`http://127.0.0.1:${proxy.port}/mcp`)
 *     proxy.faults = {}          // all is well again
 *     await proxy.close()
 *
 * What waits in it is bounded: a piece that is held back holds up its whole direction, as on a wire, and nothing more is read.
 * After: Toxiproxy (latency, bandwidth, reset_peer), which works the same way from outside.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createRandom } from './seeded-random.ts'

/** How likely each is, for every piece of bytes that passes. */
export interface ProxyFaults {
  /** Both sides of the connection are reset. */
  readonly cut?: number
  /** One bit of the piece is flipped. */
  readonly corrupt?: number
  /** The piece waits 1 to `delayMs` milliseconds. */
  readonly delay?: number
  /** Default 100. */
  readonly delayMs?: number
  /** Bytes per second in each direction of each connection; default as many as come. */
  readonly bytesPerSecond?: number
}

export interface ChaosProxyOptions {
  /** The server's port. */
  readonly port: number
  /** The server's host; default 127.0.0.1. */
  readonly host?: string
  /** Default 1. */
  readonly seed?: number
  readonly faults?: ProxyFaults
  /** Connections at once; one more is reset. Default 1 000. */
  readonly connectionsMax?: number
}

export interface ProxyCounts {
  connections: number
  cut: number
  corrupted: number
  delayed: number
  /** Pieces that waited for the rate. */
  throttled: number
  /** Connections that the server did not take, or that were too many. */
  refused: number
}

const DELAY_MS = 100
const CONNECTIONS_MAX = 1_000

/** Listens on a free port of 127.0.0.1. Rejects when it cannot. */
export async function chaosProxy(options: ChaosProxyOptions): Promise<ChaosProxy> {
  const proxy = new ChaosProxy(options)
  await proxy.listen()
  return proxy
}

export class ChaosProxy {
  /** What goes wrong from now on; may be set at any time. */
  faults: ProxyFaults
  readonly counts: ProxyCounts = { connections: 0, cut: 0, corrupted: 0, delayed: 0, throttled: 0, refused: 0 }
  private readonly options: ChaosProxyOptions
  private readonly random: ReturnType<typeof createRandom>
  private readonly server: Server
  private readonly pairs = new Set<readonly [Socket, Socket]>()

  constructor(options: ChaosProxyOptions) {
    this.options = options
    this.faults = options.faults ?? {}
    this.random = createRandom(options.seed ?? 1)
    this.server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => this.accept(client))
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
  }

  /** Where it listens. */
  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Connections that are open. */
  get size(): number {
    return this.pairs.size
  }

  /** Resets every open connection; returns how many. */
  cutAll(): number {
    const open = [...this.pairs]
    for (const pair of open) this.cut(pair)
    return open.length
  }

  /** Resets all connections and stops listening. */
  async close(): Promise<void> {
    const closed = once(this.server, 'close')
    this.server.close()
    for (const pair of [...this.pairs]) for (const socket of pair) socket.destroy()
    await closed
  }

  private accept(client: Socket): void {
    if (this.pairs.size >= (this.options.connectionsMax ?? CONNECTIONS_MAX)) {
      this.counts.refused++
      client.on('error', () => undefined)
      client.resetAndDestroy()
      return
    }
    const { host = '127.0.0.1', port } = this.options
    const server = connect({ host, port, allowHalfOpen: true })
    const pair = [client, server] as const
    this.pairs.add(pair)
    this.counts.connections++
    server.on('error', () => {
      if (server.connecting) this.counts.refused++
    })
    client.on('error', () => undefined)
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('close', (hadError) => {
        // One that ended in order leaves the other what is still on its way.
        if (hadError) for (const one of pair) one.destroy()
        if (pair.every((one) => one.destroyed)) this.pairs.delete(pair)
      })
    }
    this.pipe(client, server, pair)
    this.pipe(server, client, pair)
  }

  private pipe(from: Socket, to: Socket, pair: readonly [Socket, Socket]): void {
    let isHolding = false
    from.on('data', (piece: Buffer) => {
      from.pause()
      isHolding = true
      const { cut = 0, corrupt = 0 } = this.faults
      if (this.random.next() < cut) return this.cut(pair)
      if (this.random.next() < corrupt) this.corrupt(piece)
      const waitMs = this.waitMs(piece.length)
      const pass = (): void => {
        isHolding = false
        if (!to.writable) return void from.destroy()
        const isRead = to.write(piece)
        if (from.readableEnded) to.end()
        else if (isRead) from.resume()
        else to.once('drain', () => from.resume())
      }
      if (waitMs > 0) setTimeout(pass, waitMs)
      else pass()
    })
    // The end may come while a piece is held back, though nothing is read meanwhile.
    from.on('end', () => {
      if (!isHolding) to.end()
    })
    from.resume()
  }

  /** Milliseconds that a piece is held back. */
  private waitMs(bytes: number): number {
    const { delay = 0, delayMs = DELAY_MS, bytesPerSecond } = this.faults
    let waitMs = 0
    if (this.random.next() < delay) {
      this.counts.delayed++
      waitMs += 1 + Math.floor(this.random.next() * delayMs)
    }
    if (bytesPerSecond !== undefined) {
      this.counts.throttled++
      waitMs += (1_000 * bytes) / bytesPerSecond
    }
    return waitMs
  }

  private corrupt(piece: Buffer): void {
    this.counts.corrupted++
    const at = Math.floor(this.random.next() * piece.length)
    piece[at] = (piece[at] ?? 0) ^ (1 << Math.floor(this.random.next() * 8))
  }

  private cut(pair: readonly [Socket, Socket]): void {
    this.counts.cut++
    for (const socket of pair) {
      if (socket.connecting) socket.destroy()
      else socket.resetAndDestroy()
    }
  }
}
