/**
 * A worker is an actor with a thread of its own, under the same Ref: started, supervised, called, stopped and killed like any
 * other, only that its messages are copied and its handlers may compute as long as they like. A `kill` ends the thread in the
 * middle of a loop.
 *
 *     // resizer.js
 *     export const Resizer = defineActor({ name: 'resizer', init: () => ({}), call: { resize: (_state, image: Uint8Array) => ... } })
 *
 *     // elsewhere
 *     const ResizerWorker = defineWorker<typeof Resizer>({
 *       name: 'resizer',
 *       module: new URL('./resizer.js', import.meta.url),
 *       export: 'Resizer',
 *     })
 *     const resizer = await system.start(ResizerWorker)
 *
 *     here: one process               the thread: a system of its own
 *     mailbox, links, names    ->     the actor, its state and timers, what it starts
 *     its end                  <->    its end
 */
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ResourceLimits } from 'node:worker_threads'
import type { Definition, ExitReason } from '#runtime'
import { type Envelope, kinds } from '#runtime/envelope'
import type { Process } from '#runtime/process'
import { AnyRef } from '#runtime/ref'
import { Resident, type ResidentOptions } from './resident.ts'

export interface WorkerOptions {
  /** Identity for logs and the tree. */
  readonly name: string
  /** Default 1. */
  readonly version?: number
  /** The module that exports the actor: `new URL('./resizer.js', import.meta.url)`, or a URL or absolute path as text. */
  readonly module: URL | string
  /** Under which name the module exports it; default 'default'. */
  readonly export?: string
  /**
   * Messages that may be with the thread and not yet taken by its actor; further ones wait in the process's mailbox, where
   * its own bound holds. A whole number of at least 1; default 1 024.
   */
  readonly inFlightMax?: number
  /** Bounds for the thread's memory; when it passes them the thread ends, and nothing else. Default: as Node has it. */
  readonly resourceLimits?: ResourceLimits
}

/** A kind of worker, typed as the actor `D` that runs in its thread. */
export interface WorkerDefinition<D = Definition> extends Definition {
  readonly types?: D extends { readonly types?: infer T } ? T : never
}

const IN_FLIGHT_MAX = 1_024

/** Defines a kind of worker. Throws a `TypeError` when an option is not what it should be; the module is loaded at a start. */
export function defineWorker<D extends Definition = Definition>(options: WorkerOptions): WorkerDefinition<D> {
  const { name, version = 1, inFlightMax = IN_FLIGHT_MAX } = options
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`defineWorker: name must be a non-empty string, got ${String(name)}.`)
  }
  if (!Number.isInteger(version)) {
    throw new TypeError(`defineWorker "${name}": version must be a whole number, got ${String(version)}.`)
  }
  if (!(Number.isInteger(inFlightMax) && inFlightMax >= 1)) {
    throw new TypeError(
      `defineWorker "${name}": inFlightMax must be a whole number of at least 1, got ${String(inFlightMax)}.`,
    )
  }
  return new ThreadWorker(name, version, {
    module: moduleUrl(`defineWorker "${name}"`, options.module),
    export: options.export ?? 'default',
    inFlightMax,
    resourceLimits: options.resourceLimits,
  })
}

/** The address of a module as text. Throws a `TypeError` for one that depends on where it is read. */
export function moduleUrl(what: string, module: URL | string): string {
  if (module instanceof URL) return module.href
  if (typeof module === 'string' && isAbsolute(module)) return pathToFileURL(module).href
  if (typeof module === 'string' && URL.canParse(module)) return module
  throw new TypeError(
    `${what}: the module must be a URL or an absolute path, got ${typeof module === 'string' ? `"${module}"` : typeof module}. Write new URL('./file.js', import.meta.url).`,
  )
}

class ThreadWorker implements Definition {
  readonly name: string
  readonly version: number
  readonly type = 'worker'
  /** The actor's own choice takes its place once it has started. */
  readonly trapExits = false
  private readonly options: ResidentOptions
  /** Beside the state, which `sys.replaceState` may replace. */
  private readonly residents = new WeakMap<Process, Resident>()

  constructor(name: string, version: number, options: ResidentOptions) {
    this.name = name
    this.version = version
    this.options = options
  }

  init(arg: unknown, process: Process): Promise<unknown> {
    const resident = new Resident(process, this.options, arg)
    this.residents.set(process, resident)
    return resident.start
  }

  handle(process: Process, envelope: Envelope): unknown {
    return this.residents.get(process)?.forward(envelope)
  }

  /** A worker has no `continue` of its own; the actor's run in its thread. */
  proceed(): void {}

  terminate(process: Process, reason: ExitReason): unknown {
    return this.residents.get(process)?.stop(reason, process.current?.kind === kinds.stop)
  }

  codeChange(process: Process): never {
    throw new Error(
      `${process.label} runs in a thread, whose code cannot be changed in place. Restart it: its supervisor starts the new version in a new thread.`,
    )
  }

  createRef(process: Process): AnyRef {
    return new AnyRef(process)
  }
}
