/** A sampling request as the body of the Messages API. */
import type { JsonObject, SampleRequest, SamplingContent, SamplingMessage } from '#protocol'
import { blocksOf, type PlainBlock, plainBlock, resultBlocks, toolNamesOf } from './content.ts'
import type { Writing } from './dialect.ts'
import { unsupported } from './errors.ts'

const imageTypes: readonly string[] = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']
const choices = { auto: 'auto', required: 'any', none: 'none' } as const
const TEMPERATURE_MAX = 1

/** What writes the body. A temperature above the API's most is sent as that. */
export const anthropicBody =
  (hasTemperature: boolean) =>
  (request: SampleRequest, writing: Writing): JsonObject => {
    const { systemPrompt, temperature, stopSequences, metadata } = request
    const userId = metadata?.['user_id']
    return {
      model: writing.model,
      max_tokens: writing.maxTokens,
      stream: true,
      messages: request.messages.flatMap((message) => messageOf(message, writing)),
      ...(systemPrompt === undefined || systemPrompt === '' ? {} : { system: systemPrompt }),
      ...(temperature === undefined || !hasTemperature ? {} : { temperature: Math.min(temperature, TEMPERATURE_MAX) }),
      ...(stopSequences === undefined || stopSequences.length === 0 ? {} : { stop_sequences: [...stopSequences] }),
      ...(typeof userId === 'string' ? { metadata: { user_id: userId } } : {}),
      ...toolsOf(request, writing),
    }
  }

function toolsOf(request: SampleRequest, { tools: aliases }: Writing): JsonObject {
  const { tools = [], toolChoice } = request
  if (tools.length > 0) {
    return {
      tools: tools.map(({ name, description, inputSchema }) => ({
        name: aliases.toWire(name),
        ...(description === undefined ? {} : { description }),
        input_schema: inputSchema,
      })),
      ...(toolChoice === undefined ? {} : { tool_choice: { type: choices[toolChoice.mode ?? 'auto'] } }),
    }
  }
  // A conversation with tool uses in it must declare its tools, even if none is to be called any more.
  const used = new Set(toolNamesOf(request))
  if (used.size === 0) return {}
  return {
    tools: [...used].map((name) => ({ name: aliases.toWire(name), input_schema: { type: 'object' } })),
    tool_choice: { type: 'none' },
  }
}

function messageOf(message: SamplingMessage, writing: Writing): JsonObject[] {
  const content = blocksOf(message).flatMap((block) => blockOf(block, writing))
  // The API takes no empty text, and so no message that is nothing else.
  return content.length === 0 ? [] : [{ role: message.role, content }]
}

function blockOf(block: SamplingContent, { ids, tools, hiddenBefore }: Writing): JsonObject[] {
  switch (block.type) {
    case 'tool_use': {
      const { id, name, input } = block
      return [...hiddenBefore(id), { type: 'tool_use', id: ids.toWire(id), name: tools.toWire(name), input }]
    }
    case 'tool_result': {
      const content = resultBlocks(block).flatMap(plainOf)
      return [
        {
          type: 'tool_result',
          tool_use_id: ids.toWire(block.toolUseId),
          ...(content.length === 0 ? {} : { content }),
          ...(block.isError === true ? { is_error: true } : {}),
        },
      ]
    }
    default:
      return plainOf(plainBlock(block))
  }
}

function plainOf(block: PlainBlock): JsonObject[] {
  if (block.type === 'text') return block.text === '' ? [] : [{ type: 'text', text: block.text }]
  const { type, data, mimeType } = block
  const source = { type: 'base64', media_type: mimeType, data }
  if (type === 'image' && imageTypes.includes(mimeType)) return [{ type: 'image', source }]
  if (type === 'file' && mimeType === 'application/pdf') return [{ type: 'document', source }]
  throw unsupported(
    `The Messages API takes text, images (${imageTypes.join(', ')}) and PDF, got ${type} of type ${JSON.stringify(mimeType.slice(0, 100))}.`,
  )
}
