/**
 * What a request of the modern era says of itself in `_meta`: its revision, the client and its capabilities, how much is to be
 * logged. And how a server of both eras tells one from the other, message by message.
 *
 *     isModern(message, headers)              // true: nothing but the message is needed to serve it
 *     readRequestMeta(message.params)         // { protocolVersion: '2026-07-28', clientCapabilities: {}, ... }, or an error
 *
 * Spec: MCP 2026-07-28, basic, `_meta`; basic/versioning, backward compatibility.
 */
import { type ClientCapabilities, readClientCapabilities } from './capabilities.ts'
import { describeValue } from './describe.ts'
import type { Implementation } from './entities.ts'
import { ErrorCode, type ErrorObject } from './errors.ts'
import { headerOf, PROTOCOL_VERSION_HEADER, type RequestHeaders } from './http-headers.ts'
import { isObject, isRequestId, type JsonObject, type Message, type RequestId } from './json-rpc.ts'
import { isLogLevel, type LogLevel } from './log-level.ts'
import { clientCapabilitiesKey, clientInfoKey, logLevelKey, protocolVersionKey } from './meta-keys.ts'
import { revisionOf } from './revisions/registry.ts'

/** The `_meta` of a request, read. */
export interface RequestMeta {
  /** As the client wrote it: not every one is served. */
  readonly protocolVersion: string
  readonly clientCapabilities: ClientCapabilities
  readonly clientInfo: Implementation | undefined
  /** Absent: the client wants no log messages. */
  readonly logLevel: LogLevel | undefined
  readonly progressToken: RequestId | undefined
  /** Trace context as it came; what is no text is left out. */
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
  readonly baggage: string | undefined
}

/** The metadata of a request, or the -32602 that names what is missing or has the wrong type. Over HTTP that is status 400. */
export function readRequestMeta(params: JsonObject | undefined): RequestMeta | ErrorObject {
  const meta = params?.['_meta']
  if (!isObject(meta)) return metaFault('', `an object with ${protocolVersionKey} and ${clientCapabilitiesKey}`, meta)
  const protocolVersion = meta[protocolVersionKey]
  const capabilities = meta[clientCapabilitiesKey]
  const clientInfo = meta[clientInfoKey]
  const logLevel = meta[logLevelKey]
  const { progressToken } = meta
  if (typeof protocolVersion !== 'string') return metaFault(protocolVersionKey, 'a string', protocolVersion)
  if (!isObject(capabilities)) return metaFault(clientCapabilitiesKey, 'an object', capabilities)
  if (clientInfo !== undefined && !isImplementation(clientInfo)) {
    return metaFault(clientInfoKey, 'an object with a name and a version', clientInfo)
  }
  if (logLevel !== undefined && !isLogLevel(logLevel)) {
    return metaFault(logLevelKey, 'a log level from debug to emergency', logLevel)
  }
  if (progressToken !== undefined && !isRequestId(progressToken)) {
    return metaFault('progressToken', 'a string or an integer', progressToken)
  }
  return {
    protocolVersion,
    clientCapabilities: readClientCapabilities(capabilities),
    clientInfo,
    logLevel,
    progressToken,
    traceparent: textOf(meta['traceparent']),
    tracestate: textOf(meta['tracestate']),
    baggage: textOf(meta['baggage']),
  }
}

/**
 * Whether a message is of the modern era, for an endpoint that serves both: its `_meta` names a revision that is not a legacy
 * one, or where it names none the header MCP-Protocol-Version does, or it can be nothing else. `initialize` opens the legacy
 * era unless its `_meta` says otherwise; answers are legacy, since nobody asks a modern client.
 *
 * An unknown version in the header of a request with a session id is for the session to refuse.
 */
export function isModern(message: Message, headers?: RequestHeaders): boolean {
  if (message.kind !== 'request' && message.kind !== 'notification') return false
  const { method, params } = message
  const meta = isObject(params?.['_meta']) ? params['_meta'] : {}
  const claimed = meta[protocolVersionKey]
  if (claimed !== undefined && eraOf(claimed) !== 'legacy') return true
  if (method === 'initialize') return false
  const announced = headers === undefined ? undefined : headerOf(headers, PROTOCOL_VERSION_HEADER)
  if (announced !== undefined) {
    const era = eraOf(announced)
    if (era === 'modern') return true
    if (era === undefined) return headerOf(headers ?? {}, 'mcp-session-id') === undefined
    if (claimed === undefined) return false
  }
  return method === 'server/discover' || (claimed === undefined && meta[clientCapabilitiesKey] !== undefined)
}

function eraOf(version: unknown): 'legacy' | 'modern' | undefined {
  return revisionOf(version)?.era
}

/** Only what everybody relies on is looked at. */
function isImplementation(value: unknown): value is Implementation & JsonObject {
  return isObject(value) && typeof value['name'] === 'string' && typeof value['version'] === 'string'
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function metaFault(key: string, expected: string, value: unknown): ErrorObject {
  const field = key === '' ? 'params._meta' : `params._meta["${key}"]`
  return {
    code: ErrorCode.InvalidParams,
    message: `${field} must be ${expected}, got ${describeValue(value)}. Every request of this era carries it.`,
  }
}
