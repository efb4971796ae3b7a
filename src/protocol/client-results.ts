/**
 * A check of what a client is asked, and of what it answered to sampling, elicitation and roots, before a handler is given it.
 * Like the params checks of the method table: undefined, or a sentence that names the member and what came.
 *
 *     clientResultFault('elicitation/create', { action: 'maybe' })
 *     // 'result.action must be "accept", "decline" or "cancel", got string "maybe"'
 */
import { describeValue } from './describe.ts'
import { elicitRequestFault, elicitResultFault } from './elicit-requests.ts'
import { isObject, type JsonObject } from './json-rpc.ts'
import { sampleRequestFault, sampleResultFault } from './sample-requests.ts'

/** Most roots of one client that are taken. */
export const ROOTS_MAX = 1_000

/** What is wrong with the params of a question, if anything; `era` is that of the client. */
export function clientRequestFault(method: string, params: unknown, era: 'legacy' | 'modern'): string | undefined {
  if (method === 'elicitation/create') return elicitRequestFault(params, era)
  return method === 'sampling/createMessage' ? sampleRequestFault(params) : undefined
}

/**
 * What is wrong with a client's result of `method`, if anything. With the params of the request the answer must fit them
 * too: an accepted form holds what was asked for. Other methods' results are let through.
 */
export function clientResultFault(method: string, result: JsonObject, params?: unknown): string | undefined {
  switch (method) {
    case 'sampling/createMessage':
      return sampleResultFault(result, params)
    case 'elicitation/create':
      return elicitResultFault(params, result)
    case 'roots/list':
      return rootsResultFault(result)
    default:
      return undefined
  }
}

/** What is wrong with the result of roots/list: each root is a file: URI. Spec: MCP 2025-11-25, client/roots. */
export function rootsResultFault(result: unknown): string | undefined {
  const roots: unknown = isObject(result) ? result['roots'] : undefined
  if (!Array.isArray(roots)) return `result.roots must be an array, got ${describeValue(roots)}`
  if (roots.length > ROOTS_MAX) return `result.roots may hold ${ROOTS_MAX} roots, got ${roots.length}`
  for (const [index, root] of roots.entries()) {
    const at = `result.roots[${index}]`
    if (!isObject(root) || typeof root['uri'] !== 'string') {
      return `${at} must be an object with a string uri, got ${describeValue(root)}`
    }
    const { uri, name } = root
    if (!/^file:\/\//i.test(uri) || !URL.canParse(uri))
      return `${at}.uri must be a file:// URI, got ${describeValue(uri)}`
    if (name !== undefined && typeof name !== 'string') return `${at}.name must be a string, got ${describeValue(name)}`
  }
  return undefined
}
