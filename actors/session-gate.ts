/**
 * What a session lets in: pure checks of one request against the method table, the phase of the session, its revision and
 * what was announced. The answer is an error for the wire, or the row to go on with.
 */

import type { Phase } from '#lifecycles'
import {
  ErrorCode,
  type ErrorObject,
  has,
  isInRevision,
  type MethodRow,
  methodRow,
  type Revision,
  type ServerCapabilities,
} from '#protocol'

export interface Gate {
  readonly phase: Phase
  readonly revision: Revision
  readonly offered: ServerCapabilities
}

/** The method's row, or why the request is refused. */
export function admit(
  gate: Gate,
  method: string,
  params: Parameters<MethodRow['check']>[0],
  isDraining: boolean,
): MethodRow | ErrorObject {
  const row = methodRow(method)
  const isFirst = gate.phase === 'awaiting_initialize'
  if (
    row === undefined ||
    row.kind !== 'request' ||
    row.sender === 'server' ||
    !isInRevision(row, isFirst ? row.since : gate.revision.version)
  ) {
    return { code: ErrorCode.MethodNotFound, message: `Method not found: ${method}` }
  }
  if (isFirst && !row.isEarly) {
    return { code: ErrorCode.InvalidRequest, message: `${method} came before initialize. Send initialize first.` }
  }
  if (!isFirst && method === 'initialize') {
    return {
      code: ErrorCode.InvalidRequest,
      message: 'This session is initialized already. Open another one to initialize anew.',
    }
  }
  if (row.serverGate !== undefined && !has(gate.offered, row.serverGate)) {
    return {
      code: ErrorCode.MethodNotFound,
      message: `Method not found: ${method} (this server did not announce ${row.serverGate})`,
    }
  }
  if (isDraining && method !== 'ping') {
    return { code: ErrorCode.InternalError, message: 'The server is shutting down and takes no new requests.' }
  }
  const fault = row.check(params)
  return fault === undefined ? row : { code: ErrorCode.InvalidParams, message: fault }
}

export function isRefusal(admitted: MethodRow | ErrorObject): admitted is ErrorObject {
  return 'code' in admitted
}
