/** The thread of a durable store: it owns the file, and waits for the disk so that nobody else has to. */
import { parentPort, workerData } from 'node:worker_threads'
import { StorageError } from './errors.ts'
import { openFile, type SqliteFile } from './sqlite-file.ts'
import type { FileOptions, FromThread, ToThread } from './sqlite-frames.ts'

if (parentPort === null) throw new Error('This file is the start of a thread; import bough/storage/sqlite instead.')
const port = parentPort
const tell = (frame: FromThread): void => port.postMessage(frame)

/** Tells what went wrong and ends: a file whose last transaction failed is opened anew, never written on. */
function fail(error: unknown): void {
  const code = error instanceof StorageError ? error.code : 'failed'
  const { message, cause } = error instanceof Error ? error : new Error(String(error))
  tell({ type: 'failed', code, message, cause: cause instanceof Error ? cause.message : undefined })
  port.close()
}

function serve(file: SqliteFile): void {
  port.on('message', (frame: ToThread) => {
    try {
      if (frame.type === 'commit') {
        file.commit(frame.batch)
        tell({ type: 'committed' })
        return
      }
      file.close()
      tell({ type: 'closed' })
      port.close()
    } catch (error) {
      try {
        file.close()
      } catch {
        // The first error is the one to tell.
      }
      fail(error)
    }
  })
  tell({ type: 'opened', token: file.token })
}

// The promise is what the thread starts with, so that it does not end before the file is open.
openFile(workerData as FileOptions, (rows) => tell({ type: 'rows', rows })).then(serve, fail)
