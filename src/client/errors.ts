/**
 * Why a client's request has no result. `code` is a number where the server answered with a JSON-RPC error, and a word where
 * there was no answer; `mayHaveRun` says whether the server may have acted on the request.
 *
 *     try {
 *       await client.callTool('pay', { amount: 10 })
 *     } catch (error) {
 *       if (error instanceof CallLost && error.mayHaveRun) await askTheBank()
 *     }
 */
import type { Failure, FailureCode } from '#actors/client-services'

export class ClientError extends Error {
  override readonly name: string = 'ClientError'
  /**
   * A JSON-RPC code of the server, or: 'timeout', 'cancelled', 'closed', 'lost', 'refused', 'status', 'unauthorized', 'invalid',
   * 'overload', 'unsupported_version', 'not_supported', 'handler_failed', 'too_many_rounds', 'circuit_open'.
   */
  readonly code: number | FailureCode
  readonly data: unknown
  readonly mayHaveRun: boolean
  constructor({ code, message, data, mayHaveRun, cause }: Failure) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.data = data
    this.mayHaveRun = mayHaveRun
  }
}

/** The connection was lost before the answer came, and the request was not one to repeat unasked. */
export class CallLost extends ClientError {
  override readonly name = 'CallLost'
}

/** The server did not answer for a while, so that it was not asked: `code` is 'circuit_open', and nothing has run. */
export class CircuitOpen extends ClientError {
  override readonly name = 'CircuitOpen'
  /** Milliseconds after which it is tried again. */
  readonly retryAfterMs: number
  constructor(message: string, retryAfterMs: number) {
    super({ code: 'circuit_open', message, mayHaveRun: false, data: { retryAfterMs } })
    this.retryAfterMs = retryAfterMs
  }
}

/** The error for a failure. */
export function errorOf(failure: Failure): ClientError {
  return failure.code === 'lost' || failure.code === 'refused' ? new CallLost(failure) : new ClientError(failure)
}

/** An error of this client's own finding. */
export function clientError(code: FailureCode, message: string, mayHaveRun = false, cause?: unknown): ClientError {
  return errorOf({ code, message, mayHaveRun, ...(cause !== undefined && { cause }) })
}
