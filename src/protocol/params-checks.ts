/**
 * Checks of the params of requests and notifications: each returns undefined, or the sentence for a -32602 that names the
 * field and what came. Members that nobody defined are let through, as the specification asks. The method table says which
 * check belongs to which method.
 *
 *     const check = fields(string('name'), optionalObject('arguments'))
 *     check({ name: 7 })          // 'params.name must be a string, got number 7'
 */
import { describeValue } from './describe.ts'
import { isObject, isRequestId, type JsonObject } from './json-rpc.ts'

export type Check = (params: JsonObject | undefined) => string | undefined
export type FieldCheck = (params: JsonObject) => string | undefined

const nothingSent: JsonObject = Object.freeze({})

/** A check of `_meta` and then of fields, in their order; the first fault is told. No params count as an empty object. */
export function fields(...checks: readonly FieldCheck[]): Check {
  return (params = nothingSent) => {
    const metaFault = checkMeta(params)
    if (metaFault !== undefined) return metaFault
    for (const check of checks) {
      const found = check(params)
      if (found !== undefined) return found
    }
    return undefined
  }
}

export function fault(field: string, expected: string, value: unknown): string {
  return `params.${field} must be ${expected}, got ${describeValue(value)}`
}

export const isString = (value: unknown): boolean => typeof value === 'string'
const isBoolean = (value: unknown): boolean => typeof value === 'boolean'
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)

export function required(name: string, expected: string, accepts: (value: unknown) => boolean): FieldCheck {
  return (params) => (accepts(params[name]) ? undefined : fault(name, expected, params[name]))
}

export function optional(name: string, expected: string, accepts: (value: unknown) => boolean): FieldCheck {
  return (params) => {
    const value = params[name]
    return value === undefined || accepts(value) ? undefined : fault(name, expected, value)
  }
}

export const string = (name: string): FieldCheck => required(name, 'a string', isString)
export const optionalString = (name: string): FieldCheck => optional(name, 'a string', isString)
export const object = (name: string): FieldCheck => required(name, 'an object', isObject)
export const optionalObject = (name: string): FieldCheck => optional(name, 'an object', isObject)
export const number = (name: string): FieldCheck => required(name, 'a finite number', isNumber)
export const optionalNumber = (name: string): FieldCheck => optional(name, 'a finite number', isNumber)

function checkMeta(params: JsonObject): string | undefined {
  const meta = params['_meta']
  if (meta === undefined) return undefined
  if (!isObject(meta)) return fault('_meta', 'an object', meta)
  const token = meta['progressToken']
  return token === undefined || isRequestId(token)
    ? undefined
    : fault('_meta.progressToken', 'a string or an integer', token)
}

/** The parameter that makes a task of a call, in 2025-11-25. */
export function checkTask(params: JsonObject): string | undefined {
  const task = params['task']
  if (task === undefined) return undefined
  if (!isObject(task)) return fault('task', 'an object', task)
  const ttl = task['ttl']
  return ttl === undefined || (isNumber(ttl) && (ttl as number) >= 0)
    ? undefined
    : fault('task.ttl', 'a number of milliseconds, 0 or more', ttl)
}

export function checkImplementation(name: string): FieldCheck {
  return (params) => {
    const info = params[name]
    if (!isObject(info)) return fault(name, 'an object', info)
    if (!isString(info['name'])) return fault(`${name}.name`, 'a string', info['name'])
    return isString(info['version']) ? undefined : fault(`${name}.version`, 'a string', info['version'])
  }
}

/** `arguments` of prompts/get. */
export function checkStringArguments(params: JsonObject): string | undefined {
  return checkStringMap('arguments', params['arguments'])
}

/** What a completion is for. */
export function checkRef(params: JsonObject): string | undefined {
  const ref = params['ref']
  if (!isObject(ref)) return fault('ref', 'an object', ref)
  if (ref['type'] === 'ref/prompt')
    return isString(ref['name']) ? undefined : fault('ref.name', 'a string', ref['name'])
  if (ref['type'] === 'ref/resource') return isString(ref['uri']) ? undefined : fault('ref.uri', 'a string', ref['uri'])
  return fault('ref.type', '"ref/prompt" or "ref/resource"', ref['type'])
}

export function checkCompletionArgument(params: JsonObject): string | undefined {
  const argument = params['argument']
  if (!isObject(argument)) return fault('argument', 'an object', argument)
  if (!isString(argument['name'])) return fault('argument.name', 'a string', argument['name'])
  return isString(argument['value']) ? undefined : fault('argument.value', 'a string', argument['value'])
}

export function checkCompletionContext(params: JsonObject): string | undefined {
  const context = params['context']
  if (context === undefined) return undefined
  return isObject(context)
    ? checkStringMap('context.arguments', context['arguments'])
    : fault('context', 'an object', context)
}

export function checkSamplingMessages(params: JsonObject): string | undefined {
  const messages = params['messages']
  if (!Array.isArray(messages)) return fault('messages', 'an array', messages)
  for (const [index, message] of messages.entries()) {
    if (!isObject(message)) return fault(`messages[${index}]`, 'an object', message)
    const { role, content } = message
    if (role !== 'user' && role !== 'assistant') return fault(`messages[${index}].role`, '"user" or "assistant"', role)
    if (!isObject(content) && !Array.isArray(content)) {
      return fault(`messages[${index}].content`, 'a content block or an array of them', content)
    }
  }
  return undefined
}

/** An elicitation; `needsId` where one by URL is told complete by its id, in 2025-11-25. */
export function checkElicitation(needsId: boolean): FieldCheck {
  return (params) => {
    const mode = params['mode']
    if (mode === undefined || mode === 'form') return object('requestedSchema')(params)
    if (mode === 'url') return string('url')(params) ?? (needsId ? string('elicitationId')(params) : undefined)
    return fault('mode', '"form" or "url"', mode)
  }
}

/**
 * The answers to input requests: an object of objects. What the answers hold is for whoever asked; keys that nobody asked
 * for are let through. Spec: MCP 2026-07-28, basic/patterns/mrtr, error handling.
 */
export function checkInputResponses(params: JsonObject): string | undefined {
  const responses = params['inputResponses']
  if (!isObject(responses)) return fault('inputResponses', 'an object', responses)
  for (const key of Object.keys(responses)) {
    if (!isObject(responses[key])) return fault(`inputResponses.${key}`, 'an object', responses[key])
  }
  return undefined
}

/** What a retried request brings along. Spec: MCP 2026-07-28, basic/patterns/mrtr. */
export function checkInput(params: JsonObject): string | undefined {
  const { inputResponses, requestState } = params
  if (requestState !== undefined && !isString(requestState)) return fault('requestState', 'a string', requestState)
  return inputResponses === undefined ? undefined : checkInputResponses(params)
}

/** What a subscription is for. Spec: MCP 2026-07-28, basic/patterns/subscriptions; `taskIds`: SEP-2663. */
export function checkSubscriptionFilter(params: JsonObject): string | undefined {
  const filter = params['notifications']
  if (!isObject(filter)) return fault('notifications', 'an object', filter)
  for (const name of ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged']) {
    const wanted = filter[name]
    if (wanted !== undefined && !isBoolean(wanted)) return fault(`notifications.${name}`, 'a boolean', wanted)
  }
  return checkStrings('resourceSubscriptions', filter) ?? checkStrings('taskIds', filter)
}

function checkStrings(name: string, filter: JsonObject): string | undefined {
  const list = filter[name]
  if (list === undefined) return undefined
  if (!Array.isArray(list)) return fault(`notifications.${name}`, 'an array of strings', list)
  const index = list.findIndex((item) => !isString(item))
  return index === -1 ? undefined : fault(`notifications.${name}[${index}]`, 'a string', list[index])
}

function checkStringMap(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (!isObject(value)) return fault(name, 'an object of strings', value)
  for (const key of Object.keys(value)) {
    if (!isString(value[key])) return fault(`${name}.${key}`, 'a string', value[key])
  }
  return undefined
}
