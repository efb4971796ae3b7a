/**
 * A task is a promise with an owner: a process that runs one function. When the owner ends, the task's signal is aborted and
 * what it still returns is dropped; when the function throws, the caller's promise rejects and nobody else is touched.
 *
 *     const page = await task(self, (signal) => fetchPage(url, signal))
 */
import { defineActor } from './actor.ts'
import { StartError } from './errors.ts'
import { Process } from './process.ts'
import { describeReason } from './reasons.ts'
import type { Self } from './self.ts'
import { System } from './system.ts'

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

/**
 * Runs `run` in a process of its own, under `owner`: a process (`self`) or the whole system. Resolves to its value, rejects
 * with what it threw, or with an Error when the owner ended first.
 */
export function task<T>(
  owner: Self<never> | Self | System,
  run: (signal: AbortSignal) => T | Promise<T>,
): Promise<Awaited<T>> {
  // `Process` is the class behind every Self.
  const parent = owner instanceof System ? null : (owner as unknown as Process)
  const system = owner instanceof System ? owner : owner.system
  return new Promise((resolve, reject) => {
    const job: Job = { run, resolve: resolve as (value: unknown) => void, reject }
    const started = system.spawn(parent, Task, job)
    if (!(started instanceof Process)) {
      return reject(started instanceof StartError ? started : new Error('The task did not start.'))
    }
    // A link would spare the task when its owner ends normally.
    const watch = parent?.observe(() => started.finish('shutdown'))
    started.observe((reason) => {
      if (watch !== undefined) parent?.unwatch(watch)
      if (reason !== 'normal')
        reject(new Error(`The task ended before it was done: ${describeReason(reason)}.`, { cause: reason }))
    })
  })
}
