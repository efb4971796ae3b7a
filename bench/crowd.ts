// A program of the crowd: holds many peers and does what it is told over the IPC channel, one order at a time. Started by
// crowd-control.ts.
import { type Addresses, openPeer, type Peer, type PeerKind } from './crowd-peers.ts'

export type Order =
  /** Opens so many more peers of each kind. */
  | { readonly type: 'open'; readonly addresses: Addresses; readonly counts: Partial<Record<PeerKind, number>> }
  /** Calls through all peers in turn at a fixed rate. */
  | { readonly type: 'pace'; readonly perSecond: number; readonly durationMs: number }
  /**
   * So many calls of each kind, as fast as they go: each peer calls `perSession` times, one call after another, and gives way to
   * a new one; every third is cut instead of ended.
   */
  | {
      readonly type: 'churn'
      readonly addresses: Addresses
      readonly calls: Partial<Record<PeerKind, number>>
      readonly lanes: Partial<Record<PeerKind, number>>
      readonly perSession: number
    }
  | { readonly type: 'cut'; readonly fraction: number }

/** What came of an order: by kind, the calls, the errors, and how many calls took how long, by bucket (see `bucketOf`). */
export interface Tally {
  readonly calls: Partial<Record<PeerKind, number>>
  readonly errors: readonly string[]
  readonly errorCount: number
  readonly latencies: Partial<Record<PeerKind, Record<number, number>>>
  readonly peers: number
}

/** Buckets of 5 % each, from 0.01 ms. */
const BUCKET_RATIO = Math.log(1.05)
const FIRST_MS = 0.01
export const bucketOf = (ms: number): number => Math.max(0, Math.floor(Math.log(ms / FIRST_MS) / BUCKET_RATIO))
/** The upper end of a bucket, in ms. */
export const msOf = (bucket: number): number => FIRST_MS * Math.exp((bucket + 1) * BUCKET_RATIO)

const ERRORS_KEPT = 5
const OPEN_LANES = 24
const CALLS_AT_ONCE_MAX = 2_000

let peers: Peer[] = []

class Tallying implements Tally {
  readonly calls: Partial<Record<PeerKind, number>> = {}
  readonly errors: string[] = []
  errorCount = 0
  readonly latencies: Partial<Record<PeerKind, Record<number, number>>> = {}

  get peers(): number {
    return peers.length
  }

  async time(peer: Peer, fromMs = performance.now()): Promise<void> {
    try {
      await peer.call()
      const bucket = bucketOf(performance.now() - fromMs)
      const counts = (this.latencies[peer.kind] ??= {})
      counts[bucket] = (counts[bucket] ?? 0) + 1
      this.calls[peer.kind] = (this.calls[peer.kind] ?? 0) + 1
    } catch (error) {
      this.fail(peer.kind, error)
    }
  }

  fail(kind: PeerKind, error: unknown): void {
    this.errorCount += 1
    if (this.errors.length < ERRORS_KEPT) this.errors.push(`${kind}: ${error instanceof Error ? error.message : error}`)
  }

  report(): Tally {
    const { calls, errors, errorCount, latencies } = this
    return { calls, errors, errorCount, latencies, peers: peers.length }
  }
}

async function openAll(order: Extract<Order, { type: 'open' }>, tally: Tallying): Promise<void> {
  const wanted = Object.entries(order.counts).flatMap(([kind, count]) => Array<PeerKind>(count).fill(kind as PeerKind))
  const lane = async (): Promise<void> => {
    for (let kind = wanted.pop(); kind !== undefined; kind = wanted.pop()) {
      try {
        peers.push(await openPeer(kind, order.addresses))
      } catch (error) {
        tally.fail(kind, error)
      }
    }
  }
  await Promise.all(Array.from({ length: OPEN_LANES }, lane))
}

/** Latency counts from the moment a call was due, so that a stall of the server is seen by the calls that it held up. */
async function pace({ perSecond, durationMs }: Extract<Order, { type: 'pace' }>, tally: Tallying): Promise<void> {
  const fromMs = performance.now()
  const open = new Set<Promise<void>>()
  const callsMax = Math.floor((perSecond * durationMs) / 1_000)
  for (let begun = 0; begun < callsMax; ) {
    const now = performance.now()
    for (let dueMs = fromMs + (begun * 1_000) / perSecond; begun < callsMax && dueMs <= now; ) {
      if (open.size >= CALLS_AT_ONCE_MAX) break
      const call = tally.time(peers[begun % peers.length] as Peer, dueMs)
      open.add(call)
      void call.finally(() => open.delete(call))
      begun += 1
      dueMs = fromMs + (begun * 1_000) / perSecond
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(open)
}

async function churn(order: Extract<Order, { type: 'churn' }>, tally: Tallying): Promise<void> {
  const work = Object.entries(order.calls).flatMap(([name, total]) => {
    const kind = name as PeerKind
    let left = total
    let sessions = 0
    const lane = async (): Promise<void> => {
      while (left > 0) {
        const calls = Math.min(left, order.perSession)
        left -= calls
        sessions += 1
        const isCut = sessions % 3 === 0
        try {
          const peer = await openPeer(kind, order.addresses)
          for (let count = 0; count < calls; count += 1) await tally.time(peer)
          if (isCut) peer.cut()
          else await peer.end()
        } catch (error) {
          tally.fail(kind, error)
        }
      }
    }
    return Array.from({ length: order.lanes[kind] ?? 1 }, lane)
  })
  await Promise.all(work)
}

function cut(fraction: number): void {
  const count = Math.round(peers.length * fraction)
  // Every so manieth, so that all kinds are hit alike.
  const doomed = new Set(
    peers.filter(
      (_, index) => Math.floor((index * count) / peers.length) !== Math.floor(((index + 1) * count) / peers.length),
    ),
  )
  for (const peer of doomed) peer.cut()
  peers = peers.filter((peer) => !doomed.has(peer))
}

process.on('message', (order: Order) => {
  void (async () => {
    const tally = new Tallying()
    if (order.type === 'open') await openAll(order, tally)
    else if (order.type === 'pace') await pace(order, tally)
    else if (order.type === 'churn') await churn(order, tally)
    else cut(order.fraction)
    process.send?.(tally.report())
  })()
})
process.on('disconnect', () => process.exit(0))
