/** Exit reasons in the words that the oracle uses too. */
import { CallError, type ExitReason } from 'bough/runtime'

/** How a scenario names a reason; `shutdown_x` is `{ shutdown: 'x' }`. */
export type ReasonName = 'normal' | 'shutdown' | 'shutdown_x' | 'boom' | 'kill'

export function reasonNamed(name: ReasonName): ExitReason {
  return name === 'shutdown_x' ? { shutdown: 'x' } : name
}

export function describeEnd(reason: ExitReason): string {
  // A handler that did not catch what its own call came to.
  if (reason instanceof CallError) return `call ${describeEnd(reason.reason)}`
  if (reason instanceof Error) return `error ${reason.message}`
  if (typeof reason === 'object' && reason !== null && 'shutdown' in reason) {
    const detail = reason.shutdown
    if (typeof detail === 'object' && detail !== null && 'failed_to_start_child' in detail) {
      const failed = detail as unknown as { failed_to_start_child: string; reason: ExitReason }
      return `{shutdown,${failed.failed_to_start_child} ${describeEnd(failed.reason)}}`
    }
    return `{shutdown,${describeEnd(detail)}}`
  }
  return String(reason)
}
