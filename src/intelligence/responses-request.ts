/** A sampling request as the body of the responses API. */
import type { JsonObject, SampleRequest, SamplingMessage, ToolResultContent } from '#protocol'
import { fileName } from './chat-request.ts'
import { blocksOf, dataUrl, labelsOf, type PlainBlock, plainBlock, resultBlocks } from './content.ts'
import type { Writing } from './dialect.ts'
import { unsupported } from './errors.ts'

const LABELS_MAX = 16
const TEMPERATURE_MAX = 2

/** What writes the body. The API has no stop sequences: they are found on this side. */
export function responsesBody(isStored: boolean) {
  return (request: SampleRequest, writing: Writing): JsonObject => {
    const { systemPrompt, temperature, metadata, tools = [], toolChoice } = request
    const labels = isStored ? labelsOf(metadata, LABELS_MAX) : undefined
    return {
      model: writing.model,
      max_output_tokens: writing.maxTokens,
      stream: true,
      store: isStored,
      input: request.messages.flatMap((message) => itemsOf(message, writing)),
      ...(systemPrompt === undefined || systemPrompt === '' ? {} : { instructions: systemPrompt }),
      ...(temperature === undefined ? {} : { temperature: Math.min(temperature, TEMPERATURE_MAX) }),
      ...(labels === undefined ? {} : { metadata: labels }),
      ...(tools.length === 0 ? {} : { tools: tools.map((tool) => toolOf(tool, writing)) }),
      ...(tools.length === 0 || toolChoice === undefined ? {} : { tool_choice: toolChoice.mode ?? 'auto' }),
    }
  }
}

/** Not strict: the API's strict mode refuses most schemas that servers have. */
function toolOf(
  { name, description, inputSchema }: NonNullable<SampleRequest['tools']>[number],
  { tools }: Writing,
): JsonObject {
  const about = description === undefined ? {} : { description }
  return { type: 'function', name: tools.toWire(name), ...about, parameters: inputSchema, strict: false }
}

function itemsOf(message: SamplingMessage, writing: Writing): JsonObject[] {
  const items: JsonObject[] = []
  let parts: JsonObject[] = []
  const close = (): void => {
    if (parts.length > 0) items.push({ role: 'user', content: parts })
    parts = []
  }
  for (const block of blocksOf(message)) {
    if (block.type === 'tool_use') {
      const { ids, tools, hiddenBefore } = writing
      items.push(...hiddenBefore(block.id), {
        type: 'function_call',
        call_id: ids.toWire(block.id),
        name: tools.toWire(block.name),
        arguments: JSON.stringify(block.input),
      })
    } else if (block.type === 'tool_result') {
      items.push(outputOf(block, writing))
    } else if (message.role === 'assistant') {
      items.push(assistantItem(plainBlock(block)))
    } else {
      parts.push(userPart(plainBlock(block)))
    }
  }
  close()
  return items
}

function outputOf(result: ToolResultContent, { ids }: Writing): JsonObject {
  const blocks = resultBlocks(result)
  const marked = result.isError === true ? [{ type: 'text', text: 'Error:' } as const, ...blocks] : blocks
  const isText = marked.every(({ type }) => type === 'text')
  return {
    type: 'function_call_output',
    call_id: ids.toWire(result.toolUseId),
    output: isText ? marked.map((block) => ('text' in block ? block.text : '')).join('\n') : marked.map(userPart),
  }
}

function assistantItem(block: PlainBlock): JsonObject {
  if (block.type === 'text') return { role: 'assistant', content: block.text }
  throw unsupported(`The responses API takes only text and tool calls of the assistant, got ${block.type}.`)
}

function userPart(block: PlainBlock): JsonObject {
  switch (block.type) {
    case 'text':
      return { type: 'input_text', text: block.text }
    case 'image':
      return { type: 'input_image', image_url: dataUrl(block), detail: 'auto' }
    case 'file':
      return { type: 'input_file', filename: fileName(block.mimeType), file_data: dataUrl(block) }
    case 'audio':
      throw unsupported('The responses API takes no audio; use api: "chat" with a model that hears.')
  }
}
