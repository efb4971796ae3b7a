/**
 * A look at the first bytes of a connection that is to be handed to another process: they are read here and travel along, and
 * what comes after them stays in the system until the other process reads it. For HTTP that is enough to see which session the
 * first request asks for; a client that goes on on the same connection then reaches its owner each time.
 */
import type { Socket } from 'node:net'
import type { Clock } from '#runtime'

/** Milliseconds that a connection may take to send its first bytes; then it is handed over unread. */
const LOOK_MS = 1_000
/** Bytes of the beginning that are looked at. */
const HEAD_BYTES_MAX = 8_192

/**
 * Calls `done` once with the first bytes, or with undefined when none came in time or none can be read without reading more. Not
 * called when the client leaves first. The socket must be paused, with a high-water mark of 1.
 */
export function firstBytes(socket: Socket, clock: Clock, done: (head: Buffer | undefined) => void): void {
  // Node has no public way to stop reading at once; without this one nothing is read.
  const handle = (socket as Socket & { _handle?: { readStop?: () => number } | null })._handle
  if (typeof handle?.readStop !== 'function') return done(undefined)
  const finish = (): void => {
    clock.clearTimer(timer)
    socket.off('readable', onReadable)
    socket.off('close', onClose)
    socket.off('end', onEnd)
  }
  const onReadable = (): void => {
    const head = socket.read() as Buffer | null
    // At the end of the stream there is nothing to read, and 'end' follows.
    if (head === null) return
    // `read` asked for more, which may come at the next turn of the loop at the earliest.
    handle.readStop?.()
    finish()
    done(head)
  }
  const onEnd = (): void => void socket.destroy()
  const onClose = (): void => finish()
  const timer = clock.setTimer(() => {
    handle.readStop?.()
    finish()
    done(undefined)
  }, LOOK_MS)
  socket.on('readable', onReadable)
  socket.once('end', onEnd)
  socket.once('close', onClose)
}

/** The mark of a session in a header, or of a stream in a query. */
const SESSION = /\r\nmcp-session-id:[ \t]*(\d{1,2})\.|^POST [^ \r\n]*[?&]sessionId=(\d{1,2})\./i

/** The member that the first request asks for, if it asks for one. */
export function ownerAskedFor(head: Buffer | undefined): number | undefined {
  if (head === undefined) return undefined
  const found = SESSION.exec(head.toString('latin1', 0, HEAD_BYTES_MAX))
  return found === null ? undefined : Number(found[1] ?? found[2])
}
