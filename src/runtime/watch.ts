/**
 * What `sys` watches of one process: the last messages (`sys.log`), every message as it passes (`sys.trace`), and how many
 * there were (`sys.statistics`). It exists only while somebody asked for one of them. After: OTP sys, debug functions.
 */
import { Ring } from '#structures/ring'
import { type Envelope, kinds } from './envelope.ts'
import type { Process } from './process.ts'
import { describeReason } from './reasons.ts'

/** A message that a process was given. */
export interface Message {
  readonly kind: 'call' | 'cast' | 'info'
  /** The name of a call or cast; undefined for anything else. */
  readonly op: string | undefined
  readonly arg: unknown
}

/** What `sys.log` keeps and `sys.trace` tells: a message that is about to be handled, or a reply that was sent. */
export type TraceEvent =
  /** `at`: milliseconds on the system's clock. */
  | { readonly type: 'in'; readonly at: number; readonly message: Message }
  | { readonly type: 'out'; readonly at: number; readonly op: string; readonly reply: unknown }

/** Gets what `sys.trace` tells, synchronously, in the process: it must be quick. */
export type Tracer = (event: TraceEvent) => void

/** Counts since they were turned on. */
interface Counts {
  readonly startedAt: number
  messagesIn: number
  messagesOut: number
}

/** An envelope as plain data; undefined for the kernel's own. */
export function messageOf(envelope: Envelope): Message | undefined {
  const { kind, op, arg, from } = envelope
  if (kind === kinds.stop || kind === kinds.event) return undefined
  if (from !== null) return { kind: 'call', op, arg }
  if (op !== '') return kind === kinds.info ? undefined : { kind: 'cast', op, arg }
  return { kind: 'info', op: undefined, arg }
}

export class Watch {
  private readonly process: Process
  private log: { readonly length: number; readonly ring: Ring<TraceEvent> } | null = null
  private tracer: Tracer | null = null
  counts: Counts | null = null

  constructor(process: Process) {
    this.process = process
  }

  /** False when nobody asks any more. */
  get isNeeded(): boolean {
    return this.log !== null || this.tracer !== null || this.counts !== null
  }

  keepLog(length: number | false): void {
    this.log = length === false ? null : { length, ring: new Ring() }
  }

  trace(tracer: Tracer | false): void {
    this.tracer = tracer === false ? null : tracer
  }

  count(isOn: boolean): void {
    this.counts = isOn ? { startedAt: this.process.system.clock.wallNow(), messagesIn: 0, messagesOut: 0 } : null
  }

  /** The last events, the oldest first. */
  logged(): TraceEvent[] {
    const events: TraceEvent[] = []
    for (let place = 0; place < (this.log?.ring.length ?? 0); place++) {
      const event = this.log?.ring.at(place)
      if (event !== undefined) events.push(event)
    }
    return events
  }

  took(envelope: Envelope): void {
    const message = messageOf(envelope)
    if (message === undefined) return
    if (this.counts !== null) this.counts.messagesIn++
    this.note({ type: 'in', at: this.process.now(), message })
  }

  replied(op: string, reply: unknown): void {
    if (this.counts !== null) this.counts.messagesOut++
    this.note({ type: 'out', at: this.process.now(), op, reply })
  }

  private note(event: TraceEvent): void {
    if (this.log !== null) {
      const { ring, length } = this.log
      if (ring.length >= length) ring.shift()
      ring.push(event)
    }
    if (this.tracer === null) return
    try {
      this.tracer(event)
    } catch (error) {
      // The fault is the observer's: it goes, the process stays. As in OTP.
      this.tracer = null
      const why = describeReason(error)
      process.emitWarning(`The tracer of ${this.process.label} threw and was taken out: ${why}.`)
    }
  }
}
