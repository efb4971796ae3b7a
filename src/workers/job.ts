/**
 * A job is one function run once in a thread of the pool: no state, no mailbox, an answer or an error. Give it what computes
 * for a millisecond or more; less is cheaper here than the way there and back.
 *
 *     const digest = await runInThread(hashFile, path, { timeout: 10_000, signal })
 *     const thumb = await runInThread<Uint8Array>(new URL('./thumbnail.js', import.meta.url), image, { export: 'thumbnail' })
 *
 * Its time-out, or an aborted signal, ends the thread in the middle of whatever it does; the pool starts another.
 */
import { CallError, type Clock, describeReason, realClock } from '#runtime'
import { cloneError } from './clone-error.ts'
import { jobSource } from './function-source.ts'
import { type JobOutcome, noRefs } from './job-thread.ts'
import { needsPacking, pack, unpack } from './packing.ts'
import { ThreadPool } from './pool.ts'
import { moduleUrl } from './worker.ts'

export interface JobOptions {
  /** Under which name a module exports the function; default 'default'. */
  readonly export?: string
  /** When it is aborted, the job's thread ends and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Milliseconds for waiting and running together; then the job's thread ends. Default `Infinity`. */
  readonly timeout?: number
  /** Default: one pool for the program, with a thread for each processor, at least two. */
  readonly pool?: ThreadPool
  /** For the time-out; default the real one. */
  readonly clock?: Clock
}

/** The program's pool. It has no thread before its first job, and its idle threads end by themselves. */
let sharedPool: ThreadPool | null = null

/**
 * Runs a function in a thread and resolves to what it returns. A function is sent as its source: it must stand alone. Rejects
 * with what it threw (an Error keeps its name, message, stack, code, cause and fields); with `CloneError` when the argument or
 * the result has no copy; with `CallError` 'timeout', and 'overload' when the pool's queue is full; with `signal.reason`.
 */
export function runInThread<A, R>(
  job: (arg: A) => R,
  ...rest: undefined extends A ? [arg?: A, options?: JobOptions] : [arg: A, options?: JobOptions]
): Promise<Awaited<R>>
export function runInThread<R = unknown>(job: URL | string, arg?: unknown, options?: JobOptions): Promise<R>
export async function runInThread(
  job: URL | string | ((arg: never) => unknown),
  arg?: unknown,
  options: JobOptions = {},
): Promise<unknown> {
  const isFunction = typeof job === 'function'
  const source = isFunction ? jobSource(job) : undefined
  const module = isFunction ? '' : moduleUrl('runInThread', job)
  const name = options.export ?? 'default'
  const label = isFunction ? `The job ${job.name === '' ? '(a function)' : job.name}` : `The job ${name} of ${module}`
  const packed = needsPacking(arg) ? pack(arg, noRefs) : arg
  const end = new AbortController()
  const release = endWith(end, label, options)
  try {
    end.signal.throwIfAborted()
    const pool = options.pool ?? (sharedPool ??= new ThreadPool())
    const outcome = (await pool.runJob({ source, module, export: name, arg: packed }, end.signal)) as JobOutcome
    if ('error' in outcome) throw unpack(outcome.error, noRefs)
    return unpack(outcome.value, noRefs)
  } catch (error) {
    if (end.signal.aborted) throw end.signal.reason
    if (error instanceof DOMException && error.name === 'DataCloneError') {
      throw cloneError(`${label}: its argument`, 'arg', arg, error)
    }
    // Piscina's words for a thread that ended itself; they have no code.
    if (error instanceof Error && error.message.startsWith('worker exited with code')) {
      throw new CallError('exit', `${label} came to nothing: its thread ended (${error.message}).`, 'noconnection')
    }
    throw error
  } finally {
    release()
  }
}

/** Lets the caller's signal and the time-out abort `end`; returns what takes both back. */
function endWith(end: AbortController, label: string, { signal, timeout, clock = realClock }: JobOptions): () => void {
  const timeoutMs = timeout ?? Number.POSITIVE_INFINITY
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
    throw new TypeError(
      `runInThread: timeout must be a number of milliseconds >= 0 or Infinity, got ${describeReason(timeout)}.`,
    )
  }
  const abort = (): void => end.abort(signal?.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  const isTimed = timeoutMs !== Number.POSITIVE_INFINITY
  const late = (): void =>
    end.abort(new CallError('timeout', `${label} did not end within ${timeoutMs} ms. Its thread was ended.`))
  const timer = isTimed ? clock.setTimer(late, timeoutMs) : undefined
  return () => {
    signal?.removeEventListener('abort', abort)
    if (isTimed) clock.clearTimer(timer)
  }
}
