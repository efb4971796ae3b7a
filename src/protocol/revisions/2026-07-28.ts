/**
 * Revision 2026-07-28: the first of the modern era, without sessions. A result says what it is (`resultType`), who answers
 * and, for lists and reads, how long it may be kept; questions to the client travel inside results; tasks are an extension.
 *
 * Spec: MCP 2026-07-28, basic, server/utilities/caching, basic/patterns/mrtr.
 */
import { cacheHintsOf } from '#protocol/cache-hints'
import type { ToolEntity } from '#protocol/entities'
import { ErrorCode, type ErrorObject } from '#protocol/errors'
import { isObject, type JsonObject } from '#protocol/json-rpc'
import { serverInfoKey } from '#protocol/meta-keys'
import { methodRow } from '#protocol/methods'
import { revision20251125 } from './2025-11-25.ts'
import { modernCapabilities } from './extensions.ts'
import type { ResultContext, Revision } from './revision.ts'

const VERSION = '2026-07-28'

const features = new Set(revision20251125.features)
features.delete('tasks')

export const revision20260728: Revision = {
  version: VERSION,
  era: 'modern',
  allowsBatches: false,
  features: features.add('anyStructuredContent'),
  encodeResult,
  encodeParams,
  encodeError,
}

/** A client's answers (to sampling, elicitation, roots) travel inside params and stay as they are. */
function encodeResult(method: string, result: JsonObject, context?: ResultContext): JsonObject {
  const row = methodRow(method, VERSION)
  if (row?.isEmbedded === true) return result
  const resultType = typeof result['resultType'] === 'string' ? result['resultType'] : 'complete'
  const hints =
    row?.isCacheable === true && resultType === 'complete' ? (cacheHintsOf(result) ?? context?.cache) : undefined
  return {
    ...body(method, result),
    resultType,
    ...(hints !== undefined && { ttlMs: Math.max(0, Math.trunc(hints.ttlMs)), cacheScope: hints.cacheScope }),
    ...(context !== undefined && { _meta: { ...(result['_meta'] as object), [serverInfoKey]: context.serverInfo } }),
  }
}

function body(method: string, result: JsonObject): JsonObject {
  switch (method) {
    case 'tools/list':
      return { ...result, tools: (result['tools'] as readonly ToolEntity[]).map(withoutExecution) }
    case 'server/discover':
      return { ...result, capabilities: modernCapabilities(result['capabilities'] as JsonObject) }
    case 'tasks/get':
      return encodeTask(result)
    default:
      return withInputRequests(result)
  }
}

/** A task holds what its call came to, as that call would have answered it. Spec: SEP-2663, tasks/get. */
function encodeTask(task: JsonObject): JsonObject {
  const { result, error } = task
  return {
    ...withInputRequests(task),
    ...(isObject(result) && { result: { resultType: 'complete', ...result } }),
    ...(isObject(error) && { error: encodeError(error as unknown as ErrorObject) }),
  }
}

function withInputRequests(result: JsonObject): JsonObject {
  const { inputRequests } = result
  return isObject(inputRequests) ? { ...result, inputRequests: encodeInputRequests(inputRequests) } : result
}

/** Each request of the map in this revision's words: `{ method, params }` by key. */
function encodeInputRequests(requests: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(requests).map(([key, held]) => {
      const request = held as { readonly method: string; readonly params?: JsonObject }
      return [
        key,
        request.params === undefined ? request : { ...request, params: encodeParams(request.method, request.params) },
      ]
    }),
  )
}

function encodeParams(method: string, params: JsonObject): JsonObject {
  switch (method) {
    case 'elicitation/create': {
      const { elicitationId: _id, task: _task, ...left } = params
      return left
    }
    case 'sampling/createMessage': {
      const { task: _task, ...left } = params
      const { tools } = left
      return Array.isArray(tools) ? { ...left, tools: (tools as ToolEntity[]).map(withoutExecution) } : left
    }
    case 'tools/call': {
      const { task: _task, ...left } = params
      return left
    }
    case 'notifications/tasks':
      return encodeTask(params)
    default:
      return params
  }
}

/** The codes of this revision; the rest of its reserved range must not be sent. Spec: MCP 2026-07-28, basic, error codes. */
const reservedCodes: ReadonlySet<number> = new Set([
  ErrorCode.HeaderMismatch,
  ErrorCode.MissingRequiredClientCapability,
  ErrorCode.UnsupportedProtocolVersion,
])

function encodeError(error: ErrorObject): ErrorObject {
  const { code } = error
  if (code === ErrorCode.ResourceNotFound) return { ...error, code: ErrorCode.InvalidParams }
  if (code <= -32_020 && code >= -32_099 && !reservedCodes.has(code)) return { ...error, code: ErrorCode.InternalError }
  return error
}

function withoutExecution(tool: ToolEntity): ToolEntity {
  if (tool.execution === undefined) return tool
  const { execution: _execution, ...left } = tool
  return left
}
