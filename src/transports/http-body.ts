/**
 * Reading a request's body as text, within bounds.
 *
 * A body that comes in one piece is decoded where it lies. One that comes in many is copied together as it comes, and
 * counted against what all unfinished bodies of the listener may hold. A body that is too large is not kept: the rest
 * is read and thrown away, up to a bound, so that the client gets to read its answer and can use the connection again.
 */
import type { IncomingMessage } from 'node:http'
import { ByteAccumulator, decodeUtf8 } from './bytes.ts'

/** A refused body is read on for this many times `maxMessageBytes`; then the connection is cut. */
const DRAIN_FACTOR = 4

export type BodyRefusal = 'oversized' | 'invalid_utf8' | 'overload'

export interface BodyBudget {
  readonly maxMessageBytes: number
  readonly maxBufferedBodyBytes: number
  /** Bytes of unfinished bodies that are held now. */
  bufferedBodyBytes: number
}

/**
 * Reads the body and calls `done` once with its text, or `refused` once. Neither is called when the client goes away
 * first. After `refused` the rest of the body is drained.
 */
export function readBody(
  request: IncomingMessage,
  budget: BodyBudget,
  done: (text: string) => void,
  refused: (why: BodyRefusal) => void,
): void {
  const declaredBytes = request.headers['content-length']
  if (declaredBytes !== undefined && Number(declaredBytes) > budget.maxMessageBytes) {
    refused('oversized')
    drainBody(request, budget.maxMessageBytes)
    return
  }
  let first: Buffer | undefined
  let rest: ByteAccumulator | undefined
  let heldBytes = 0

  const release = () => {
    budget.bufferedBodyBytes -= heldBytes
    heldBytes = 0
    rest = undefined
  }
  const refuse = (why: BodyRefusal) => {
    release()
    first = undefined
    request.off('data', onData)
    request.off('end', onEnd)
    refused(why)
    drainBody(request, budget.maxMessageBytes)
  }
  const onData = (chunk: Buffer) => {
    if (first === undefined) {
      first = chunk
      if (chunk.length > budget.maxMessageBytes) refuse('oversized')
      return
    }
    if (rest === undefined) {
      rest = new ByteAccumulator()
      rest.append(first, 0, first.length)
      // An abandoned request ends without 'end'.
      request.once('close', release)
    }
    const byteLength = rest.byteLength + chunk.length
    const newBytes = byteLength - heldBytes
    if (byteLength > budget.maxMessageBytes) refuse('oversized')
    else if (budget.bufferedBodyBytes + newBytes > budget.maxBufferedBodyBytes) refuse('overload')
    else {
      budget.bufferedBodyBytes += newBytes
      heldBytes = byteLength
      rest.append(chunk, 0, chunk.length)
    }
  }
  const onEnd = () => {
    const text = rest !== undefined ? rest.take() : first === undefined ? '' : decodeUtf8(first, 0, first.length)
    release()
    if (text === undefined) refused('invalid_utf8')
    else done(text)
  }
  request.on('data', onData)
  request.on('end', onEnd)
}

/**
 * Reads what is left of a body and throws it away; cuts the connection when it is more than four times the longest
 * body.
 */
export function drainBody(request: IncomingMessage, maxMessageBytes: number): void {
  let drainedBytes = 0
  request.on('data', (chunk: Buffer) => {
    drainedBytes += chunk.length
    if (drainedBytes > maxMessageBytes * DRAIN_FACTOR) request.destroy()
  })
}
