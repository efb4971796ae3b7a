/**
 * Elicitation in both eras: what a server may ask a user for, and what may come back. Each check gives undefined or a sentence
 * that names the member and what came.
 *
 *     const request = { message: 'Sure?', requestedSchema: { type: 'object', properties: { ok: { type: 'boolean', default: true } } } }
 *     elicitRequestFault(request)                                              // undefined
 *     const filled = withElicitDefaults(request, { action: 'accept' })         // { action: 'accept', content: { ok: true } }
 *     elicitResultFault(request, filled)                                       // undefined
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, client/elicitation.
 */
import { describeValue } from './describe.ts'
import { formDefaults, formSchemaFault } from './elicit-schema.ts'
import { describeIssues } from './issues.ts'
import { isObject, type JsonObject } from './json-rpc.ts'
import { compileSchema } from './json-schema.ts'

/** Longest message to a user, and longest address, in characters. */
export const ELICIT_MESSAGE_LENGTH_MAX = 65_536
export const ELICIT_URL_LENGTH_MAX = 8_192

/** What is wrong with the params of elicitation/create. `era` says whether a page needs an `elicitationId`: 'legacy' does. */
export function elicitRequestFault(request: unknown, era: 'legacy' | 'modern' = 'legacy'): string | undefined {
  if (!isObject(request)) return `params must be an object, got ${describeValue(request)}`
  const { mode, message, requestedSchema } = request
  if (typeof message !== 'string') return fault('message', 'a string', message)
  if (message.length > ELICIT_MESSAGE_LENGTH_MAX) {
    return `params.message may be ${ELICIT_MESSAGE_LENGTH_MAX} characters long, got ${message.length}`
  }
  if (mode === 'url') return urlFault(request, era)
  if (mode !== undefined && mode !== 'form') return fault('mode', '"form" or "url"', mode)
  const found = formSchemaFault(requestedSchema)
  if (found === undefined) return undefined
  return `params.requestedSchema${found.startsWith('must') ? ' ' : '.'}${found}`
}

/**
 * What is wrong with a client's answer to `request`. A form that was accepted must hold what was asked for; fields that were
 * not asked for must be primitives. Use `withElicitDefaults` first.
 */
export function elicitResultFault(request: unknown, result: unknown): string | undefined {
  if (!isObject(result)) return `result must be an object, got ${describeValue(result)}`
  const { action, content } = result
  if (action !== 'accept' && action !== 'decline' && action !== 'cancel') {
    return `result.action must be "accept", "decline" or "cancel", got ${describeValue(action)}`
  }
  if (content !== undefined && !isObject(content)) {
    return `result.content must be an object, got ${describeValue(content)}`
  }
  const { mode, requestedSchema }: JsonObject = isObject(request) ? request : {}
  if (action !== 'accept' || mode === 'url') {
    if (content === undefined || Object.keys(content).length === 0) return undefined
    return `result.content belongs to an accepted form only, got ${describeValue(content)} with the action "${action}"`
  }
  const strange = Object.entries(content ?? {}).find(([, value]) => !isFieldValue(value))
  if (strange !== undefined) {
    return `result.content.${strange[0]} must be a string, number, boolean or array of strings, got ${describeValue(strange[1])}`
  }
  if (!isObject(requestedSchema)) return undefined
  const issues = compileSchema(requestedSchema).check(content ?? {})
  if (issues === undefined) return undefined
  return `result.content does not match the form: ${describeIssues(issues).replaceAll('(arguments)', 'content')}`
}

/** An accepted form whose missing fields have the defaults of the form; any other result as it is. */
export function withElicitDefaults<R extends { readonly action?: unknown; readonly content?: unknown }>(
  request: unknown,
  result: R,
): R {
  if (!isObject(request) || request['mode'] === 'url' || result.action !== 'accept') return result
  const content = result.content === undefined ? {} : result.content
  if (!isObject(content)) return result
  const missing = Object.entries(formDefaults(request['requestedSchema'])).filter(
    ([name]) => !Object.hasOwn(content, name),
  )
  return missing.length === 0 ? result : { ...result, content: { ...Object.fromEntries(missing), ...content } }
}

function urlFault({ url, elicitationId, requestedSchema }: JsonObject, era: 'legacy' | 'modern'): string | undefined {
  if (typeof url !== 'string' || url.length > ELICIT_URL_LENGTH_MAX || !URL.canParse(url)) {
    return fault('url', `a URL of at most ${ELICIT_URL_LENGTH_MAX} characters`, url)
  }
  const { protocol, hostname, username, password } = new URL(url)
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback(hostname))) {
    return fault('url', 'an https: URL, or an http: one of this machine', url)
  }
  if (username !== '' || password !== '') return 'params.url must not hold credentials'
  if (requestedSchema !== undefined) return 'params.requestedSchema belongs to the mode "form"'
  if (era === 'modern' && elicitationId === undefined) return undefined
  return typeof elicitationId === 'string' && elicitationId !== ''
    ? undefined
    : fault('elicitationId', 'a string that is unique to this server', elicitationId)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127\./.test(hostname)
}

function isFieldValue(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string')
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  )
}

function fault(member: string, expected: string, value: unknown): string {
  return `params.${member} must be ${expected}, got ${describeValue(value)}`
}
