/**
 * Resources: one URI, or a template that stands for many. `read` gets the template's variables (none for one URI), the
 * context and the URI asked for.
 *
 *     defineResource('config://app', { mimeType: 'application/json', read: () => '{}' })
 *     defineResourceTemplate('users://{id}/profile', { read: ({ id }) => `Profile of ${id}` })
 *
 * Spec: MCP 2025-11-25, server/resources.
 */
import {
  type Annotations,
  describeValue,
  type Icon,
  type JsonObject,
  parseTemplate,
  type ReadResult,
  type ResourceContents,
  type ResourceEntity,
  type ResourceTemplateEntity,
  toBase64,
  type UriTemplate,
  UriTemplateError,
} from '#protocol'
import type { Completer } from './completion.ts'
import type { ToolContext } from './context.ts'
import { checkIcons, checkOptions, checkTexts, FeatureError, isRecord, pick, refuse } from './definition.ts'

/** Text, bytes, `{ text }` or `{ blob }` (base64), or the whole result. */
export type ReadReturn =
  | string
  | Uint8Array
  | { readonly text: string; readonly mimeType?: string }
  | { readonly blob: string | Uint8Array; readonly mimeType?: string }
  | ReadResult

interface Described {
  /** Default: the URI or the template. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly mimeType?: string | undefined
  readonly annotations?: Annotations | undefined
  /** Each `src` is an https: or data: URI. */
  readonly icons?: readonly Icon[] | undefined
  readonly _meta?: JsonObject | undefined
}

/** The variables of a matched template; those that the URI left out are absent. */
export type TemplateVariables = { readonly [name: string]: string }

export interface ResourceOptions extends Described {
  /** Bytes, before any encoding. */
  readonly size?: number | undefined
  read(variables: TemplateVariables, ctx: ToolContext, uri: string): ReadReturn | Promise<ReadReturn>
}

/** A resource that a template's `list` names. */
export type ListedResource = Pick<ResourceEntity, 'uri'> & Partial<ResourceEntity>

export interface ResourceTemplateOptions extends Described {
  read(variables: TemplateVariables, ctx: ToolContext, uri: string): ReadReturn | Promise<ReadReturn>
  /** Candidates for each variable. */
  readonly complete?: { readonly [variable: string]: Completer } | undefined
  /** The resources of this template that resources/list should name. */
  readonly list?: ((ctx: ToolContext) => readonly ListedResource[] | Promise<readonly ListedResource[]>) | undefined
}

/** A resource made ready. */
export interface Resource {
  readonly kind: 'resource'
  /** The URI. */
  readonly key: string
  readonly entity: ResourceEntity
  read(variables: TemplateVariables, ctx: ToolContext, uri: string): unknown
}

/** A template made ready. */
export interface ResourceTemplate {
  readonly kind: 'template'
  /** The template's text. */
  readonly key: string
  readonly entity: ResourceTemplateEntity
  readonly template: UriTemplate
  readonly complete: { readonly [variable: string]: Completer }
  readonly list: ResourceTemplateOptions['list']
  read(variables: TemplateVariables, ctx: ToolContext, uri: string): unknown
}

const texts = ['name', 'title', 'description', 'mimeType'] as const

/** Makes a resource ready. Throws a FeatureError that names the URI and the option. */
export function defineResource(uri: string, options: ResourceOptions): Resource {
  if (typeof uri !== 'string' || !URL.canParse(uri)) {
    refuse('Resource', `the URI must be absolute, such as "config://app", got ${describeValue(uri)}`)
  }
  const what = `Resource "${uri}"`
  checkOptions(what, options, 'read')
  checkTexts(what, options, texts)
  checkIcons(what, options.icons)
  if (options.size !== undefined && !(Number.isSafeInteger(options.size) && options.size >= 0)) {
    refuse(what, `size must be a number of bytes, got ${describeValue(options.size)}`)
  }
  const described = pick(options, ['title', 'description', 'mimeType', 'size', 'annotations', 'icons', '_meta'])
  return {
    kind: 'resource',
    key: uri,
    entity: { uri, name: options.name ?? uri, ...described } as ResourceEntity, // pick leaves out what is undefined
    read: (variables, ctx, asked) => options.read(variables, ctx, asked),
  }
}

/** Makes a template ready. Throws a FeatureError that names the template and what is wrong. */
export function defineResourceTemplate(text: string, options: ResourceTemplateOptions): ResourceTemplate {
  if (typeof text !== 'string' || text === '')
    refuse('Resource template', `must be a URI template, got ${describeValue(text)}`)
  const what = `Resource template "${text}"`
  checkOptions(what, options, 'read')
  checkTexts(what, options, texts)
  checkIcons(what, options.icons)
  const template = parsed(text)
  const { complete = {}, list } = options
  for (const variable of Object.keys(complete)) {
    if (template.variables.includes(variable)) continue
    const known = template.variables.join(', ') || 'none'
    refuse(what, `complete names the variable "${variable}", which the template lacks; it has ${known}`)
  }
  const described = pick(options, ['title', 'description', 'mimeType', 'annotations', 'icons', '_meta'])
  return {
    kind: 'template',
    key: text,
    entity: { uriTemplate: text, name: options.name ?? text, ...described } as ResourceTemplateEntity, // as above
    template,
    complete,
    list,
    read: (variables, ctx, uri) => options.read(variables, ctx, uri),
  }
}

/** Shapes what `read` returned for `uri`. Throws a FeatureError `MCP_RESULT` for a value that has no meaning. */
export function toReadResult(returned: unknown, uri: string, mimeType?: string): ReadResult {
  const one = (contents: object, type = mimeType): ReadResult => ({
    contents: [{ uri, ...(type !== undefined && { mimeType: type }), ...contents } as ResourceContents], // text or blob
  })
  if (typeof returned === 'string') return one({ text: returned })
  if (returned instanceof Uint8Array) return one({ blob: toBase64(returned) })
  if (isRecord(returned)) {
    const { contents, text, blob, mimeType: own } = returned
    const type = typeof own === 'string' ? own : mimeType
    if (Array.isArray(contents)) return wholeResult(returned, contents, uri)
    if (typeof text === 'string') return one({ text }, type)
    if (typeof blob === 'string' || blob instanceof Uint8Array) return one({ blob: toBase64(blob) }, type)
  }
  const forms = 'Return a string, a Uint8Array, { text }, { blob } or { contents }'
  throw new FeatureError('MCP_RESULT', `Resource "${uri}": read returned ${describeValue(returned)}. ${forms}`)
}

function wholeResult(
  returned: { readonly [key: string]: unknown },
  contents: readonly unknown[],
  uri: string,
): ReadResult {
  for (const [index, held] of contents.entries()) {
    const isGood = isRecord(held) && typeof held['uri'] === 'string' && (isText(held['text']) || isText(held['blob']))
    if (isGood) continue
    const sentence = `contents[${index}] needs a uri, and a text or a base64 blob, all strings`
    throw new FeatureError('MCP_RESULT', `Resource "${uri}": ${sentence}`)
  }
  return {
    contents: contents as readonly ResourceContents[], // each was checked
    ...(isRecord(returned['_meta']) && { _meta: returned['_meta'] }),
  }
}

const isText = (value: unknown): boolean => typeof value === 'string'

function parsed(text: string): UriTemplate {
  try {
    return parseTemplate(text)
  } catch (error) {
    if (!(error instanceof UriTemplateError)) throw error
    throw new FeatureError('MCP_DEFINITION', error.message, { cause: error })
  }
}
