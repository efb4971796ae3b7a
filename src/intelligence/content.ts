/**
 * MCP's content blocks on their way to a provider: what all vendors need done with them, before each gives them its own shape.
 */
import type {
  ContentBlock,
  JsonObject,
  SampleRequest,
  SamplingContent,
  SamplingMessage,
  ToolResultContent,
} from '#protocol'

/** A block that a vendor has to find a shape for. `data` is base64. */
export type PlainBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image' | 'audio' | 'file'; readonly data: string; readonly mimeType: string }

/** The blocks of a message, of which a single one may stand without a list. */
export function blocksOf({ content }: SamplingMessage): readonly SamplingContent[] {
  // Array.isArray does not narrow readonly arrays.
  return Array.isArray(content) ? (content as readonly SamplingContent[]) : [content as SamplingContent]
}

/** Text, image and audio as they are; resources as what they hold; links as a line of text. */
export function plainBlock(block: ContentBlock): PlainBlock {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text }
    case 'image':
    case 'audio':
      return { type: block.type, data: block.data, mimeType: block.mimeType }
    case 'resource_link':
      return { type: 'text', text: [block.title ?? block.name, block.uri, block.description ?? ''].join('\n').trim() }
    case 'resource': {
      const { resource } = block
      if ('text' in resource) return { type: 'text', text: `${resource.uri}\n${resource.text}` }
      const { blob: data, mimeType = 'application/octet-stream' } = resource
      const kind = mimeType.startsWith('image/') ? 'image' : mimeType.startsWith('audio/') ? 'audio' : 'file'
      return { type: kind, data, mimeType }
    }
  }
}

/** What a tool answered, as plain blocks; its structured content where there is nothing else. */
export function resultBlocks({ content, structuredContent }: ToolResultContent): readonly PlainBlock[] {
  if (content.length > 0 || structuredContent === undefined) return content.map(plainBlock)
  return [{ type: 'text', text: JSON.stringify(structuredContent) }]
}

export const dataUrl = ({ mimeType, data }: { readonly mimeType: string; readonly data: string }): string =>
  `data:${mimeType};base64,${data}`

/** Every tool name of a request: those on offer, then those that were called before. */
export function toolNamesOf({ tools = [], messages }: SampleRequest): string[] {
  const used = messages.flatMap((message) =>
    blocksOf(message).flatMap((one) => (one.type === 'tool_use' ? one.name : [])),
  )
  return [...tools.map(({ name }) => name), ...used]
}

/** The ids of all tool uses of the conversation. */
export function toolUseIdsOf({ messages }: SampleRequest): string[] {
  return messages.flatMap((message) =>
    blocksOf(message).flatMap((one) =>
      one.type === 'tool_use' ? one.id : one.type === 'tool_result' ? one.toolUseId : [],
    ),
  )
}

/** The string members of `metadata`, at most so many: what vendors take as labels. */
export function labelsOf(metadata: JsonObject | undefined, countMax: number): JsonObject | undefined {
  const labels = Object.entries(metadata ?? {}).filter(([, value]) => typeof value === 'string')
  return labels.length === 0 ? undefined : Object.fromEntries(labels.slice(0, countMax))
}
