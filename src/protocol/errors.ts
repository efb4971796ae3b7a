/**
 * Errors that cross the wire: a JSON-RPC code, a sentence for a person, and data. Anything may throw a `ProtocolError`
 * where a request is answered; whoever encodes the answer turns it into the `error` member. Errors that stay in this
 * process (a bad schema, a bad option) are other classes in the files that raise them.
 *
 *     throw invalidParams('params.name must be a string, got number 7')
 */

/**
 * Codes that a peer may see. Spec: JSON-RPC 2.0, section 5.1; MCP 2025-11-25, basic and client/elicitation; MCP 2026-07-28,
 * basic, error codes.
 */
export const ErrorCode = {
  ParseError: -32700,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  InternalError: -32603,
  /** resources/read of a URI that the server does not have. Until 2025-11-25; -32602 afterwards. */
  ResourceNotFound: -32002,
  /** The request needs URL elicitations first; they are in `data.elicitations`. Only in 2025-11-25. */
  UrlElicitationRequired: -32042,
  /** HTTP headers say otherwise than the body, or are missing. Since 2026-07-28. */
  HeaderMismatch: -32020,
  /** The client did not announce what the request needs; `data.requiredCapabilities` says what. Since 2026-07-28. */
  MissingRequiredClientCapability: -32021,
  /** The revision is not served; `data.supported` says which are. Since 2026-07-28. */
  UnsupportedProtocolVersion: -32022,
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

/**
 * -32020: `message` names the header, what it says and what the body says.
 * Spec: MCP 2026-07-28, basic/transports/streamable-http, server validation.
 */
export const headerMismatch = (message: string): ProtocolError => new ProtocolError(ErrorCode.HeaderMismatch, message)

/**
 * -32021: the request needs what the client did not declare, in the shape of client capabilities; `capabilitiesOf` makes that
 * of paths. Spec: MCP 2026-07-28, basic, `_meta`.
 */
export const missingClientCapability = (requiredCapabilities: object): ProtocolError =>
  new ProtocolError(
    ErrorCode.MissingRequiredClientCapability,
    `The request needs client capabilities that it does not declare: ${JSON.stringify(requiredCapabilities)}`,
    { requiredCapabilities },
  )

/** -32022, with the versions that are served, newest first. Spec: MCP 2026-07-28, basic/versioning. */
export const unsupportedProtocolVersion = (requested: string, supported: readonly string[]): ProtocolError =>
  new ProtocolError(
    ErrorCode.UnsupportedProtocolVersion,
    `Unsupported protocol version: ${requested.slice(0, VERSION_LENGTH_MAX)}. Served are ${supported.join(', ')}.`,
    { supported, requested },
  )

/** Longest part of an unknown version that a message repeats. */
const VERSION_LENGTH_MAX = 40

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

/**
 * The HTTP status of an answer that is this error alone, in the modern era: 400 or 404 where the specification says so, 200
 * for what a method answered of its own. Invalid params are 400 where the request was refused before its method ran
 * (`isRefusal`), as for a malformed `_meta`.
 * Spec: MCP 2026-07-28, basic, `_meta`; basic/transports/streamable-http.
 */
export function httpStatusOf(error: ErrorObject, isRefusal = false): 200 | 400 | 404 {
  switch (error.code) {
    case ErrorCode.MethodNotFound:
      return 404
    case ErrorCode.ParseError:
    case ErrorCode.InvalidRequest:
    case ErrorCode.HeaderMismatch:
    case ErrorCode.MissingRequiredClientCapability:
    case ErrorCode.UnsupportedProtocolVersion:
      return 400
    case ErrorCode.InvalidParams:
      return isRefusal ? 400 : 200
    default:
      return 200
  }
}
