/**
 * The client did not do what a handler asked for: it lacks the capability (-32601, nothing was sent), refused, failed or did
 * not answer in time. In a tool that does not catch it, it becomes an `isError` result like any other failure.
 */
import type { ErrorObject } from '#protocol'

export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: number
  readonly data: unknown
  constructor(error: ErrorObject) {
    super(error.message)
    this.code = error.code
    this.data = error.data
  }
}
