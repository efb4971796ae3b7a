/**
 * `sys` talks to any process beside its own protocol: it works between two messages, ahead of those that wait, and on a
 * suspended process too. After: OTP sys.
 */
import { showStatus } from './crash-report.ts'
import type { Definition } from './definition.ts'
import { CallError } from './errors.ts'
import type { Process } from './process.ts'
import type { ExitReason } from './reasons.ts'
import { CALL_TIMEOUT_MS, locate, type ProcessInfo, stopProcess, type Target } from './ref.ts'
import { type TraceEvent, type Tracer, Watch } from './watch.ts'

/** What every function of `sys` takes last. */
export interface SysOptions {
  /** Milliseconds to wait; default 5 000; `Infinity` waits for ever. */
  readonly timeout?: number
}

/** What `sys.statistics` resolves to. The first three are undefined until counting was turned on. */
export interface Statistics {
  /** When counting was turned on: milliseconds since 1970-01-01 UTC. */
  readonly startedAt: number | undefined
  /** Messages taken from the mailbox since then. */
  readonly messagesIn: number | undefined
  /** Replies sent since then. */
  readonly messagesOut: number | undefined
  /** Messages, continuations and control requests handled since the process started. */
  readonly messagesHandled: number
  /** Messages that wait now. */
  readonly queueLength: number
}

/** What `sys.getStatus` resolves to. */
export interface Status extends ProcessInfo {
  /** After the definition's `formatStatus`. */
  readonly state: unknown
}

/** Runs `work` in the process as a control request. Rejects with `CallError`, or with what `work` threw. */
function ask<T>(
  target: Target,
  what: string,
  work: (process: Process) => T | Promise<T>,
  options: SysOptions = {},
): Promise<T> {
  const process = locate(target)
  if (process === undefined) return Promise.reject(new CallError('noproc', `sys.${what}: the process is not alive.`))
  const timeoutMs = options.timeout ?? CALL_TIMEOUT_MS
  return new Promise((resolve, reject) => {
    const { timers } = process.system
    const monitor = process.observe((reason) => {
      if (timer !== undefined) timers.cancel(timer)
      reject(new CallError('exit', `sys.${what}: ${process.label} ended before it answered.`, reason))
    })
    const timer =
      timeoutMs === Number.POSITIVE_INFINITY
        ? undefined
        : timers.start(timeoutMs, () => {
            process.unwatch(monitor)
            reject(new CallError('timeout', `sys.${what}: ${process.label} did not answer within ${timeoutMs} ms.`))
          })
    const settle = (conclude: () => void): void => {
      if (timer !== undefined) timers.cancel(timer)
      process.unwatch(monitor)
      conclude()
    }
    process.control(async (self) => {
      try {
        const value = await work(self)
        settle(() => resolve(value))
      } catch (error) {
        // The fault is the request's, not the process's: it lives on as it was.
        settle(() => reject(error))
      }
    })
  })
}

/** Changes what is watched of a process; the watch goes when nobody asks for anything of it. */
function watch(process: Process, change: (watch: Watch) => void): void {
  const extras = process.equip()
  extras.watch ??= new Watch(process)
  change(extras.watch)
  if (!extras.watch.isNeeded) extras.watch = null
}

function statisticsOf(process: Process): Statistics {
  const counts = process.extras?.watch?.counts
  return {
    startedAt: counts?.startedAt,
    messagesIn: counts?.messagesIn,
    messagesOut: counts?.messagesOut,
    messagesHandled: process.handledCount,
    queueLength: process.mailbox.length,
  }
}

/**
 * The debugger's way to a process. Every function takes a Ref or a `via(...)`, waits `timeout` milliseconds (default 5 000)
 * and rejects with `CallError`: 'noproc', 'timeout', or 'exit' when the process ended before it answered. After: OTP sys.
 */
export const sys = {
  /** Stops the handling of messages; control requests and exit signals still work. What is sent waits in order. */
  suspend: (target: Target, options?: SysOptions): Promise<void> =>
    ask(target, 'suspend', (process) => process.suspend(), options),
  /** Goes on where `suspend` stopped. */
  resume: (target: Target, options?: SysOptions): Promise<void> =>
    ask(target, 'resume', (process) => process.resumeMessages(), options),
  /** Resolves to the state itself, not a copy; a state machine's is `{ state, data }`. */
  getState: (target: Target, options?: SysOptions): Promise<unknown> =>
    ask(target, 'getState', (process) => process.shownState, options),
  /** Puts `replace(state)` in the state's place and resolves to it. When `replace` throws, the state stays and this rejects. */
  replaceState: (target: Target, replace: (state: unknown) => unknown, options?: SysOptions): Promise<unknown> =>
    ask(
      target,
      'replaceState',
      async (process) => {
        const view = await replace(process.shownState)
        process.state = process.definition.withView?.(process.state, view) ?? view
        return view
      },
      options,
    ),
  /** Resolves to what `ref.info()` tells and the state, after the definition's `formatStatus`. */
  getStatus: (target: Target, options?: SysOptions): Promise<Status> =>
    ask(
      target,
      'getStatus',
      (process) => ({ ...(process.ref.info() as ProcessInfo), state: showStatus(process, undefined).state }),
      options,
    ),
  /** Resolves to the figures of a process. `true` first turns counting of messages on, from 0; `false` turns it off. */
  statistics: (target: Target, given?: boolean | SysOptions, options?: SysOptions): Promise<Statistics> =>
    ask(
      target,
      'statistics',
      (process) => {
        if (typeof given === 'boolean') watch(process, (watching) => watching.count(given))
        return statisticsOf(process)
      },
      typeof given === 'object' ? given : options,
    ),
  /**
   * Keeps the last `length` messages in and replies out, for `getLog`; `false` drops them. The log holds the messages
   * themselves. Throws a `TypeError` unless `length` is a whole number >= 1.
   */
  log: (target: Target, length: number | false, options?: SysOptions): Promise<void> => {
    if (length !== false && !(Number.isInteger(length) && length >= 1))
      throw new TypeError(`sys.log: the length must be a whole number >= 1, or false, got ${String(length)}.`)
    return ask(target, 'log', (process) => watch(process, (watching) => watching.keepLog(length)), options)
  },
  /** Resolves to what `log` kept, the oldest first; to nothing when it is off. */
  getLog: (target: Target, options?: SysOptions): Promise<TraceEvent[]> =>
    ask(target, 'getLog', (process) => process.extras?.watch?.logged() ?? [], options),
  /**
   * Calls `tracer` with every message before it is handled and every reply that is sent, in the place of the last tracer;
   * `false` ends it. A tracer that throws is taken out. Throws a `TypeError` for what is neither.
   */
  trace: (target: Target, tracer: Tracer | false, options?: SysOptions): Promise<void> => {
    if (tracer !== false && typeof tracer !== 'function')
      throw new TypeError(`sys.trace: a function or false is needed, got ${typeof tracer}.`)
    return ask(target, 'trace', (process) => watch(process, (watching) => watching.trace(tracer)), options)
  },
  /**
   * Ends a process ahead of the messages that wait, a suspended one too: `terminate` runs, then this resolves. Rejects with
   * `CallError` 'exit' when it ended for another reason than the one given.
   */
  terminate: (target: Target, reason: ExitReason, options?: SysOptions): Promise<void> => {
    const process = locate(target)
    if (process === undefined)
      return Promise.reject(new CallError('noproc', 'sys.terminate: the process is not alive.'))
    return stopProcess(process, reason, options?.timeout ?? CALL_TIMEOUT_MS, true)
  },
  /**
   * Puts a new definition in the place of the old one: its `codeChange` turns the old state into the new. Only while
   * suspended. When `codeChange` throws, the old definition and state stay and this rejects.
   */
  changeCode: (target: Target, next: Definition, options?: SysOptions): Promise<void> =>
    ask(
      target,
      'changeCode',
      async (process) => {
        if (!process.isSuspended)
          throw new CallError('undef', `sys.changeCode: ${process.label} is not suspended. Call sys.suspend first.`)
        const { version } = process.definition
        const state =
          next.codeChange === undefined ? process.state : await next.codeChange(process, process.state, version)
        process.takeCode(next, state)
      },
      options,
    ),
} as const
