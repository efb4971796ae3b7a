/** A file as a disk: the program's end of the thread that owns it. An idle thread does not keep the program alive. */
import { Worker } from 'node:worker_threads'
import type { Disk } from './disk.ts'
import { StorageError } from './errors.ts'
import type { LoadedRows } from './journal.ts'
import type { Batch } from './pending.ts'
import type { FileOptions, FromThread, ToThread } from './sqlite-frames.ts'

// Node 20 loads no TypeScript in a thread: from sources, as the tests run, the built file serves.
const isSource = import.meta.url.endsWith('.ts')
const entry = new URL(isSource ? '../../dist/src/storage/sqlite-thread.js' : './sqlite-thread.js', import.meta.url)

/** Starts the thread and resolves when it has the file; rejects with a `StorageError` once the thread has ended. */
export function openSqliteDisk(options: FileOptions, load: (rows: LoadedRows) => void): Promise<Disk> {
  return new ThreadDisk(options, load).opened
}

interface Settle {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

class ThreadDisk implements Disk {
  token = ''
  readonly lost: Promise<unknown>
  readonly opened: Promise<Disk>
  readonly #file: string
  readonly #worker: Worker
  readonly #exited: Promise<void>
  /** Who waits for the thread's next word: the opening, a commit, or the closing. */
  #asked: Settle | null = null
  #lose: (reason: unknown) => void = () => undefined
  /** Why the thread ends, once it has said. */
  #reason: StorageError | undefined
  #isLeaving = false

  constructor(options: FileOptions, load: (rows: LoadedRows) => void) {
    this.#file = options.file
    // The program's own flags (its loaders, --input-type) are not for this thread.
    this.#worker = new Worker(entry, { workerData: options, name: `store ${options.file}`, execArgv: [] })
    this.lost = new Promise((resolve) => {
      this.#lose = resolve
    })
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => resolve())
    })
    this.opened = this.#ask(() => undefined).then(() => this)
    this.#worker.on('message', (frame: FromThread) => {
      // What was on its way when it became clear that the thread must end counts for nothing, "opened" least of all.
      if (this.#reason !== undefined) return
      try {
        this.#take(frame, load)
      } catch (error) {
        this.#reason = unreadable(this.#file, error)
        void this.#worker.terminate()
      }
    })
    this.#worker.once('error', (error) => {
      this.#reason ??= ended(this.#file, error)
    })
    void this.#exited.then(() => this.#gone())
  }

  commit(batch: Batch): Promise<void> {
    return this.#ask(() => this.#post({ type: 'commit', batch }))
  }

  async close(): Promise<void> {
    this.#isLeaving = true
    await this.#ask(() => this.#post({ type: 'close' }))
    await this.#exited
  }

  async abandon(): Promise<void> {
    this.#isLeaving = true
    await this.#worker.terminate()
    await this.#exited
  }

  #post(frame: ToThread): void {
    this.#worker.postMessage(frame)
  }

  /** Resolves at the thread's next word. Meanwhile the program stays alive. */
  #ask(question: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject }
      this.#worker.ref()
      question()
    })
  }

  #take(frame: FromThread, load: (rows: LoadedRows) => void): void {
    if (frame.type === 'rows') load(frame.rows)
    else if (frame.type === 'failed') this.#reason = new StorageError(frame.code, frame.message, frame.cause)
    else {
      if (frame.type === 'opened') this.token = frame.token
      const asked = this.#asked
      this.#asked = null
      if (frame.type !== 'closed') this.#worker.unref()
      asked?.resolve()
    }
  }

  /** The thread has ended: whoever waits for it hears why. */
  #gone(): void {
    const reason = this.#reason ?? ended(this.#file, undefined)
    this.#asked?.reject(reason)
    this.#asked = null
    if (!this.#isLeaving) this.#lose(reason)
  }
}

function ended(file: string, cause: unknown): StorageError {
  return new StorageError('failed', `The thread that writes the store ${file} ended unexpectedly.`, cause)
}

function unreadable(file: string, cause: unknown): StorageError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StorageError('corrupt', `The store ${file} holds something that is no record: ${why}.`, cause)
}
