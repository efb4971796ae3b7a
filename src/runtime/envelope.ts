/**
 * A message on its way: one shape for all kinds, so that the mailbox and the handlers stay monomorphic. A call's envelope
 * carries a `Reply`, the caller's half of the call, which settles once and never passes through the caller's mailbox: a
 * reply costs the same whatever waits there.
 */
import { CallError } from './errors.ts'
import type { Process } from './process.ts'
import { describeReason, type ExitReason } from './reasons.ts'
import type { Timer } from './timers.ts'

/** What an envelope holds. `skip` marks one that was flushed while it waited; `event` is a state machine's own. */
export const kinds = { skip: 0, call: 1, cast: 2, info: 3, exit: 4, stop: 5, down: 6, event: 7 } as const
export type Kind = (typeof kinds)[keyof typeof kinds]

export class Envelope {
  kind: Kind
  readonly op: string
  readonly arg: unknown
  readonly from: Reply | null
  constructor(kind: Kind, op: string, arg: unknown, from: Reply | null) {
    this.kind = kind
    this.op = op
    this.arg = arg
    this.from = from
  }
}

/** The right to answer one call, once, from anywhere: what `self.from` is. */
export interface From {
  /** Answers the call. False when it was answered, timed out or failed before; the value is then dropped. */
  reply(value: unknown): boolean
}

/** The caller's half of a call. While it is open it hangs in a list of the process that was called. */
export class Reply implements From {
  readonly op: string
  private resolve: ((value: unknown) => void) | null
  private reject: ((error: Error) => void) | null
  private server: Process | null
  timer: Timer | null = null
  previous: Reply | null = null
  next: Reply | null = null

  constructor(server: Process, op: string, resolve: (value: unknown) => void, reject: (error: Error) => void) {
    this.server = server
    this.op = op
    this.resolve = resolve
    this.reject = reject
  }

  reply(value: unknown): boolean {
    const { resolve, server } = this
    if (resolve === null) return false
    if (server !== null && server.extras !== null) server.extras.replied(this.op, value)
    this.close()
    resolve(value)
    return true
  }

  fail(error: Error): boolean {
    const reject = this.reject
    if (reject === null) return false
    this.close()
    reject(error)
    return true
  }

  /** Nobody waits any more: the reply is dropped when it comes. */
  abandon(): void {
    this.close()
  }

  /** The time is up: the call fails, whatever the server still does about it. */
  timedOut(): void {
    const server = this.server
    if (server === null || this.timer === null) return
    const why = `The call "${this.op}" to ${server.label} got no reply within its time-out. It may still be handled; a late reply is dropped.`
    this.fail(new CallError('timeout', why))
  }

  /** The process ended: the call fails with its reason. */
  ended(reason: ExitReason): void {
    const server = this.server
    if (server === null) return
    this.fail(
      new CallError(
        'exit',
        `The call "${this.op}" to ${server.label} got no reply: the process ended (${describeReason(reason)}).`,
        reason,
      ),
    )
  }

  private close(): void {
    const server = this.server
    if (server !== null) {
      if (this.timer !== null) server.system.timers.cancel(this.timer)
      server.removeReply(this)
    }
    this.resolve = null
    this.reject = null
    this.server = null
    this.timer = null
  }
}
