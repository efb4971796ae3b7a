/** The fixtures' types, which JavaScript does not carry, and what several tests look at. */
import { readdirSync } from 'node:fs'
import type { ActorDefinition, Ref } from 'bough/runtime'
import { defineWorker, type WorkerOptions } from 'bough/workers'

type Handler<A, R> = (state: never, arg: A) => R
type Plain<R> = (state: never) => R

type Calls = {
  get: Plain<number>
  add: Handler<number, number>
  seen: Plain<unknown[]>
  echo: Handler<unknown, unknown>
  thread: Plain<number>
  pid: Plain<string>
  later: Handler<unknown, unknown>
  wait: Handler<number, number>
  continued: Handler<unknown, number>
  crash: Plain<never>
  throwData: Plain<never>
  throwFunction: Plain<never>
  stopWith: Handler<unknown, string>
  loop: Handler<SharedArrayBuffer, never>
  block: Handler<SharedArrayBuffer, string>
  uncloneable: Plain<unknown>
  exitProcess: Plain<never>
  throwLater: Plain<string>
  fill: Plain<never>
  ownRef: Plain<Ref>
  inner: Handler<unknown, Ref<CounterActor>>
  ask: Handler<{ ref: unknown; op: string; arg?: unknown; timeout?: number }, unknown>
  tell: Handler<{ ref: unknown; op?: string; arg: unknown }, boolean>
  watch: Handler<unknown, string>
  link: Handler<unknown, string>
  exits: Handler<{ ref: unknown; reason: unknown }, void>
  describe: Handler<Error, unknown[]>
  trap: Handler<boolean, void>
}
type Casts = { note: Handler<unknown, void>; reset: Plain<void> }
export type CounterActor = ActorDefinition<unknown, object, Calls, Casts>

export const fixture = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url)

export const counterWorker = (options: Partial<WorkerOptions> = {}) =>
  defineWorker<CounterActor>({ name: 'counter', module: fixture('counter.mjs'), export: 'Counter', ...options })

export const Counter = counterWorker()

/** Ports of threads that this program holds open. */
export function openPorts(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length
}

/** Threads of this program, as the operating system counts them; undefined where it does not tell. */
export function threadCount(): number | undefined {
  return process.platform === 'linux' ? readdirSync('/proc/self/task').length : undefined
}

/** Resolves when `holds` does; looks at each turn of the event loop. Rejects after `withinMs`. */
export async function until(what: string, holds: () => boolean, withinMs = 10_000): Promise<void> {
  const startedAt = performance.now()
  while (!holds()) {
    if (performance.now() - startedAt > withinMs) throw new Error(`Waited ${withinMs} ms in vain until ${what}.`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** A count in shared memory, which a thread in a loop drives up. */
export function sharedCount(): { readonly buffer: SharedArrayBuffer; readonly value: () => number } {
  const buffer = new SharedArrayBuffer(4)
  const counts = new Int32Array(buffer)
  return { buffer, value: () => Atomics.load(counts, 0) }
}

/** Resolves to true when a count no longer grows; rejects after `withinMs`. */
export async function standsStill(value: () => number, withinMs = 5_000): Promise<true> {
  const startedAt = performance.now()
  while (performance.now() - startedAt < withinMs) {
    const before = value()
    await new Promise((resolve) => setTimeout(resolve, 20))
    if (value() === before) return true
  }
  throw new Error(`It still counts after ${withinMs} ms.`)
}
