/** The JSON-RPC error text a transport answers by itself, for bytes that never became a message: its id is null. */

/** JSON-RPC 2.0 error codes that a transport uses itself. */
export const PARSE_ERROR = -32_700
export const INVALID_REQUEST = -32_600
export const INTERNAL_ERROR = -32_603

/** An encoded error response with id null. Spec: JSON-RPC 2.0, 5.1. */
export function encodeRefusal(code: number, message: string): string {
  return `{"jsonrpc":"2.0","id":null,"error":{"code":${code},"message":${JSON.stringify(message)}}}`
}
