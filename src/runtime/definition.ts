/**
 * A definition says what a kind of process does: the kernel calls its functions, `defineActor`, `defineSupervisor` and their
 * like make it. One definition is both the process and the type of its client: a `Ref` is typed from it.
 *
 *     your definition             the kernel
 *     init(arg, self)        <-   start: the value is the state, `ignore` or a throw ends the start
 *     handle(process, env)   <-   a message; the value of a call is its reply
 *     terminate(process, r)  <-   the last thing that runs, when the process may still speak
 */
import type { FormattedStatus, StatusReport } from './crash-report.ts'
import type { Envelope } from './envelope.ts'
import type { Process } from './process.ts'
import type { ExitReason } from './reasons.ts'
import type { AnyRef } from './ref.ts'
import type { StateSchema } from './upgrade.ts'

/** Returned by `init`: there is nothing to do, start no process. */
export const ignore: unique symbol = Symbol('bough.ignore')
/** The type of `ignore`. */
export type Ignore = typeof ignore

/** Returned by a call's handler: the reply comes later, through `self.from`. */
export const noreply: unique symbol = Symbol('bough.noreply')
/** The type of `noreply`. */
export type NoReply = typeof noreply

/** A kind of process, as the kernel sees it. Make one with `defineActor` and its like; this is for new behaviours. */
export interface Definition {
  /** Identity for hot swap, logs and the tree. */
  readonly name: string
  readonly version: number
  readonly type: 'worker' | 'supervisor'
  /** Whether exit signals become messages from the start. */
  readonly trapExits: boolean
  init(arg: unknown, process: Process): unknown
  handle(process: Process, envelope: Envelope): unknown
  /** Runs what `self.continueWith` asked for. */
  proceed(process: Process, op: string, arg: unknown): unknown
  terminate?(process: Process, reason: ExitReason): unknown
  codeChange?(process: Process, state: unknown, fromVersion: number): unknown
  /** What a state must look like after a `codeChange`; a Standard Schema. */
  readonly stateSchema?: StateSchema | undefined
  /** What `sys` shows of the state; absent: the state itself. */
  viewState?(state: unknown): unknown
  /** The state that shows as `view`; absent: `view` itself. */
  withView?(state: unknown, view: unknown): unknown
  /** Milliseconds without a message after which the mailbox gives its memory back; absent: never. */
  readonly hibernateAfterMs?: number | undefined
  /** Messages that `self.stash` may put aside at once; absent: 1 000. */
  readonly stashCapacity?: number | undefined
  /** What may be shown of the state and the last message; absent: both as they are. */
  formatStatus?(report: StatusReport): FormattedStatus
  /** Told of each cast and info that still waited when the process ended, whatever ended it. Must not throw. */
  undelivered?(process: Process, envelope: Envelope): void
  createRef(process: Process): AnyRef
}
