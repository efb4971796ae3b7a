/**
 * A port that is slow or fails: a store on a bad disk, a pool whose threads are killed. Any object of methods can be wrapped;
 * every call of a method is a passage of the fault point `<name>.<method>`.
 *
 *     const store = faultyPort('store', memorySessionStore(), sim, { put: { fail: 0.1 }, whenDurable: { delay: 0.5, delayMs: 200 } })
 *     const threads = faultyPort('threads', pool, sim, { run: { fail: 0.05 } })     // the thread is killed: its call rejects
 *
 * A method that *fails* does nothing; it throws a `SimulatedFault`, or rejects with one when its like return promises. A *delay*
 * holds back what has a later: the promise that a method returns, or the callback that is its last argument. What is *dropped*
 * is done, but nobody hears of it: the promise stays open, the callback is never called.
 */
import { type Chances, SimulatedFault } from './faults.ts'
import type { FaultSource } from './faulty-transport.ts'

export interface FaultyPortOptions {
  /** Methods whose result is a port again, wrapped under `<name>.<method>`; the chances of its methods are those given. */
  readonly opens?: readonly string[]
  /** Methods that return promises, so that they fail by rejecting even before they were ever called; default none. */
  readonly promises?: readonly string[]
}

type Method = (...args: unknown[]) => unknown

/** The same port with faults. Properties that are no methods, and methods that nobody calls, are as they were. */
export function faultyPort<P extends object>(
  name: string,
  port: P,
  sim: FaultSource,
  chances: Readonly<Record<string, Chances>> = {},
  options: FaultyPortOptions = {},
): P {
  const { opens = [], promises = [] } = options
  const wrapped = new Map<string, Method>()
  const wrap = (key: string, method: Method): Method => {
    const point = `${name}.${key}`
    return (...args) => {
      const fault = sim.fault(point, chances[key])
      if (fault?.kind === 'fail') {
        const error = new SimulatedFault(`${point} failed (a simulated fault).`)
        if (promises.includes(key)) return Promise.reject(error)
        throw error
      }
      const isDropped = fault?.kind === 'drop'
      const delayMs = fault?.delayMs ?? 0
      const last = args.at(-1)
      if (typeof last === 'function' && (isDropped || delayMs > 0)) {
        const later = (...values: unknown[]): void => {
          if (!isDropped) sim.system.timers.start(delayMs, () => (last as Method)(...values))
        }
        return method.apply(port, [...args.slice(0, -1), later])
      }
      const result = method.apply(port, args)
      if (result instanceof Promise && isDropped) return new Promise(() => undefined)
      if (result instanceof Promise && delayMs > 0) return late(result, sim, delayMs)
      if (opens.includes(key) && typeof result === 'object' && result !== null)
        return faultyPort(point, result, sim, chances, options)
      return result
    }
  }
  return new Proxy(port, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function' || typeof key !== 'string') return value
      let method = wrapped.get(key)
      if (method === undefined) {
        method = wrap(key, value as Method)
        wrapped.set(key, method)
      }
      return method
    },
  })
}

function late<T>(promise: Promise<T>, { system }: FaultSource, delayMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    promise.then(
      (value) => system.timers.start(delayMs, () => resolve(value)),
      (error) => system.timers.start(delayMs, () => reject(error)),
    )
  })
}
