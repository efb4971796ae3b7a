/**
 * What a process tells of itself when it crashes or is asked for its status: its state and its last message, after the
 * definition's `formatStatus` has taken out what nobody should read. After: OTP gen_server, format_status.
 */
import type { Process } from './process.ts'
import type { ExitReason } from './reasons.ts'
import { type Message, messageOf } from './watch.ts'

/** What `formatStatus` is given. */
export interface StatusReport<S = unknown> {
  /** The state itself, not a copy: return a changed copy, do not change it. */
  readonly state: S
  /** The message being handled at a crash; undefined when there was none, and in `sys.getStatus`. */
  readonly message: Message | undefined
  /** Why the process crashed; undefined in `sys.getStatus`. */
  readonly reason: ExitReason
}

/** What `formatStatus` returns: what may be shown. */
export interface FormattedStatus {
  /** Shown in the place of the state. */
  readonly state: unknown
  /** Shown in the place of the message. */
  readonly message: unknown
}

/** What may be shown of a process. A hook that throws shows nothing: what it was to hide stays hidden. */
export function showStatus(process: Process, reason: ExitReason): FormattedStatus {
  const { definition, current } = process
  try {
    const message = current === null || reason === undefined ? undefined : messageOf(current)
    const report: StatusReport = { state: process.shownState, message, reason }
    if (definition.formatStatus === undefined) return report
    const shown = definition.formatStatus(report)
    return { state: shown.state, message: shown.message }
  } catch (error) {
    // Its sentence may hold what was to be hidden.
    const said = `formatStatus failed: ${error instanceof Error ? error.name : typeof error}`
    return { state: said, message: said }
  }
}
