/**
 * A task is a promise with an owner: a process that runs one function. When the owner ends, the task's signal is aborted and
 * what it still returns is dropped; when the function throws, the caller's promise rejects and nobody else is touched.
 *
 *     const page = await task(self, (signal) => fetchPage(url, signal))
 *
 * A task supervisor owns tasks for whoever asks, apart from the processes that ask. After: Elixir Task and Task.Supervisor.
 *
 *     const Jobs = defineTaskSupervisor({ maxChildren: 100 })
 *     const jobs = await system.start(Jobs)
 *     const report = await jobs.run((signal) => makeReport(signal))
 */
import { defineActor } from './actor.ts'
import { checkFlags, child, type Shutdown } from './child-spec.ts'
import type { Definition } from './definition.ts'
import { StartError } from './errors.ts'
import { Process } from './process.ts'
import { describeReason } from './reasons.ts'
import { type AnyRef, locate, Via } from './ref.ts'
import type { Self } from './self.ts'
import { Supervisor, SupervisorAddress, type SupervisorRef } from './supervisor.ts'
import { System } from './system.ts'
import type { Timers } from './timers.ts'

interface Job {
  readonly run: (signal: AbortSignal) => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

const Task = defineActor({
  name: 'task',
  init: (job: Job, self: Self<never>) => {
    self.continueWith('run')
    return job
  },
  continue: {
    run: async (job: Job, _arg: unknown, self: Self<Job>) => {
      try {
        job.resolve(await job.run(self.signal))
      } catch (error) {
        job.reject(error)
      }
      self.stop()
    },
  },
})

/** Who a task ends with: a process, everything in a system, or a task supervisor (its ref, or a `via(...)` that leads to it). */
export type TaskOwner = Self<never> | Self | System | TaskSupervisorRef | Via

/** A task on its way. For the runtime. */
export interface RunningTask {
  readonly done: Promise<unknown>
  /** Aborts it: the promise rejects, unless it is done. */
  cancel(): void
}

/**
 * Runs `run` in a process of its own, under `owner`: a process (`self`), the whole system, or a task supervisor. Resolves to
 * its value. Rejects with what it threw, with an Error (`cause` is the reason) when the owner ended first, with `StartError`
 * or `SupervisorError` when it could not start. The signal is aborted when the task ends.
 */
export function task<T>(owner: TaskOwner, run: (signal: AbortSignal) => T | Promise<T>): Promise<Awaited<T>> {
  // `run` makes what the promise resolves to.
  return launch(owner, run).done as Promise<Awaited<T>>
}

/** Starts a task that can be cancelled. */
export function launch(owner: TaskOwner, run: (signal: AbortSignal) => unknown): RunningTask {
  const found = ownerOf(owner)
  if (found instanceof TaskSupervisorAddress) return launchUnder(found, run)
  const parent = found instanceof System ? null : found
  const system = found instanceof System ? found : found.system
  let process: Process | null = null
  const done = new Promise<unknown>((resolve, reject) => {
    const started = system.spawn(parent, Task, { run, resolve, reject })
    if (!(started instanceof Process)) {
      return reject(started instanceof StartError ? started : new Error('The task did not start.'))
    }
    process = started
    // A link would spare the task when its owner ends normally.
    const watch = parent?.observe(() => started.finish('shutdown'))
    rejectAtEnd(started, reject, () => {
      if (watch !== undefined) parent?.unwatch(watch)
    })
  })
  return { done, cancel: () => process?.finish('shutdown') }
}

/** The timers of an owner's system; undefined when it is a supervisor that has ended. */
export function timersOf(owner: TaskOwner): Timers | undefined {
  const found = ownerOf(owner)
  if (found instanceof TaskSupervisorAddress) return found.locate()?.system.timers
  return found instanceof System ? found.timers : found.system.timers
}

function ownerOf(owner: TaskOwner): System | Process | TaskSupervisorAddress {
  const found = owner instanceof Via ? owner.locate()?.ref : owner
  if (found instanceof System || found instanceof Process || found instanceof TaskSupervisorAddress) return found
  const given = owner instanceof Via && found === undefined ? 'a name that leads to no live process' : typeof owner
  throw new TypeError(`task: the owner must be self, a system or a task supervisor, got ${given}.`)
}

function rejectAtEnd(process: Process, reject: (error: Error) => void, ended?: () => void): void {
  process.observe((reason) => {
    ended?.()
    if (reason !== 'normal')
      reject(new Error(`The task ended before it was done: ${describeReason(reason)}.`, { cause: reason }))
  })
}

/** Under a supervisor the start is a message: a task may be cancelled before it has a process. */
function launchUnder(supervisor: TaskSupervisorAddress, run: (signal: AbortSignal) => unknown): RunningTask {
  let ref: AnyRef | undefined
  let cancel: () => void = () => undefined
  const done = new Promise<unknown>((resolve, reject) => {
    let isCancelled = false
    cancel = () => {
      isCancelled = true
      if (ref === undefined) reject(new Error('The task was cancelled before it started.', { cause: 'shutdown' }))
      ref?.exit('shutdown')
    }
    const guarded = (signal: AbortSignal): unknown => (isCancelled ? undefined : run(signal))
    supervisor.startChild({ run: guarded, resolve, reject }).then((started) => {
      // A supervisor of tasks gives refs of tasks.
      ref = started as AnyRef
      const process = locate(ref)
      if (process !== undefined) rejectAtEnd(process, reject)
      else reject(new Error('The task ended before it was done.', { cause: 'noproc' }))
      if (isCancelled) ref.exit('shutdown')
    }, reject)
  })
  return { done, cancel: () => cancel() }
}

/** How a task supervisor is defined. */
export interface TaskSupervisorOptions {
  /** For reports; default 'tasks'. */
  readonly name?: string
  /** Tasks that may run at once; one more is refused with `SupervisorError` 'max_children'. Default no limit. */
  readonly maxChildren?: number
  /** As a child's; default 5 000 ms. Tasks do not trap exits, so it is rarely waited for. */
  readonly shutdown?: Shutdown
}

/** The address of a task supervisor: also a `SupervisorRef`, whose children are the tasks that run. */
export interface TaskSupervisorRef extends SupervisorRef {
  /** What `task(supervisor, run)` does. Rejects with `CallError` too, when the supervisor is dead or ends first. */
  run<T>(run: (signal: AbortSignal) => T | Promise<T>): Promise<Awaited<T>>
}

/** A kind of task supervisor: what `defineTaskSupervisor` returns. */
export interface TaskSupervisorDefinition extends Definition {
  readonly types?: { readonly arg: undefined; readonly ref: TaskSupervisorRef }
}

/** Defines a supervisor of tasks, each run once (restart 'temporary'). Throws `SupervisorError` for wrong options. */
export function defineTaskSupervisor(options: TaskSupervisorOptions = {}): TaskSupervisorDefinition {
  const { name = 'tasks', maxChildren, shutdown } = options
  // Every job comes with startChild; the template's own is never run.
  const template = child(Task as Definition, undefined, {
    restart: 'temporary',
    ...(shutdown === undefined ? {} : { shutdown }),
  })
  const flags = checkFlags({
    name,
    strategy: 'simple_one_for_one',
    ...(maxChildren === undefined ? {} : { maxChildren }),
    children: [template],
  })
  return new TaskSupervisor(name, 1, () => flags)
}

class TaskSupervisor extends Supervisor {
  override createRef(process: Process): AnyRef {
    return new TaskSupervisorAddress(process)
  }
}

class TaskSupervisorAddress extends SupervisorAddress {
  run(run: (signal: AbortSignal) => unknown): Promise<unknown> {
    return launchUnder(this, run).done
  }
}
