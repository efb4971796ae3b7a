/**
 * Why processes end. A reason is plain data: 'normal', 'shutdown' and `{ shutdown: detail }` are orderly, 'killed' tells of
 * an untrappable kill, 'noproc' of a process that was not there; an Error or anything else is a crash.
 * After: OTP, exit signals and supervisor restart rules.
 */
export type ExitReason =
  | 'normal'
  | 'shutdown'
  | { readonly shutdown: unknown }
  | 'killed'
  | 'noproc'
  | 'noconnection'
  | Error
  | unknown

/** True for `shutdown` and `{ shutdown: detail }`. */
export function isShutdown(reason: ExitReason): boolean {
  return (
    reason === 'shutdown' ||
    (typeof reason === 'object' && reason !== null && !(reason instanceof Error) && 'shutdown' in reason)
  )
}

/** True for reasons that are no error: `normal`, `shutdown`, `{ shutdown: detail }`. */
export function isOrderly(reason: ExitReason): boolean {
  return reason === 'normal' || isShutdown(reason)
}

/** A reason in words for messages and logs; one line, at most 200 characters. */
export function describeReason(reason: ExitReason): string {
  const REASON_LENGTH_MAX = 200
  let text: string
  if (reason instanceof Error) text = `${reason.name}: ${reason.message}`
  else if (typeof reason === 'string') text = reason
  else {
    try {
      text = JSON.stringify(reason) ?? String(reason)
    } catch {
      text = Object.prototype.toString.call(reason)
    }
  }
  text = text.replace(/\s+/g, ' ')
  return text.length > REASON_LENGTH_MAX ? `${text.slice(0, REASON_LENGTH_MAX - 1)}…` : text
}
