/**
 * A check of what a client answered to sampling, elicitation and roots, before a handler is given it. Like the params checks
 * of the method table: undefined, or a sentence that names the member and what came.
 *
 *     clientResultFault('elicitation/create', { action: 'maybe' })
 *     // 'result.action must be "accept", "decline" or "cancel", got string "maybe"'
 */
import { describeValue } from './describe.ts'
import { isObject, type JsonObject } from './json-rpc.ts'

/** What is wrong with a client's result of `method`, if anything. Other methods' results are let through. */
export function clientResultFault(method: string, result: JsonObject): string | undefined {
  switch (method) {
    case 'sampling/createMessage':
      return samplingFault(result)
    case 'elicitation/create':
      return elicitationFault(result)
    case 'roots/list':
      return rootsFault(result)
    default:
      return undefined
  }
}

function fault(member: string, expected: string, value: unknown): string {
  return `result.${member} must be ${expected}, got ${describeValue(value)}`
}

function samplingFault({ role, model, content, stopReason }: JsonObject): string | undefined {
  if (role !== 'user' && role !== 'assistant') return fault('role', '"user" or "assistant"', role)
  if (typeof model !== 'string') return fault('model', 'a string', model)
  if (stopReason !== undefined && typeof stopReason !== 'string') return fault('stopReason', 'a string', stopReason)
  const blocks: readonly unknown[] = Array.isArray(content) ? content : [content]
  const bad = blocks.find((block) => !isObject(block) || typeof block['type'] !== 'string')
  return bad === undefined && content !== undefined ? undefined : fault('content', 'blocks with a type', bad)
}

function elicitationFault({ action, content }: JsonObject): string | undefined {
  if (action !== 'accept' && action !== 'decline' && action !== 'cancel') {
    return fault('action', '"accept", "decline" or "cancel"', action)
  }
  return content === undefined || isObject(content) ? undefined : fault('content', 'an object', content)
}

function rootsFault({ roots }: JsonObject): string | undefined {
  if (!Array.isArray(roots)) return fault('roots', 'an array', roots)
  const index = roots.findIndex((root: unknown) => !isObject(root) || typeof root['uri'] !== 'string')
  return index === -1 ? undefined : fault(`roots[${index}]`, 'an object with a string uri', roots[index])
}
