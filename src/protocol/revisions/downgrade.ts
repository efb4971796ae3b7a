/**
 * The codec of the older revisions: takes neutral results and params and leaves out, or says in text, what a revision
 * lacks. Driven by the revision's features, so that a revision file is data.
 *
 * - An audio block or a resource link where the revision has none becomes a text block.
 * - Structured content where there is none is dropped; the same value is in the text.
 * - Titles, icons, annotations, output schemas, `_meta` of items are dropped; a tool's title goes to its annotations first.
 */
import type { SampleRequest, SamplingContent, SamplingMessage } from '#protocol/client-requests'
import type { Annotations, ContentBlock, ResourceContents, ToolResult } from '#protocol/content'
import type { PromptEntity, PromptMessage, ToolEntity } from '#protocol/entities'
import type { JsonObject } from '#protocol/json-rpc'
import { isObject } from '#protocol/json-rpc'
import { downgradeElicitation } from './downgrade-elicitation.ts'
import { legacyExtensions } from './extensions.ts'
import type { Feature, Revision } from './revision.ts'
import { objectResult, objectSchema, textOr } from './structured-content.ts'

/** A revision whose codec is the downgrading one. */
export function downgrading(data: Pick<Revision, 'version' | 'allowsBatches' | 'features'>): Revision {
  const codec = new Downgrade(data.features)
  return {
    ...data,
    era: 'legacy',
    encodeResult: (method, result) => codec.result(method, result),
    encodeParams: (method, params) => codec.params(method, params),
    encodeError: (error) => error,
  }
}

/** Neutral shapes are trusted here: they were checked where they were made. A cast below says which shape a method has. */
class Downgrade {
  readonly #features: ReadonlySet<Feature>
  readonly #itemFields: readonly string[]
  readonly #toolFields: readonly string[]
  readonly #implementationFields: readonly string[]
  readonly #capabilityFields: readonly string[]

  constructor(features: ReadonlySet<Feature>) {
    const lacks = (feature: Feature, ...names: string[]): string[] => (features.has(feature) ? [] : names)
    this.#features = features
    this.#itemFields = [...lacks('titles', 'title'), ...lacks('icons', 'icons'), ...lacks('itemMeta', '_meta')]
    this.#toolFields = [
      ...this.#itemFields,
      ...lacks('toolAnnotations', 'annotations'),
      ...lacks('structuredContent', 'outputSchema'),
      ...lacks('tasks', 'execution'),
    ]
    this.#implementationFields = [...lacks('titles', 'title'), ...lacks('icons', 'icons', 'description', 'websiteUrl')]
    this.#capabilityFields = [
      ...lacks('completions', 'completions'),
      ...lacks('tasks', 'tasks'),
      ...lacks('elicitation', 'elicitation'),
      ...lacks('extensions', 'extensions'),
    ]
  }

  result(method: string, result: JsonObject): JsonObject {
    switch (method) {
      case 'tools/call':
        return this.#toolResult(result as unknown as ToolResult) as unknown as JsonObject
      case 'tools/list':
        return { ...result, tools: (result['tools'] as readonly ToolEntity[]).map((tool) => this.#tool(tool)) }
      case 'resources/list':
        return this.#items(result, 'resources')
      case 'resources/templates/list':
        return this.#items(result, 'resourceTemplates')
      case 'resources/read':
        return {
          ...result,
          contents: (result['contents'] as readonly ResourceContents[]).map((held) => this.#held(held)),
        }
      case 'prompts/list':
        return {
          ...result,
          prompts: (result['prompts'] as readonly PromptEntity[]).map((prompt) => this.#prompt(prompt)),
        }
      case 'prompts/get':
        return {
          ...result,
          messages: (result['messages'] as readonly PromptMessage[]).map((message) => ({
            ...message,
            content: this.#block(message.content),
          })),
        }
      case 'initialize':
        return {
          ...result,
          capabilities: omit(legacyExtensions(result['capabilities'] as JsonObject), this.#capabilityFields),
          serverInfo: omit(result['serverInfo'] as JsonObject, this.#implementationFields),
        }
      case 'sampling/createMessage':
        return this.#sampleResult(result as unknown as SamplingMessage) as unknown as JsonObject
      case 'roots/list':
        return this.#items(result, 'roots')
      default:
        return result
    }
  }

  params(method: string, params: JsonObject): JsonObject {
    switch (method) {
      case 'notifications/progress':
        return this.#features.has('progressMessage') ? params : omit(params, ['message'])
      case 'sampling/createMessage':
        return this.#sampleRequest(params as unknown as SampleRequest)
      case 'elicitation/create':
        return this.#features.has('elicitationModes') ? params : downgradeElicitation(params)
      case 'tools/call':
        return this.#features.has('tasks') ? params : omit(params, ['task'])
      case 'completion/complete':
        return this.#features.has('completionContext') ? params : omit(params, ['context'])
      case 'initialize':
        return {
          ...params,
          capabilities: this.#clientCapabilities(params['capabilities'] as JsonObject),
          clientInfo: omit(params['clientInfo'] as JsonObject, this.#implementationFields),
        }
      default:
        return params
    }
  }

  #tool(tool: ToolEntity): ToolEntity {
    const left = omit(objectSchema(tool), this.#toolFields)
    if (tool.title === undefined || this.#features.has('titles') || !this.#features.has('toolAnnotations')) return left
    return { ...left, annotations: { title: tool.title, ...left.annotations } }
  }

  #prompt(prompt: PromptEntity): PromptEntity {
    const left = omit(prompt, this.#itemFields)
    if (left.arguments === undefined || this.#features.has('titles')) return left
    return { ...left, arguments: left.arguments.map((argument) => omit(argument, ['title'])) }
  }

  #items(result: JsonObject, list: string): JsonObject {
    const items = result[list] as readonly { readonly annotations?: Annotations }[]
    return { ...result, [list]: items.map((item) => this.#dated(omit(item, this.#itemFields))) }
  }

  #toolResult(returned: ToolResult): ToolResult {
    const result = this.#features.has('structuredContent') ? objectResult(returned) : returned
    const content = result.content.map((block) => this.#block(block))
    if (result.structuredContent === undefined || this.#features.has('structuredContent')) return { ...result, content }
    const { structuredContent, ...left } = result
    return { ...left, content: textOr(content, structuredContent) }
  }

  #block(block: ContentBlock): ContentBlock {
    switch (block.type) {
      case 'audio':
        if (!this.#features.has('audio')) return audioText(block.mimeType, block.data)
        break
      case 'resource_link':
        if (!this.#features.has('resourceLinks')) return linkText(block)
        return this.#dated(omit(block, this.#itemFields))
      case 'resource':
        return this.#dated({ ...omit(block, this.#itemFields), resource: this.#held(block.resource) })
    }
    return this.#dated(omit(block, this.#itemFields))
  }

  #held(contents: ResourceContents): ResourceContents {
    return this.#features.has('itemMeta') ? contents : omit(contents, ['_meta'])
  }

  /** `lastModified` came into annotations together with `_meta` of items. */
  #dated<T extends { readonly annotations?: Annotations }>(item: T): T {
    if (this.#features.has('itemMeta') || item.annotations?.lastModified === undefined) return item
    return { ...item, annotations: omit(item.annotations, ['lastModified']) }
  }

  #clientCapabilities(capabilities: JsonObject): JsonObject {
    const left = omit(capabilities, this.#capabilityFields)
    if (this.#features.has('elicitationModes')) return left
    return {
      ...left,
      ...(isObject(left['elicitation']) && { elicitation: {} }),
      ...(isObject(left['sampling']) && { sampling: {} }),
    }
  }

  #sampleRequest(request: SampleRequest): JsonObject {
    const {
      task: _task,
      tools: _tools,
      toolChoice: _choice,
      ...left
    } = request as SampleRequest & { readonly task?: unknown }
    return { ...left, messages: request.messages.flatMap((message) => this.#sampleMessages(message)) }
  }

  /** A message of several blocks becomes several messages of the same role. */
  #sampleMessages(message: SamplingMessage): SamplingMessage[] {
    const blocks = Array.isArray(message.content) ? (message.content as readonly SamplingContent[]) : [message.content]
    return blocks.map((block) => ({ role: message.role, content: this.#sampleBlock(block as SamplingContent) }))
  }

  #sampleResult(result: SamplingMessage): SamplingMessage {
    const blocks = (Array.isArray(result.content) ? result.content : [result.content]) as readonly SamplingContent[]
    const [only] = blocks
    if (blocks.length === 1 && only !== undefined) return { ...result, content: this.#sampleBlock(only) }
    return { ...result, content: { type: 'text', text: blocks.map(blockText).join('\n') } }
  }

  #sampleBlock(block: SamplingContent): SamplingContent {
    if (block.type === 'tool_use' || block.type === 'tool_result') return { type: 'text', text: blockText(block) }
    return this.#block(block) as SamplingContent // a text, image or audio block stays one of the three
  }
}

function blockText(block: SamplingContent | ContentBlock): string {
  switch (block.type) {
    case 'text':
      return block.text
    case 'tool_use':
      return `[call of tool ${block.name}: ${JSON.stringify(block.input)}]`
    case 'tool_result':
      return block.content.map(blockText).join('\n')
    case 'resource_link':
      return linkText(block).text
    case 'resource':
      return `[resource ${block.resource.uri}]`
    default:
      return audioText(block.mimeType, block.data).text
  }
}

function audioText(mimeType: string, data: string): { readonly type: 'text'; readonly text: string } {
  return { type: 'text', text: `[${mimeType}, ${Math.floor((data.length * 3) / 4)} bytes, not shown]` }
}

function linkText(link: {
  readonly uri: string
  readonly name: string
  readonly title?: string
  readonly description?: string
}) {
  const tail = link.description === undefined ? '' : `\n${link.description}`
  return { type: 'text', text: `${link.title ?? link.name}: ${link.uri}${tail}` } as const
}

/** `value` without the named members; `value` itself when it has none of them. */
function omit<T extends object>(value: T, names: readonly string[]): T {
  let left: T | undefined
  for (const name of names) {
    if (!(name in value)) continue
    left ??= { ...value }
    delete (left as Record<string, unknown>)[name]
  }
  return left ?? value
}
