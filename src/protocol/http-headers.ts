/**
 * The headers in which an HTTP request repeats what its body says, so that whoever stands in between can route it without
 * reading the body: which revision, which method, which tool, resource, prompt or task. A server that reads the body holds the
 * two against each other; otherwise one of them could be a lie. The parameters of tools are in parameter-headers.ts.
 *
 *     headerFault({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'x' }, message)
 *     // { code: -32020, message: 'Header mismatch: Mcp-Name says string "x", the body says string "y"' }
 *
 * Spec: MCP 2026-07-28, basic/transports/streamable-http, request metadata; SEP-2663, routing headers.
 */
import { describeValue } from './describe.ts'
import { type ErrorObject, headerMismatch, toErrorObject } from './errors.ts'
import { isObject, type Message } from './json-rpc.ts'
import { protocolVersionKey } from './meta-keys.ts'
import { methodRow } from './methods.ts'

/** The headers of a request by lower-cased name, as Node gives them. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

export const PROTOCOL_VERSION_HEADER = 'MCP-Protocol-Version'
export const METHOD_HEADER = 'Mcp-Method'
export const NAME_HEADER = 'Mcp-Name'

/**
 * The -32020 for the first standard header that is missing, malformed or says otherwise than the body, if there is one. What
 * the body itself lacks is for the checks of the body. Notifications need no headers.
 */
export function headerFault(headers: RequestHeaders, message: Message): ErrorObject | undefined {
  if (message.kind !== 'request') return undefined
  const { method, params } = message
  const meta = params?.['_meta']
  const version = isObject(meta) ? meta[protocolVersionKey] : undefined
  if (typeof version === 'string') {
    const fault = plainFault(headers, PROTOCOL_VERSION_HEADER, version)
    if (fault !== undefined) return fault
  }
  const fault = plainFault(headers, METHOD_HEADER, method)
  if (fault !== undefined) return fault
  const param = methodRow(method, typeof version === 'string' ? version : undefined)?.headerParam
  const name = param === undefined ? undefined : params?.[param]
  return typeof name === 'string' ? encodedFault(headers, NAME_HEADER, name) : undefined
}

/** The standard headers for a request with these params. Spec: as above, standard request headers. */
export function standardHeaders(
  version: string,
  method: string,
  params: { readonly [name: string]: unknown } | undefined,
): Record<string, string> {
  const param = methodRow(method, version)?.headerParam
  const name = param === undefined ? undefined : params?.[param]
  return {
    [PROTOCOL_VERSION_HEADER]: version,
    [METHOD_HEADER]: method,
    ...(typeof name === 'string' && { [NAME_HEADER]: encodeHeaderValue(name) }),
  }
}

/** A header's value without the white space around it; several values are joined, as they would be on the wire. */
export function headerOf(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  const text = typeof value === 'string' ? value : value?.join(', ')
  // Node has taken the white space away already; who makes headers otherwise may not have.
  return text === undefined || !/^[ \t]|[ \t]$/.test(text) ? text : text.replace(/^[ \t]+|[ \t]+$/g, '')
}

/**
 * A value as a header carries it: itself where it is plain ASCII without tabs or spaces around it, else its UTF-8 in base64.
 * Lone surrogates become U+FFFD. Spec: as above, value encoding.
 */
export function encodeHeaderValue(value: string | number | boolean): string {
  const text = String(value)
  const isPlain = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/.test(text)
  if (isPlain && !(text.startsWith(PREFIX) && text.endsWith(SUFFIX))) return text
  return `${PREFIX}${Buffer.from(text, 'utf8').toString('base64')}${SUFFIX}`
}

/** What a header's value stands for; undefined when it is malformed: characters of no header, base64 or UTF-8 that is none. */
export function decodeHeaderValue(value: string): string | undefined {
  if (!/^[\t\x20-\x7e]*$/.test(value)) return undefined
  if (value.length < PREFIX.length + SUFFIX.length || !value.startsWith(PREFIX) || !value.endsWith(SUFFIX)) return value
  const base64 = value.slice(PREFIX.length, -SUFFIX.length)
  const bytes = Buffer.from(base64, 'base64')
  // Node reads base64 leniently; only what it would have written itself is base64 as the specification wants it.
  if (bytes.toString('base64') !== base64) return undefined
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

const PREFIX = '=?base64?'
const SUFFIX = '?='
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A header that must be there and be the body's value, letter by letter. */
function plainFault(headers: RequestHeaders, name: string, expected: string): ErrorObject | undefined {
  const value = headerOf(headers, name)
  if (value === undefined) return missing(name, expected)
  return value === expected ? undefined : mismatch(name, value, expected)
}

/** As `plainFault`, for a header that may be encoded. */
function encodedFault(headers: RequestHeaders, name: string, expected: string): ErrorObject | undefined {
  const value = headerOf(headers, name)
  if (value === undefined) return missing(name, expected)
  const decoded = decodeHeaderValue(value)
  if (decoded === undefined) return malformed(name, value)
  return decoded === expected ? undefined : mismatch(name, decoded, expected)
}

/** The error for a header that should be there. */
export function missing(name: string, expected: unknown): ErrorObject {
  return mismatchError(`the header ${name} is missing, the body says ${describeValue(expected)}`)
}

/** The error for a header that no client may have meant. */
export function malformed(name: string, value: string): ErrorObject {
  return mismatchError(`${name} holds ${describeValue(value)}, which is neither plain ASCII nor valid =?base64?...?=`)
}

/** The error for a header that contradicts the body. */
export function mismatch(name: string, value: string, expected: unknown): ErrorObject {
  return mismatchError(`${name} says ${describeValue(value)}, the body says ${describeValue(expected)}`)
}

function mismatchError(reason: string): ErrorObject {
  return toErrorObject(headerMismatch(`Header mismatch: ${reason}`))
}
