/**
 * A task stream runs one function over many items, so many at a time, each in a task of its own. It is pulled: an item is
 * taken from its source when there is room, and no more results are held than may run at once, however slow the reader is.
 *
 *     for await (const page of taskStream(self, urls, fetchPage, { concurrency: 4 })) await save(page)
 *
 * After: Elixir Task.Supervisor.async_stream.
 */
import { launch, type RunningTask, type TaskOwner, timersOf } from './task.ts'

/** How a stream runs its tasks. */
export interface TaskStreamOptions {
  /** Items in hand at once, results that wait to be read included; a whole number >= 1, default 8. */
  readonly concurrency?: number
  /** Whether results come in the order of the items; else as they are done. Default true. */
  readonly ordered?: boolean
  /** Milliseconds for each item; default `Infinity`. Later its task is aborted. */
  readonly timeoutMs?: number
  /** Whether an item out of time fails the stream, or is left out. Default 'error'. */
  readonly onTimeout?: 'error' | 'skip'
}

/** Items in hand at once unless the options say otherwise. */
const CONCURRENCY = 8

type Outcome = { readonly value: unknown } | { readonly error: unknown } | 'skip'

/** An item in hand. */
interface Entry {
  task: RunningTask | null
  outcome: Outcome | null
}

/**
 * Yields what `run(item, signal)` resolves to for every item. The first rejection, of `run`, of the source, of an item out of
 * time or because the owner ended, is thrown from the loop. When the loop is left, however, the tasks that run are aborted
 * and the source is closed. Nothing starts before the first result is asked for. Throws a `TypeError` for wrong options.
 */
export function taskStream<I, T>(
  owner: TaskOwner,
  items: Iterable<I> | AsyncIterable<I>,
  run: (item: I, signal: AbortSignal) => T | Promise<T>,
  options: TaskStreamOptions = {},
): AsyncGenerator<Awaited<T>, void, undefined> {
  const { concurrency = CONCURRENCY, timeoutMs = Number.POSITIVE_INFINITY, onTimeout = 'error' } = options
  if (!(Number.isInteger(concurrency) && concurrency >= 1))
    throw new TypeError(`taskStream: concurrency must be a whole number >= 1, got ${String(concurrency)}.`)
  if (!(typeof timeoutMs === 'number' && timeoutMs >= 0))
    throw new TypeError(`taskStream: timeoutMs must be milliseconds >= 0 or Infinity, got ${String(timeoutMs)}.`)
  if (onTimeout !== 'error' && onTimeout !== 'skip')
    throw new TypeError(`taskStream: onTimeout must be 'error' or 'skip', got ${String(onTimeout)}.`)
  // `run` makes what the stream yields.
  return new Stream(owner, items, run as (item: unknown, signal: AbortSignal) => unknown, {
    concurrency,
    timeoutMs,
    onTimeout,
    ordered: options.ordered ?? true,
  }).results() as AsyncGenerator<Awaited<T>, void, undefined>
}

class Stream {
  private readonly owner: TaskOwner
  private readonly run: (item: unknown, signal: AbortSignal) => unknown
  private readonly options: Required<TaskStreamOptions>
  private readonly items: Iterable<unknown> | AsyncIterable<unknown>
  /** In the order of the items. */
  private readonly entries: Entry[] = []
  private source: Iterator<unknown> | AsyncIterator<unknown> | null = null
  private isPulling = false
  private isExhausted = false
  private fault: { readonly error: unknown } | null = null
  private changed: () => void = () => undefined

  constructor(
    owner: TaskOwner,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    run: (item: unknown, signal: AbortSignal) => unknown,
    options: Required<TaskStreamOptions>,
  ) {
    this.owner = owner
    this.items = items
    this.run = run
    this.options = options
  }

  async *results(): AsyncGenerator<unknown, void, undefined> {
    const { items } = this
    try {
      this.source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
      for (;;) {
        while (!this.isExhausted && !this.isPulling && this.entries.length < this.options.concurrency) this.pull()
        if (this.fault !== null) throw this.fault.error
        const outcome = this.take()
        if (outcome !== null) {
          if (outcome === 'skip') continue
          if ('error' in outcome) throw outcome.error
          yield outcome.value
        } else if (this.isExhausted && this.entries.length === 0) return
        else
          await new Promise<void>((resolve) => {
            this.changed = resolve
          })
      }
    } finally {
      for (const { task, outcome } of this.entries) if (outcome === null) task?.cancel()
      await this.close()
    }
  }

  /** The next result, taken out of hand; null when it is not there yet. */
  private take(): Outcome | null {
    const place = this.options.ordered ? 0 : this.entries.findIndex(({ outcome }) => outcome !== null)
    const outcome = this.entries[place]?.outcome ?? null
    if (outcome !== null) this.entries.splice(place, 1)
    return outcome
  }

  private pull(): void {
    this.isPulling = true
    const taken = (result: IteratorResult<unknown>): void => {
      this.isPulling = false
      if (result.done === true) this.isExhausted = true
      else this.begin(result.value)
    }
    const failed = (error: unknown): void => {
      this.isPulling = false
      this.isExhausted = true
      this.fault = { error }
    }
    try {
      const next = this.source?.next()
      if (next instanceof Promise) {
        next.then(taken, failed).then(() => this.changed())
      } else if (next !== undefined) taken(next as IteratorResult<unknown>)
    } catch (error) {
      failed(error)
    }
  }

  private begin(item: unknown): void {
    const entry: Entry = { task: null, outcome: null }
    const settle = (outcome: Outcome): void => {
      if (entry.outcome !== null) return
      entry.outcome = outcome
      if (timer !== undefined) timers?.cancel(timer)
      this.changed()
    }
    const { timeoutMs, onTimeout } = this.options
    const timers = timersOf(this.owner)
    const timer =
      timeoutMs === Number.POSITIVE_INFINITY
        ? undefined
        : timers?.start(timeoutMs, () => {
            const why = `taskStream: an item was not done within ${timeoutMs} ms; its task was aborted.`
            settle(onTimeout === 'skip' ? 'skip' : { error: new Error(why) })
            entry.task?.cancel()
          })
    entry.task = launch(this.owner, (signal) => this.run(item, signal))
    entry.task.done.then(
      (value) => settle({ value }),
      (error) => settle({ error }),
    )
    this.entries.push(entry)
  }

  private async close(): Promise<void> {
    if (this.isExhausted || this.source?.return === undefined) return
    // One that is being waited for would hold us until its next item comes, perhaps for ever.
    const closed = Promise.resolve(this.source.return())
    if (this.isPulling) closed.catch(() => undefined)
    else await closed
  }
}
