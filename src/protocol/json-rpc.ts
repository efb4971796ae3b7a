/**
 * JSON-RPC 2.0 as MCP uses it: text to messages and back. `decode` never throws; whatever is wrong becomes a message of
 * kind `invalid` that carries the error to answer with. Ids are strings or safe integers, params are objects. Keys named
 * `__proto__` are dropped, so a decoded value can be copied by any means. Encoders give one line of text.
 *
 *     const message = decode('{"jsonrpc":"2.0","id":1,"method":"ping"}')   // { kind: 'request', id: 1, method: 'ping', ... }
 *     encodeResult(1, {})                                                 // '{"jsonrpc":"2.0","id":1,"result":{}}'
 *
 * Spec: JSON-RPC 2.0; MCP 2025-11-25, basic.
 */
import { describeValue } from './describe.ts'
import { ErrorCode, type ErrorObject } from './errors.ts'

export type RequestId = string | number

/** The value of `params` or `result`: a JSON object. */
export type JsonObject = { readonly [key: string]: unknown }

export interface RequestMessage {
  readonly kind: 'request'
  readonly id: RequestId
  readonly method: string
  readonly params: JsonObject | undefined
}
export interface NotificationMessage {
  readonly kind: 'notification'
  readonly method: string
  readonly params: JsonObject | undefined
}
export interface ResponseMessage {
  readonly kind: 'response'
  readonly id: RequestId
  readonly result: JsonObject
}
/** An error answer; `id` is null when the peer could not read the id of what it refuses. */
export interface ErrorMessage {
  readonly kind: 'error'
  readonly id: RequestId | null
  readonly error: ErrorObject
}
/** Text that is no message; `error` is what to answer, to `id` where it could be read. */
export interface InvalidMessage {
  readonly kind: 'invalid'
  readonly id: RequestId | null
  readonly error: ErrorObject
}
export type Message = RequestMessage | NotificationMessage | ResponseMessage | ErrorMessage | InvalidMessage

/** Deepest nesting of arrays and objects in a message; deeper text is answered with -32600. */
export const DEPTH_MAX = 512
/** Most messages in one batch; a longer one is answered with -32600 as a whole. */
export const BATCH_LENGTH_MAX = 1_000

/** Reads one JSON text. An array comes back only for a batch, in its order; an empty batch is one invalid message. */
export function decode(text: string): Message | Message[] {
  if (text.length > 2 * DEPTH_MAX && isTooDeep(text)) {
    return invalid(null, `Invalid request: nested deeper than ${DEPTH_MAX} levels`)
  }
  let value: unknown
  try {
    value = mayHoldProto(text) ? JSON.parse(text, dropProto) : JSON.parse(text)
  } catch (error) {
    return { kind: 'invalid', id: null, error: { code: ErrorCode.ParseError, message: parseMessage(error) } }
  }
  if (!Array.isArray(value)) return decodeValue(value)
  if (value.length === 0)
    return invalid(null, 'Invalid request: a batch must hold at least one message, got an empty one')
  if (value.length > BATCH_LENGTH_MAX) {
    return invalid(null, `Invalid request: a batch may hold ${BATCH_LENGTH_MAX} messages, got ${value.length}`)
  }
  return value.map(decodeValue)
}

/** A request as text. Throws a TypeError when `params` cannot be JSON (a cycle, a bigint). */
export function encodeRequest(id: RequestId, method: string, params?: object): string {
  const head = `{"jsonrpc":"2.0","id":${idText(id)},"method":${JSON.stringify(method)}`
  return params === undefined ? `${head}}` : `${head},"params":${JSON.stringify(params)}}`
}

/** A notification as text. Throws a TypeError when `params` cannot be JSON. */
export function encodeNotification(method: string, params?: object): string {
  const head = `{"jsonrpc":"2.0","method":${JSON.stringify(method)}`
  return params === undefined ? `${head}}` : `${head},"params":${JSON.stringify(params)}}`
}

/** A successful answer as text; no result is `{}`. Throws a TypeError when `result` cannot be JSON. */
export function encodeResult(id: RequestId, result?: object): string {
  return `{"jsonrpc":"2.0","id":${idText(id)},"result":${result === undefined ? '{}' : resultText(result)}}`
}

/** A successful answer as text, from the text of its result. */
export function encodeResultText(id: RequestId, result: string): string {
  return `{"jsonrpc":"2.0","id":${idText(id)},"result":${result}}`
}

/** An error answer as text; `id` null when the request's id could not be read. Throws a TypeError when `data` cannot be JSON. */
export function encodeError(id: RequestId | null, error: ErrorObject): string {
  const { code, message, data } = error
  const tail = JSON.stringify(data === undefined ? { code, message } : { code, message, data })
  return `{"jsonrpc":"2.0","id":${id === null ? 'null' : idText(id)},"error":${tail}}`
}

/** Several encoded messages as one batch. Spec: MCP 2025-03-26, basic, batching. */
export function encodeBatch(messages: readonly string[]): string {
  return `[${messages.join(',')}]`
}

/** Whether `value` is a JSON object: not null, not an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether `value` may be a request id: a string, or an integer that survives being parsed. */
export function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || Number.isSafeInteger(value)
}

function decodeValue(value: unknown): Message {
  if (!isObject(value))
    return invalid(null, `Invalid request: a message must be an object, got ${describeValue(value)}`)
  const { jsonrpc, id, method, params, result, error } = value
  const replyId = isRequestId(id) ? id : null
  if (jsonrpc !== '2.0')
    return invalid(replyId, `Invalid request: jsonrpc must be "2.0", got ${describeValue(jsonrpc)}`)
  if (id !== undefined && replyId === null && !(id === null && error !== undefined)) {
    return invalid(null, `Invalid request: id must be a string or an integer below 2^53, got ${describeValue(id)}`)
  }
  if (method !== undefined) {
    if (typeof method !== 'string') {
      return invalid(replyId, `Invalid request: method must be a string, got ${describeValue(method)}`)
    }
    if (result !== undefined || error !== undefined) {
      return invalid(replyId, 'Invalid request: a message with a method carries neither result nor error')
    }
    if (params !== undefined && !isObject(params)) {
      return invalid(replyId, `Invalid request: params must be an object, got ${describeValue(params)}`)
    }
    return replyId === null
      ? { kind: 'notification', method, params }
      : { kind: 'request', id: replyId, method, params }
  }
  if (result !== undefined) {
    if (error !== undefined) return invalid(replyId, 'Invalid request: a response carries result or error, not both')
    if (replyId === null) return invalid(null, 'Invalid request: a response needs the id of its request')
    if (!isObject(result))
      return invalid(replyId, `Invalid request: result must be an object, got ${describeValue(result)}`)
    return { kind: 'response', id: replyId, result }
  }
  if (error !== undefined) {
    if (!isObject(error) || !Number.isInteger(error['code']) || typeof error['message'] !== 'string') {
      return invalid(replyId, 'Invalid request: error must hold an integer code and a string message')
    }
    const code = error['code'] as number // checked just above
    const message = error['message']
    const data = error['data']
    return { kind: 'error', id: replyId, error: data === undefined ? { code, message } : { code, message, data } }
  }
  return invalid(replyId, 'Invalid request: a message needs a method, a result or an error')
}

function invalid(id: RequestId | null, message: string): InvalidMessage {
  return { kind: 'invalid', id, error: { code: ErrorCode.InvalidRequest, message } }
}

/** One text, which is what most tools answer, takes half the time when only the text has to be looked at. */
function resultText(result: object): string {
  const text = onlyTextOf(result)
  return text === undefined ? JSON.stringify(result) : `{"content":[{"type":"text","text":${JSON.stringify(text)}}]}`
}

/** The text of a result that has one block of text and nothing else; undefined for every other result. */
function onlyTextOf(result: object): string | undefined {
  if (!isPlain(result)) return undefined
  for (const key in result) if (key !== 'content') return undefined
  const { content } = result as { readonly content?: unknown }
  if (!Array.isArray(content) || content.length !== 1) return undefined
  const [block] = content
  if (!isObject(block) || !isPlain(block)) return undefined
  for (const key in block) if (key !== 'type' && key !== 'text') return undefined
  const { type, text } = block
  return type === 'text' && typeof text === 'string' ? text : undefined
}

/** Without a prototype of its own, which could say how it is written as JSON. */
function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype
}

function idText(id: RequestId): string {
  return typeof id === 'number' ? String(id) : JSON.stringify(id)
}

/** V8's message quotes the text around the fault; only its first part is passed on, so that no payload leaks into logs. */
function parseMessage(error: unknown): string {
  const text = error instanceof Error ? error.message : ''
  const position = /position \d+/.exec(text)
  return position === null ? 'Parse error: not JSON' : `Parse error: not JSON at ${position[0]}`
}

const escapedProto =
  /"(?:_|\\u005[Ff]){2}(?:p|\\u0070)(?:r|\\u0072)(?:o|\\u006[Ff])(?:t|\\u0074)(?:o|\\u006[Ff])(?:_|\\u005[Ff]){2}"/

/** False for nearly all texts, at the price of two substring searches. */
function mayHoldProto(text: string): boolean {
  return text.includes('"__proto__"') || (text.includes('\\u00') && escapedProto.test(text))
}

function dropProto(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value
}

/** Counts opening brackets first, which is quick and usually enough; walks the text only when there are very many. */
function isTooDeep(text: string): boolean {
  let openings = 0
  for (let at = text.indexOf('{'); at !== -1 && openings <= DEPTH_MAX; at = text.indexOf('{', at + 1)) openings++
  for (let at = text.indexOf('['); at !== -1 && openings <= DEPTH_MAX; at = text.indexOf('[', at + 1)) openings++
  if (openings <= DEPTH_MAX) return false
  let depth = 0
  let isInString = false
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (isInString) {
      if (char === 0x5c) at++
      else if (char === 0x22) isInString = false
    } else if (char === 0x22) isInString = true
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > DEPTH_MAX) return true
    } else if (char === 0x7d || char === 0x5d) depth--
  }
  return false
}
