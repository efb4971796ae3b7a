/**
 * Sampling in both eras: what a server may ask a client's model, and what may come back. Each check gives undefined or a
 * sentence that names the member and what came.
 *
 *     sampleRequestFault({ messages: [{ role: 'user', content: text('Hi') }], maxTokens: 100 })   // undefined
 *     sampleRequestFault({ messages: [], maxTokens: 0 })     // 'params.maxTokens must be a whole number above 0, got number 0'
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, client/sampling.
 */
import { contentFault } from './content.ts'
import { describeValue } from './describe.ts'
import { isObject, type JsonObject } from './json-rpc.ts'

/** Most messages of a request, blocks of a message and tools on offer. */
export const SAMPLE_MESSAGES_MAX = 10_000
export const SAMPLE_TOOLS_MAX = 1_000

const priorities = ['costPriority', 'speedPriority', 'intelligencePriority'] as const

/** What is wrong with the params of sampling/createMessage. */
export function sampleRequestFault(request: unknown): string | undefined {
  if (!isObject(request)) return `params must be an object, got ${describeValue(request)}`
  return optionsFault(request) ?? toolsFault(request) ?? messagesFault(request['messages'])
}

/** What is wrong with a client's answer; with the request also whether tools were on offer. */
export function sampleResultFault(result: unknown, request?: unknown): string | undefined {
  if (!isObject(result)) return `result must be an object, got ${describeValue(result)}`
  const { role, model, content, stopReason } = result
  if (role !== 'user' && role !== 'assistant') return resultFault('role', '"user" or "assistant"', role)
  if (typeof model !== 'string') return resultFault('model', 'a string', model)
  if (stopReason !== undefined && typeof stopReason !== 'string')
    return resultFault('stopReason', 'a string', stopReason)
  if (content === undefined) return resultFault('content', 'a block or an array of them', content)
  const blocks: readonly unknown[] = Array.isArray(content) ? content : [content]
  for (const [index, block] of blocks.entries()) {
    const at = Array.isArray(content) ? `content[${index}]` : 'content'
    const found = blockFault(block, 'assistant')
    if (found !== undefined) return `result.${at} ${found}`
  }
  if (isObject(request) && request['tools'] === undefined && blocks.some((block) => typeOf(block) === 'tool_use')) {
    return 'result.content calls a tool, and the request offered none'
  }
  return undefined
}

function optionsFault(request: JsonObject): string | undefined {
  const { maxTokens, temperature, systemPrompt, includeContext, stopSequences, modelPreferences, metadata } = request
  if (!Number.isSafeInteger(maxTokens) || (maxTokens as number) < 1) {
    return fault('maxTokens', 'a whole number above 0', maxTokens)
  }
  if (
    temperature !== undefined &&
    !(typeof temperature === 'number' && temperature >= 0 && Number.isFinite(temperature))
  )
    return fault('temperature', 'a number, 0 or more', temperature)
  if (systemPrompt !== undefined && typeof systemPrompt !== 'string')
    return fault('systemPrompt', 'a string', systemPrompt)
  if (includeContext !== undefined && !['none', 'thisServer', 'allServers'].includes(includeContext as string)) {
    return fault('includeContext', '"none", "thisServer" or "allServers"', includeContext)
  }
  if (stopSequences !== undefined && !isArrayOfStrings(stopSequences))
    return fault('stopSequences', 'an array of strings', stopSequences)
  if (metadata !== undefined && !isObject(metadata)) return fault('metadata', 'an object', metadata)
  return modelPreferences === undefined ? undefined : preferencesFault(modelPreferences)
}

function preferencesFault(preferences: unknown): string | undefined {
  if (!isObject(preferences)) return fault('modelPreferences', 'an object', preferences)
  for (const name of priorities) {
    const value = preferences[name]
    if (value !== undefined && !(typeof value === 'number' && value >= 0 && value <= 1)) {
      return fault(`modelPreferences.${name}`, 'a number from 0 to 1', value)
    }
  }
  const { hints } = preferences
  if (hints === undefined) return undefined
  const isGood =
    Array.isArray(hints) &&
    hints.every((hint) => isObject(hint) && (hint['name'] === undefined || typeof hint['name'] === 'string'))
  return isGood ? undefined : fault('modelPreferences.hints', 'an array of objects with a string name', hints)
}

function toolsFault({ tools, toolChoice }: JsonObject): string | undefined {
  if (toolChoice !== undefined) {
    if (!isObject(toolChoice)) return fault('toolChoice', 'an object', toolChoice)
    const { mode } = toolChoice
    if (mode !== undefined && mode !== 'auto' && mode !== 'required' && mode !== 'none')
      return fault('toolChoice.mode', '"auto", "required" or "none"', mode)
    if (mode === 'required' && (!Array.isArray(tools) || tools.length === 0))
      return 'params.toolChoice.mode is "required", so params.tools must offer a tool'
  }
  if (tools === undefined) return undefined
  if (!Array.isArray(tools)) return fault('tools', 'an array of tools', tools)
  if (tools.length > SAMPLE_TOOLS_MAX) return `params.tools may hold ${SAMPLE_TOOLS_MAX} tools, got ${tools.length}`
  const names = new Set<string>()
  for (const [index, tool] of tools.entries()) {
    const { name, inputSchema }: JsonObject = isObject(tool) ? tool : {}
    if (typeof name !== 'string' || name === '') return fault(`tools[${index}].name`, 'a string', name)
    if (names.has(name)) return `params.tools has two tools named ${JSON.stringify(name)}`
    names.add(name)
    if (!isObject(inputSchema) || inputSchema['type'] !== 'object')
      return fault(`tools[${index}].inputSchema`, 'a schema of type "object"', inputSchema)
  }
  return undefined
}

function messagesFault(messages: unknown): string | undefined {
  if (!Array.isArray(messages) || messages.length === 0)
    return fault('messages', 'an array of at least one message', messages)
  if (messages.length > SAMPLE_MESSAGES_MAX)
    return `params.messages may hold ${SAMPLE_MESSAGES_MAX} messages, got ${messages.length}`
  let open: readonly string[] = []
  for (const [index, message] of messages.entries()) {
    const at = `messages[${index}]`
    if (!isObject(message)) return fault(at, 'a message', message)
    const { role, content } = message
    if (role !== 'user' && role !== 'assistant') return fault(`${at}.role`, '"user" or "assistant"', role)
    const blocks: readonly unknown[] = Array.isArray(content) ? content : [content]
    if (blocks.length === 0) return fault(`${at}.content`, 'a block or at least one', content)
    for (const [number, block] of blocks.entries()) {
      const found = blockFault(block, role)
      if (found !== undefined) return `params.${at}.content${Array.isArray(content) ? `[${number}]` : ''} ${found}`
    }
    const matching = answersFault(at, blocks, open)
    if (matching !== undefined) return matching
    const used = idsOf(blocks, 'tool_use', 'id')
    if (new Set(used).size !== used.length) return `params.${at}.content has two tool_use blocks of the same id`
    open = used
  }
  return open.length === 0
    ? undefined
    : `params.messages ends with an unanswered tool_use ${JSON.stringify(open[0])}: add a user message with its tool_result`
}

/** The tool results of a message are those that the message before it called for, all of them and nothing else. */
function answersFault(at: string, blocks: readonly unknown[], open: readonly string[]): string | undefined {
  const answered = idsOf(blocks, 'tool_result', 'toolUseId')
  if (answered.length > 0 && answered.length < blocks.length) {
    return `params.${at}.content must hold tool results only, once it holds one`
  }
  const missing = open.find((id) => !answered.includes(id))
  if (missing !== undefined) {
    return `params.${at} must answer the tool_use ${JSON.stringify(missing)} of the message before it with a tool_result`
  }
  const strange = answered.find((id, index) => !open.includes(id) || answered.indexOf(id) !== index)
  return strange === undefined
    ? undefined
    : `params.${at} has a tool_result for ${JSON.stringify(strange)}, which the message before it did not call once`
}

function blockFault(block: unknown, role: 'user' | 'assistant'): string | undefined {
  if (!isObject(block)) return `must be a content block, got ${describeValue(block)}`
  const { type, id, name, input, toolUseId, content } = block
  switch (type) {
    case 'text':
    case 'image':
    case 'audio':
      return contentFault(block)
    case 'tool_use':
      if (role !== 'assistant') return 'is a tool_use, which belongs to the assistant'
      if (typeof id !== 'string' || typeof name !== 'string') return 'of type tool_use needs a string id and name'
      return isObject(input) ? undefined : `of type tool_use needs an object as input, got ${describeValue(input)}`
    case 'tool_result': {
      if (role !== 'user') return 'is a tool_result, which belongs to the user'
      if (typeof toolUseId !== 'string') return 'of type tool_result needs a string toolUseId'
      if (!Array.isArray(content)) return `of type tool_result needs an array as content, got ${describeValue(content)}`
      const found = content.map(contentFault).find((one) => one !== undefined)
      return found === undefined ? undefined : `of type tool_result has content that ${found}`
    }
    default:
      return `has type ${describeValue(type)}; text, image, audio, tool_use and tool_result exist`
  }
}

function typeOf(block: unknown): unknown {
  return isObject(block) ? block['type'] : undefined
}

function idsOf(blocks: readonly unknown[], type: string, member: string): string[] {
  return blocks.flatMap((block) => (isObject(block) && block['type'] === type ? [block[member] as string] : []))
}

function isArrayOfStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function fault(member: string, expected: string, value: unknown): string {
  return `params.${member} must be ${expected}, got ${describeValue(value)}`
}

function resultFault(member: string, expected: string, value: unknown): string {
  return `result.${member} must be ${expected}, got ${describeValue(value)}`
}
