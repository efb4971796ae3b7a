/**
 * How a supervisor ends children: by a monitor, not by the link, so that a child which unlinked itself cannot hang it; and
 * after that without a trace, so that a stale EXIT cannot cause a restart later. After: OTP supervisor, shutdown.
 */
import type { ChildSpec, Shutdown } from './child-spec.ts'
import { kinds } from './envelope.ts'
import type { Process } from './process.ts'
import { type ExitReason, isShutdown } from './reasons.ts'

/** Whether a child that was told to end ended as it should. */
export function isCleanShutdown(spec: Pick<ChildSpec, 'shutdown' | 'restart'>, reason: ExitReason): boolean {
  if (reason === (spec.shutdown === 'brutal_kill' ? 'killed' : 'shutdown')) return true
  return spec.restart !== 'permanent' && (reason === 'normal' || isShutdown(reason))
}

/** Ends one child and calls `ended` with its reason, at once or later. Without a `sender` it is as if its parent asked. */
export function shutdownChild(
  supervisor: Process,
  child: Process,
  shutdown: Shutdown,
  ended: (reason: ExitReason) => void,
): void {
  if (child.isDead) {
    // Its EXIT, if it was linked to the end, waits with the true reason; flushed, it cannot cause a restart later.
    let last: ExitReason = 'noproc'
    supervisor.mailbox.flush(({ kind, arg }) => {
      const exit = arg as { readonly ref: unknown; readonly reason: ExitReason }
      if (kind !== kinds.exit || exit.ref !== child.ref) return false
      last = exit.reason
      return true
    })
    supervisor.unlink(child.ref)
    return ended(last)
  }
  const kill = (): void => child.receiveExit(supervisor, supervisor.ref, 'kill', false)
  const timer = typeof shutdown === 'number' ? supervisor.system.timers.start(shutdown, kill) : null
  child.observe((reason) => {
    if (timer !== null) supervisor.system.timers.cancel(timer)
    ended(reason)
  })
  supervisor.unbond(child)
  if (shutdown === 'brutal_kill') kill()
  else child.receiveExit(supervisor, supervisor.ref, 'shutdown', true)
}
