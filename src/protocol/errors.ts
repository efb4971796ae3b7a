/**
 * Errors that cross the wire: a JSON-RPC code, a sentence for a person, and data. Anything may throw a `ProtocolError`
 * where a request is answered; whoever encodes the answer turns it into the `error` member. Errors that stay in this
 * process (a bad schema, a bad option) are other classes in the files that raise them.
 *
 *     throw invalidParams('params.name must be a string, got number 7')
 */

/** Codes that a peer may see. Spec: JSON-RPC 2.0, section 5.1; MCP 2025-11-25, basic and client/elicitation. */
export const ErrorCode = {
  ParseError: -32700,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  InternalError: -32603,
  /** resources/read of a URI that the server does not have. */
  ResourceNotFound: -32002,
  /** The request needs URL elicitations first; they are in `data.elicitations`. Since 2025-11-25. */
  UrlElicitationRequired: -32042,
  /** The user refused a sampling request. */
  SamplingRejected: -1,
} as const

/** The `error` member of a JSON-RPC error response. */
export interface ErrorObject {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** An error that is answered to the peer with its own code and data. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: number
  readonly data: unknown
  constructor(code: number, message: string, data?: unknown, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.data = data
  }
}

/** -32600: the message is not a request that this peer may send now. */
export const invalidRequest = (message: string): ProtocolError => new ProtocolError(ErrorCode.InvalidRequest, message)

/** -32601, naming the method that is unknown or was not negotiated. */
export const methodNotFound = (method: string): ProtocolError =>
  new ProtocolError(ErrorCode.MethodNotFound, `Method not found: ${method}`)

/** -32602: `message` names the parameter and what came. */
export const invalidParams = (message: string): ProtocolError => new ProtocolError(ErrorCode.InvalidParams, message)

/** -32002 with the URI in `data`, as the specification shows it. Spec: MCP 2025-11-25, server/resources, error handling. */
export const resourceNotFound = (uri: string): ProtocolError =>
  new ProtocolError(ErrorCode.ResourceNotFound, `Resource not found: ${uri}`, { uri })

/** -32603 for a failure on this side that is not the peer's doing. */
export const internalError = (message: string, cause?: unknown): ProtocolError =>
  new ProtocolError(ErrorCode.InternalError, message, undefined, cause === undefined ? undefined : { cause })

/** The `error` member for anything that was thrown: a `ProtocolError` as it is, the rest as -32603 with the message only. */
export function toErrorObject(thrown: unknown): ErrorObject {
  if (thrown instanceof ProtocolError) {
    return thrown.data === undefined
      ? { code: thrown.code, message: thrown.message }
      : { code: thrown.code, message: thrown.message, data: thrown.data }
  }
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  return { code: ErrorCode.InternalError, message: `Internal error: ${reason}` }
}
