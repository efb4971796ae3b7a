/**
 * What the kernel tells of itself, as plain data to one sink: `createSystem({ events })`. The kernel knows no logger; it
 * emits, an observer subscribes. Ordinary starts and exits are not events: they are the message path.
 */
import type { ExitReason } from './reasons.ts'

/** What happened, as plain data; `type` tells which. */
export type SystemEvent =
  /** A process ended for a reason that is no orderly one. `message` names what it handled: 'call add', 'cast reset', 'info'. */
  | {
      readonly type: 'crash'
      readonly pid: string
      readonly definition: string
      readonly id: string | undefined
      readonly reason: ExitReason
      readonly message: string | undefined
      /** What it handled: `{ kind, op, arg }`, after the definition's `formatStatus`. May hold secrets: not for a log. */
      readonly lastMessage?: unknown
      /** Its state at the end, after `formatStatus`. May hold secrets, and is the live object: not for a log, not to keep. */
      readonly state?: unknown
    }
  /** Messages that reached nobody: a mailbox refused them, or their process died with them. One to a dead ref returns false instead. */
  | {
      readonly type: 'dead_letter'
      readonly pid: string
      readonly definition: string
      readonly count: number
      readonly why: 'exit' | 'overflow'
    }
  /** A process got a message that its definition has no handler for. */
  | {
      readonly type: 'unexpected_message'
      readonly pid: string
      readonly definition: string
      readonly op: string | undefined
    }
  /** An unbounded mailbox grew past a power of two above the high-water mark. */
  | { readonly type: 'high_water'; readonly pid: string; readonly definition: string; readonly length: number }
  /** A supervisor's report. After: OTP supervisor, child_terminated, start_error, shutdown_error, reached_max_restart_intensity. */
  | {
      readonly type: 'supervisor'
      readonly pid: string
      readonly definition: string
      readonly report: 'child_terminated' | 'start_error' | 'shutdown_error' | 'restarted' | 'intensity_reached'
      readonly child: string | undefined
      readonly reason: ExitReason
    }
/** The events sink itself threw. Reported once on standard error, since there is nowhere else. */

/** Takes every event, synchronously: it must be quick and must not throw. */
export type EventSink = (event: SystemEvent) => void
