/**
 * The gate before work that takes the processor: a few begin at once, the rest waits in one bounded queue, and what could only be
 * served too late is refused while refusing still helps.
 *
 *     enter -> begins at once, or waits, or is refused        settle: its first part is done, the next may begin
 *                                                             leave:  it is over, however
 *
 * *Beginning* is work that has not yet answered nor said that it waits for something else: that is what fills the processor.
 * More than `startingMax` of it would only make everybody wait in the run queue, pings too; in the queue here they wait apart.
 * *In flight* is all that has begun and is not over, however long it waits for others.
 *
 * The queue is judged by time, not by length: a newcomer is refused when it would wait over `queueTargetMs`, by the pace at which
 * those before it begin (J. Little's law), or when the one that waits longest has. So a burst is absorbed and a standing queue
 * stays short, whether work takes microseconds or seconds. After: K. Nichols, V. Jacobson, Controlling Delay Acm queue
 * 10(5), 2012; B. Maurer, Fail at Scale, ACM queue 13(8), 2015, which refuses newcomers too.
 */
import { Ring } from './ring.ts'

export interface GateSettings {
  /** Begun and not over, at most. */
  readonly inFlightMax: number
  /** Waiting to begin, at most. */
  readonly queuedMax: number
  /** Beginning at once, at most. */
  readonly startingMax: number
  /** Milliseconds that a newcomer may have to wait; it is refused when it would be more. */
  readonly queueTargetMs: number
  /** Milliseconds after which one that waits is refused instead of begun: nobody waits for its answer any more. */
  readonly queueMaxMs: number
}

/** Work that waits. The gate calls one of the first two, once, or neither when it is not wanted any more. */
export interface Waiting {
  /** Its turn has come; it counts as begun. False when there is nobody left to begin it. */
  begin(): boolean
  /** It waited too long and is refused. */
  shed(waitedMs: number): void
  readonly isWanted: boolean
}

/** Why work is refused. */
export type Excess = 'in_flight' | 'queue_full' | 'queue_slow'

/** Beginnings at once that are allowed however long they take. */
export const STARTING_MIN = 4
/** Milliseconds that those which begin at once may take of the processor together: about what a ping then waits. */
const STARTING_MS = 50
/** Milliseconds over which the time between two that begin is averaged: they come in bursts, between input and output. */
const WINDOW_MS = 250

export class AdmissionGate {
  readonly settings: GateSettings
  inFlight = 0
  starting = 0
  /** Beginning at once, as long as each takes now: between `STARTING_MIN` and `settings.startingMax`. */
  startingMax: number
  private readonly now: () => number
  private readonly queue = new Ring<{ readonly work: Waiting; readonly sinceMs: number }>()
  private isAdvancing = false
  /** Mean milliseconds between two that began while others waited. */
  private paceMs = 0
  /** When the window over which the pace is being taken began, and those that began in it; 0 while nobody waits. */
  private windowAt = 0
  private begun = 0

  /** `now` is read only while somebody waits. */
  constructor(settings: GateSettings, now: () => number) {
    this.settings = settings
    this.startingMax = settings.startingMax
    this.now = now
  }

  get queued(): number {
    return this.queue.length
  }

  /** Milliseconds that the oldest in the queue has waited. */
  get waitMs(): number {
    const oldest = this.queue.at(0)
    return oldest === undefined ? 0 : this.now() - oldest.sinceMs
  }

  /** True when work may begin at once: it then counts as begun, until `settle` and `leave`. */
  tryEnter(): boolean {
    if (this.starting >= this.startingMax || this.queue.length > 0 || this.inFlight >= this.settings.inFlightMax)
      return false
    this.starting++
    this.inFlight++
    return true
  }

  /** Why no more work may come in now; undefined when it may begin or wait. */
  get excess(): Excess | undefined {
    const { inFlightMax, queuedMax, queueTargetMs } = this.settings
    if (this.inFlight >= inFlightMax) return 'in_flight'
    if (this.queue.length >= queuedMax) return 'queue_full'
    const isSlow = this.queue.length * this.paceMs > queueTargetMs || this.waitMs > queueTargetMs
    return isSlow ? 'queue_slow' : undefined
  }

  /** Lets work wait that may not begin at once; undefined when it waits, else why it may not. */
  wait(work: Waiting): Excess | undefined {
    const { excess } = this
    if (excess !== undefined) return excess
    const sinceMs = this.now()
    if (this.queue.length === 0) {
      // Nobody has waited until now: the time before says nothing of the pace.
      this.windowAt = sinceMs
      this.begun = 0
    }
    this.queue.push({ work, sinceMs })
    return undefined
  }

  /** Work that begins whatever stands here: what frees others, such as a cancel. */
  enterAnyway(): void {
    this.starting++
    this.inFlight++
  }

  /** Begun work has answered, or waits for something else. */
  settle(): void {
    this.starting--
    if (this.queue.length > 0) this.advance()
  }

  /** Begun work is over; `settle` was called before. */
  leave(): void {
    this.inFlight--
    if (this.queue.length > 0) this.advance()
  }

  /** Notes the time between two that begin while others wait, and how many may begin at once so that they take `STARTING_MS`. */
  private keepPace(now: number): void {
    this.begun++
    if (now - this.windowAt < WINDOW_MS) return
    this.paceMs = (now - this.windowAt) / this.begun
    this.windowAt = now
    this.begun = 0
    const fitting = Math.floor(STARTING_MS / this.paceMs)
    this.startingMax = Math.min(this.settings.startingMax, Math.max(STARTING_MIN, fitting))
  }

  /** Begins what may begin. What is begun may be over at once and come back here: the loop that runs takes that on. */
  private advance(): void {
    if (this.isAdvancing) return
    this.isAdvancing = true
    const { inFlightMax, queueMaxMs } = this.settings
    try {
      while (this.starting < this.startingMax && this.inFlight < inFlightMax) {
        const next = this.queue.shift()
        if (next === undefined) break
        const { work, sinceMs } = next
        if (!work.isWanted) continue
        const now = this.now()
        const waitedMs = now - sinceMs
        if (waitedMs > queueMaxMs) {
          work.shed(waitedMs)
          continue
        }
        this.keepPace(now)
        this.starting++
        this.inFlight++
        if (work.begin()) continue
        this.starting--
        this.inFlight--
      }
    } finally {
      this.isAdvancing = false
    }
  }
}
