/**
 * Whose code is it that failed? A promise that nobody awaits, or a timer that throws, surfaces in the middle of nowhere: the
 * process-wide events `unhandledRejection` and `uncaughtException`. Code of server authors therefore runs with its origin in
 * an AsyncLocalStorage, which those events still see, so a fault can be laid at the door of the right tool and session.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** What ran: a tool, a resource, a prompt, or a completer, for which session and request. */
export interface Origin {
  readonly kind: 'tool' | 'resource' | 'prompt' | 'completion'
  readonly name: string
  readonly sessionId: string | undefined
  readonly requestId: string | number
  /** Called for each stray fault of this run, also after the run is over. */
  readonly strayed: (error: unknown, how: StrayFault) => void
}

/** How a fault got away: a rejected promise nobody handled, or a throw outside any promise. */
export type StrayFault = 'unhandled_rejection' | 'uncaught_exception'

const origins = new AsyncLocalStorage<Origin>()

/** Runs `work` as the code of `origin`. */
export function attributed<T>(origin: Origin, work: () => T): T {
  return origins.run(origin, work)
}

/**
 * Watches this program for stray faults: those of attributed code go to their origin, the rest to `unattributed`; the program
 * lives on. Returns what ends the watch. Gotcha: while it watches, Node's default of ending the program is off.
 */
export function watchStrayFaults(unattributed: (error: unknown, how: StrayFault) => void): () => void {
  const handle = (how: StrayFault) => (error: unknown) => {
    const origin = origins.getStore()
    if (origin === undefined) unattributed(error, how)
    else origin.strayed(error, how)
  }
  const onRejection = handle('unhandled_rejection')
  const onException = handle('uncaught_exception')
  process.on('unhandledRejection', onRejection)
  process.on('uncaughtException', onException)
  return () => {
    process.off('unhandledRejection', onRejection)
    process.off('uncaughtException', onException)
  }
}
