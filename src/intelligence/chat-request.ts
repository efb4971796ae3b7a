/** A sampling request as the body of chat completions. */
import type { JsonObject, SampleRequest, SamplingMessage, ToolResultContent, ToolUseContent } from '#protocol'
import { blocksOf, dataUrl, labelsOf, type PlainBlock, plainBlock, resultBlocks } from './content.ts'
import type { Writing } from './dialect.ts'
import { unsupported } from './errors.ts'

/** Stop sequences and labels that the API takes; sequences beyond that are found on this side. */
const STOPS_MAX = 4
const LABELS_MAX = 16
const TEMPERATURE_MAX = 2

/** What writes the body: 'openai' for the vendor itself, 'compatible' for servers that know the older names only. */
export function chatBody(kind: 'openai' | 'compatible', isStored: boolean) {
  return (request: SampleRequest, writing: Writing): JsonObject => {
    const { systemPrompt, temperature, stopSequences = [], metadata, tools = [], toolChoice } = request
    const isOpenai = kind === 'openai'
    const labels = isStored ? labelsOf(metadata, LABELS_MAX) : undefined
    const system = systemPrompt === undefined || systemPrompt === '' ? [] : [{ role: 'system', content: systemPrompt }]
    return {
      model: writing.model,
      [isOpenai ? 'max_completion_tokens' : 'max_tokens']: writing.maxTokens,
      stream: true,
      stream_options: { include_usage: true },
      ...(isOpenai ? { store: isStored } : {}),
      messages: [...system, ...request.messages.flatMap((message) => messagesOf(message, writing))],
      ...(temperature === undefined ? {} : { temperature: Math.min(temperature, TEMPERATURE_MAX) }),
      ...(stopSequences.length === 0 ? {} : { stop: stopSequences.slice(0, STOPS_MAX) }),
      ...(labels === undefined ? {} : { metadata: labels }),
      ...(tools.length === 0 ? {} : { tools: tools.map((tool) => toolOf(tool, writing)) }),
      ...(tools.length === 0 || toolChoice === undefined ? {} : { tool_choice: toolChoice.mode ?? 'auto' }),
    }
  }
}

function toolOf(
  { name, description, inputSchema }: NonNullable<SampleRequest['tools']>[number],
  { tools }: Writing,
): JsonObject {
  const about = description === undefined ? {} : { description }
  return { type: 'function', function: { name: tools.toWire(name), ...about, parameters: inputSchema } }
}

function messagesOf(message: SamplingMessage, writing: Writing): JsonObject[] {
  const blocks = blocksOf(message)
  const results = blocks.filter((block) => block.type === 'tool_result')
  if (results.length > 0) return resultsOf(results, writing)
  const uses = blocks.filter((block) => block.type === 'tool_use')
  const plain = blocks.flatMap((block) =>
    block.type === 'tool_use' || block.type === 'tool_result' ? [] : [plainBlock(block)],
  )
  if (message.role === 'user') return [{ role: 'user', content: contentOf(plain.map(userPart)) }]
  const parts = plain.map(assistantPart)
  return [
    {
      role: 'assistant',
      content: parts.length === 0 && uses.length > 0 ? null : contentOf(parts),
      ...(uses.length === 0 ? {} : { tool_calls: uses.map((use) => callOf(use, writing)) }),
    },
  ]
}

function callOf({ id, name, input }: ToolUseContent, { ids, tools }: Writing): JsonObject {
  return {
    id: ids.toWire(id),
    type: 'function',
    function: { name: tools.toWire(name), arguments: JSON.stringify(input) },
  }
}

/** One message for each result. They hold text only: images follow, as the user's, once all results are there. */
function resultsOf(results: readonly ToolResultContent[], { ids }: Writing): JsonObject[] {
  const pictures: JsonObject[] = []
  const messages = results.map((result) => {
    const blocks = resultBlocks(result)
    const texts = blocks.flatMap((block) => (block.type === 'text' ? block.text : []))
    const others = blocks.filter((block) => block.type !== 'text')
    const id = ids.toWire(result.toolUseId)
    if (others.length > 0) {
      texts.push(`(${others.length} more of it below)`)
      pictures.push({ type: 'text', text: `From the result of ${id}:` }, ...others.map(userPart))
    }
    const text = texts.join('\n')
    return { role: 'tool', tool_call_id: id, content: result.isError === true ? `Error: ${text}` : text }
  })
  return pictures.length === 0 ? messages : [...messages, { role: 'user', content: pictures }]
}

/** A lone text as a string, which every server takes. */
function contentOf(parts: readonly JsonObject[]): unknown {
  const [only] = parts
  if (only === undefined) return ''
  return parts.length === 1 && only['type'] === 'text' ? only['text'] : parts
}

function userPart(block: PlainBlock): JsonObject {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text }
    case 'image':
      return { type: 'image_url', image_url: { url: dataUrl(block) } }
    case 'audio':
      return { type: 'input_audio', input_audio: { data: block.data, format: audioFormat(block.mimeType) } }
    case 'file':
      return { type: 'file', file: { filename: fileName(block.mimeType), file_data: dataUrl(block) } }
  }
}

function assistantPart(block: PlainBlock): JsonObject {
  if (block.type === 'text') return { type: 'text', text: block.text }
  throw unsupported(`Chat completions take only text and tool calls of the assistant, got ${block.type}.`)
}

function audioFormat(mimeType: string): string {
  if (/^audio\/(x-|vnd\.)?wave?$/.test(mimeType)) return 'wav'
  if (/^audio\/(mpeg|mp3)$/.test(mimeType)) return 'mp3'
  throw unsupported(`Chat completions take audio/wav and audio/mpeg, got ${JSON.stringify(mimeType.slice(0, 100))}.`)
}

export function fileName(mimeType: string): string {
  if (mimeType === 'application/pdf') return 'file.pdf'
  throw unsupported(`OpenAI's APIs take files of type application/pdf, got ${JSON.stringify(mimeType.slice(0, 100))}.`)
}
