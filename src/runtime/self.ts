/** What a process's own functions see of it: the last parameter of every handler. The kernel's `Process` is the one behind it. */
import type { Definition, NoReply } from './definition.ts'
import type { From } from './envelope.ts'
import type { ExitReason } from './reasons.ts'
import type { Ref, StartArguments, StartedRef, Target } from './ref.ts'
import type { System } from './system.ts'
import type { Timer } from './timers.ts'

/** A process seen from inside. It belongs to one incarnation; a dead one's functions do nothing. */
export interface Self<S = unknown> {
  /** This incarnation's address, to hand out. */
  readonly ref: Ref
  readonly pid: string
  readonly system: System
  /** The state; assign to replace it whole. */
  state: S
  /** Aborted when this incarnation ends, with the exit reason. */
  readonly signal: AbortSignal
  /** The right to answer the call being handled; may be kept. Throws outside a call. */
  readonly from: From
  /** Return it from a call's handler to reply later through `self.from`. */
  readonly noreply: NoReply
  /** Milliseconds on the system's clock. */
  now(): number
  /** A number in [0, 1) from the system's chance. */
  random(): number
  /** Shares fate with another process, both ways; idempotent. A dead one sends its EXIT at once, with 'noproc'. */
  link(target: Target): void
  /** Undoes `link`; no EXIT of that process arrives after it. */
  unlink(target: Target): void
  /** Asks for one `{ type: 'DOWN', monitor, ref, reason }` when the process ends. Each call counts by itself. */
  monitor(target: Target): number
  /** Undoes one `monitor`; its DOWN does not arrive after it. */
  demonitor(monitorRef: number): void
  /** While true, exit signals arrive as `{ type: 'EXIT', ref, reason }` instead of ending this process; `kill` apart. */
  trapExits(isTrapping: boolean): void
  /** Starts a process that is linked to this one. */
  start<D extends Definition>(definition: D, ...rest: StartArguments<D>): Promise<StartedRef<D>>
  /** Sends `message` to this process's `info` after `delayMs`. The timer goes with the process. */
  sendAfter(delayMs: number, message: unknown): Timer
  /** False when it had fired or was cancelled before. */
  cancelTimer(timer: Timer): boolean
  /** Ends this process when the handler is done; inside a call the reply is sent after `terminate`. */
  stop(reason?: ExitReason): void
  /** Runs the definition's `continue` handler `op` before anything that waits. */
  continueWith(op: string, arg?: unknown): void
  /** Gives the mailbox's memory back until the next message. */
  hibernate(): void
  /**
   * Sends `message` to `info` when no message was handled for `ms` milliseconds; any message cancels it, the next call
   * replaces it, `Infinity` only cancels. 0 means: at once, but only if nothing waits. The time starts when the process has
   * nothing left to do, and anew after a suspension. Throws a `TypeError` for what is no number >= 0.
   * After: OTP gen_server, event time-out.
   */
  eventTimeout(ms: number, message?: unknown): void
  /**
   * Puts the message being handled aside until `unstashAll`. A call keeps its right to a reply; return what this returns.
   * At most `stashCapacity` messages (an option of the definition, default 1 000): a full stash throws `CallError`
   * 'overload'. Throws outside a message. The stash is lost with the process: its calls fail, the rest are dead letters.
   */
  stash(): NoReply
  /** Returns all stashed messages to the mailbox, in order, ahead of what waits. Returns how many there were. */
  unstashAll(): number
}
