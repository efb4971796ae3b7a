/** `bough/workers`: work that computes, in threads: actors that live in one, and jobs on a pool. */
export { CloneError } from './clone-error.ts'
export { type JobOptions, runInThread } from './job.ts'
export { ThreadPool, type ThreadPoolOptions } from './pool.ts'
export type { WorkerStatus } from './resident.ts'
export { defineWorker, type WorkerDefinition, type WorkerOptions } from './worker.ts'
