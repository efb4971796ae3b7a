/**
 * `sys` talks to any process beside its own protocol: it works between two messages, ahead of those that wait, and on a
 * suspended process too. After: OTP sys.
 */
import type { Definition } from './definition.ts'
import { CallError } from './errors.ts'
import type { Process } from './process.ts'
import type { ProcessInfo, Target } from './ref.ts'
import { CALL_TIMEOUT_MS, locate } from './ref.ts'

export interface SysOptions {
  /** Milliseconds to wait; default 5 000; `Infinity` waits for ever. */
  readonly timeout?: number
}

export interface Statistics {
  readonly messagesHandled: number
  readonly queueLength: number
}

export interface Status extends ProcessInfo {
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

export const sys = {
  /** Stops the handling of messages; control requests and exit signals still work. What is sent waits in order. */
  suspend: (target: Target, options?: SysOptions): Promise<void> =>
    ask(target, 'suspend', (process) => process.suspend(), options),
  /** Goes on where `suspend` stopped. */
  resume: (target: Target, options?: SysOptions): Promise<void> =>
    ask(target, 'resume', (process) => process.resumeMessages(), options),
  getState: (target: Target, options?: SysOptions): Promise<unknown> =>
    ask(target, 'getState', (process) => process.state, options),
  /** Puts `replace(state)` in the state's place and resolves to it. When `replace` throws, the state stays and this rejects. */
  replaceState: (target: Target, replace: (state: unknown) => unknown, options?: SysOptions): Promise<unknown> =>
    ask(
      target,
      'replaceState',
      async (process) => {
        process.state = await replace(process.state)
        return process.state
      },
      options,
    ),
  getStatus: (target: Target, options?: SysOptions): Promise<Status> =>
    ask(target, 'getStatus', (process) => ({ ...(process.ref.info() as ProcessInfo), state: process.state }), options),
  statistics: (target: Target, options?: SysOptions): Promise<Statistics> =>
    ask(
      target,
      'statistics',
      (process) => ({ messagesHandled: process.handledCount, queueLength: process.mailbox.length }),
      options,
    ),
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
