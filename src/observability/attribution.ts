/**
 * Whose code is it that failed? A promise that nobody awaits, or a timer that throws, surfaces in the middle of nowhere: the
 * process-wide events `unhandledRejection` and `uncaughtException`. Code of server authors therefore runs with its origin in
 * an AsyncLocalStorage, which those events still see, so a fault can be laid at the door of the right tool and session.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

/** What ran: a tool, a resource, a prompt, or a completer, for which session and request. */
export interface Origin {
  readonly kind: 'tool' | 'resource' | 'prompt' | 'completion'
  readonly name: string
  readonly sessionId: string | undefined
  readonly requestId: string | number
  /** The process that runs it. */
  readonly pid?: string
  /** The trace that its caller named; looked up only when somebody asks. */
  readonly trace?: () => string | undefined
  /** Called for each stray fault of this run, also after the run is over. */
  readonly strayed: (error: unknown, how: StrayFault) => void
}

/** How a fault got away: a rejected promise nobody handled, or a throw outside any promise. */
export type StrayFault = 'unhandled_rejection' | 'uncaught_exception'

const origins = new AsyncLocalStorage<Origin>()

/** Runs in a row that leave nothing behind, after which a function is trusted to be done when it returns. */
export const CLEAN_RUNS_MIN = 1_000

/** How often in a row each function was done when it returned: no promise, timer or socket was left. */
const cleanRuns = new WeakMap<object, number>()
/** Whether anything attributed may still be on its way. Once true it stays so. */
let mayStray = false
/** Whose code runs now without the storage. */
let running: Origin | undefined

/**
 * Runs `work` as the code of `origin`; `subject` stands for the function that it calls.
 *
 * Up to Node 22 a storage in use is told of every promise, timer and write of the whole program: a tenth of what a short HTTP
 * request costs. A program whose functions are all done when they return needs none, so such functions come to be trusted, and
 * as long as no other was called the storage is put away. One that breaks the trust brings it back for good; only what it leaves
 * behind that first time may be reported without its name.
 */
export function attributed<T>(origin: Origin, work: () => T, subject?: object): T {
  if (mayStray) return origins.run(origin, work)
  const clean = subject === undefined ? 0 : (cleanRuns.get(subject) ?? 0)
  if (clean >= CLEAN_RUNS_MIN) return trusted(origin, work)
  const before = nextAsyncId()
  try {
    return origins.run(origin, work)
  } finally {
    // While the storage is in use everything asynchronous takes a number of its own.
    mayStray = nextAsyncId() !== before + 1
    if (!mayStray) {
      origins.disable()
      if (subject !== undefined) cleanRuns.set(subject, clean + 1)
    }
  }
}

function trusted<T>(origin: Origin, work: () => T): T {
  const outer = running
  running = origin
  try {
    const outcome = work()
    if (outcome instanceof Promise) mayStray = true
    return outcome
  } finally {
    running = outer
  }
}

function nextAsyncId(): number {
  return new AsyncResource('bough.attributed', { requireManualDestroy: true }).asyncId()
}

/** Ids for a log line that is written where attributed code runs; {} elsewhere. */
export function currentIds(): object {
  const origin = running ?? origins.getStore()
  if (origin === undefined) return {}
  const { kind, name, sessionId, requestId, pid } = origin
  const trace = origin.trace?.()
  return {
    [kind]: name,
    ...(sessionId !== undefined && { session: sessionId }),
    request: requestId,
    ...(pid !== undefined && { process: pid }),
    ...(trace !== undefined && { trace }),
  }
}

/**
 * Watches this program for stray faults: those of attributed code go to their origin, the rest to `unattributed`; the program
 * lives on. Returns what ends the watch. Gotcha: while it watches, Node's default of ending the program is off.
 */
export function watchStrayFaults(unattributed: (error: unknown, how: StrayFault) => void): () => void {
  const handle = (how: StrayFault) => (error: unknown) => {
    const origin = origins.getStore()
    if (origin !== undefined) return origin.strayed(error, how)
    // It may be of one that was trusted: the next will have a name.
    mayStray = true
    unattributed(error, how)
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
