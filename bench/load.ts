// The load generator: drives one wire with echo calls, checks every reply, and times each.
//
// A wire turns a call id into bytes and bytes into (id, text). Two drivers run on it: `closedLoop` keeps a fixed number
// of calls in flight, which finds the saturation rate; `paced` starts calls at a fixed rate and counts latency from the
// moment a call was due, so that a stalled server cannot hide the calls it held up.
import { TEXT_BYTES, textOf } from './echo.ts'
import { quantile } from './statistics.ts'

export interface Wire {
  /** Called with each reply. A reply that is no echo result is thrown by the wire itself. */
  onReply: (id: number, text: unknown) => void
  onError: (error: Error) => void
  /** Opens what `inFlight` calls at once need. */
  open(inFlight: number): Promise<void>
  /** Starts one call; the caller keeps to the `inFlight` it opened. Bytes may wait for `flush`. */
  send(id: number): void
  /** Writes what `send` held back. The wire also flushes after each chunk it has read. */
  flush(): void
  close(): void
}

export interface Load {
  readonly calls: number
  readonly elapsedMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of all texts received; equal to that of all texts sent, or the load would have failed. */
  readonly checksum: number
}

const STALL_MS = 15_000
const MASK = 0xffff // of the ring of start times; far more than any number of calls in flight

/** Ids, start times, latencies and the check of each reply. Ids never repeat within a process. */
class Ledger {
  static lastId = 0
  outstanding = 0
  readonly #ids = new Float64Array(MASK + 1)
  readonly #startedMs = new Float64Array(MASK + 1)
  #latenciesMs = new Float64Array(1 << 14)
  #calls = 0
  #sent = 0
  #received = 0

  issue(startedMs: number): number {
    const id = ++Ledger.lastId
    const slot = id & MASK
    if (this.#ids[slot] !== 0) throw new Error(`Call ${this.#ids[slot]} is still unanswered ${MASK} calls later.`)
    this.#ids[slot] = id
    this.#startedMs[slot] = startedMs
    this.#sent = (this.#sent + id * TEXT_BYTES) % 0xffffffff
    this.outstanding += 1
    return id
  }

  settle(id: number, text: unknown, nowMs: number): void {
    const slot = id & MASK
    if (this.#ids[slot] !== id) throw new Error(`A reply came for id ${id}, which no call is waiting for.`)
    if (typeof text !== 'string' || text !== textOf(id)) {
      throw new Error(`The reply to call ${id} holds ${JSON.stringify(text)} instead of ${JSON.stringify(textOf(id))}.`)
    }
    this.#ids[slot] = 0
    this.#received = (this.#received + id * text.length) % 0xffffffff
    if (this.#calls === this.#latenciesMs.length) {
      const larger = new Float64Array(this.#latenciesMs.length * 2)
      larger.set(this.#latenciesMs)
      this.#latenciesMs = larger
    }
    this.#latenciesMs[this.#calls++] = nowMs - this.#startedMs[slot]!
    this.outstanding -= 1
  }

  finish(elapsedMs: number): Load {
    if (this.#sent !== this.#received)
      throw new Error(`Checksums differ: ${this.#sent} sent, ${this.#received} received.`)
    const sorted = this.#latenciesMs.subarray(0, this.#calls).sort()
    return {
      calls: this.#calls,
      elapsedMs,
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
      checksum: this.#received,
    }
  }
}

/** Keeps `inFlight` calls in flight for `durationMs`, then lets them finish. */
export async function closedLoop(wire: Wire, inFlight: number, durationMs: number): Promise<Load> {
  await wire.open(inFlight)
  const ledger = new Ledger()
  const startedMs = performance.now()
  const deadline = startedMs + durationMs
  return drive(wire, ledger, startedMs, (finish) => {
    wire.onReply = (id, text) => {
      const now = performance.now()
      ledger.settle(id, text, now)
      if (now < deadline) wire.send(ledger.issue(now))
      else if (ledger.outstanding === 0) finish()
    }
    for (let lane = 0; lane < inFlight; lane += 1) wire.send(ledger.issue(performance.now()))
    wire.flush()
    return undefined
  })
}

/** Starts `perSecond` calls each second for `durationMs`, at most `inFlightMax` at once; calls that wait count as late. */
export async function paced(wire: Wire, perSecond: number, durationMs: number, inFlightMax: number): Promise<Load> {
  await wire.open(inFlightMax)
  const ledger = new Ledger()
  const startedMs = performance.now()
  const callsMax = Math.floor((perSecond * durationMs) / 1000)
  let begun = 0
  return drive(wire, ledger, startedMs, (finish) => {
    const dueMs = (index: number) => startedMs + (index * 1000) / perSecond
    const sendDue = (now: number) => {
      while (begun < callsMax && dueMs(begun) <= now && ledger.outstanding < inFlightMax) {
        wire.send(ledger.issue(dueMs(begun++)))
      }
    }
    wire.onReply = (id, text) => {
      const now = performance.now()
      ledger.settle(id, text, now)
      sendDue(now)
      if (begun === callsMax && ledger.outstanding === 0) finish()
    }
    const tick = setInterval(() => {
      sendDue(performance.now())
      wire.flush()
      if (begun === callsMax) clearInterval(tick)
    }, 1)
    return () => clearInterval(tick)
  })
}

/** Runs a load to its end: `begin` starts it and may return what stops its timers. A stall or a fault rejects. */
function drive(wire: Wire, ledger: Ledger, startedMs: number, begin: (finish: () => void) => (() => void) | undefined) {
  return new Promise<Load>((resolve, reject) => {
    let stop: (() => void) | undefined
    let seenId = -1
    const watch = setInterval(() => {
      // Ids grow with progress; a count that stands still between two looks is a stall.
      if (seenId === Ledger.lastId)
        fail(new Error(`No reply for ${STALL_MS} ms; ${ledger.outstanding} calls are open.`))
      seenId = Ledger.lastId
    }, STALL_MS)
    const end = () => {
      clearInterval(watch)
      stop?.()
      wire.close()
    }
    const fail = (error: Error) => {
      end()
      reject(error)
    }
    wire.onError = fail
    stop = begin(() => {
      const elapsedMs = performance.now() - startedMs
      end()
      resolve(ledger.finish(elapsedMs))
    })
  })
}
