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
  type CacheHints,
  cacheHintsFault,
  describeValue,
  type Icon,
  isBase64,
  type JsonObject,
  parseTemplate,
  type ReadResult,
  type ResourceContents,
  type ResourceEntity,
  type ResourceTemplateEntity,
  toBase64,
  type UriTemplate,
  UriTemplateError,
  withCacheHints,
} from '#protocol'
import { encodeLiteral } from '#protocol/uri-template'
import { type AnswerCaching, type Caching, cachingOf } from './caching.ts'
import { type Completer, checkCompleter } from './completion.ts'
import type { ToolContext } from './context.ts'
import { checkOptions, checkShown, checkTexts, FeatureError, isRecord, pick, refuse } from './definition.ts'
import { checkResourceUi, isUiResource, type ResourceUi, UI_MIME_TYPE } from './ui.ts'

/** Text, bytes, `{ text }` or `{ blob }` (base64), or the whole result, which may bring hints of its own as `cache`. */
export type ReadReturn =
  | string
  | Uint8Array
  | { readonly text: string; readonly mimeType?: string }
  | { readonly blob: string | Uint8Array; readonly mimeType?: string }
  | (ReadResult & { readonly cache?: ReadCache })

/** How long and by whom what was read may be kept. Revisions before 2026-07-28 have no words for it. */
export type ReadCache = Pick<AnswerCaching, 'ttlMs' | 'scope'>

interface Described {
  /** Default: the URI or the template. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly mimeType?: string | undefined
  readonly annotations?: Annotations | undefined
  /** Each `src` is an https: or data: URI. */
  readonly icons?: readonly Icon[] | undefined
  /** How long the server keeps what was read, and what clients are told; by default nothing is kept. */
  readonly cache?: AnswerCaching | undefined
  /** What a user interface needs of its host; for URIs that begin with ui://. */
  readonly ui?: ResourceUi | undefined
  /** Keys of your own, such as 'com.example/owner'; prefixes with the second label `mcp` or `modelcontextprotocol` are taken. */
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
  readonly cache: CacheHints | undefined
  /** How the server keeps what was read; undefined for not at all. */
  readonly caching?: Caching | undefined
  read(variables: TemplateVariables, ctx: ToolContext, uri: string): unknown
}

/** A template made ready. */
export interface ResourceTemplate {
  readonly kind: 'template'
  /** The template's text. */
  readonly key: string
  readonly entity: ResourceTemplateEntity
  readonly cache: CacheHints | undefined
  /** How the server keeps what was read; undefined for not at all. */
  readonly caching?: Caching | undefined
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
  if (encodeLiteral(uri) !== uri) refuse(what, `its URI must be percent-encoded: ${encodeLiteral(uri)}`)
  checkOptions(what, options, 'read')
  checkTexts(what, options, texts)
  checkShown(what, options)
  if (options.size !== undefined && !(Number.isSafeInteger(options.size) && options.size >= 0)) {
    refuse(what, `size must be a number of bytes, got ${describeValue(options.size)}`)
  }
  const described = pick(options, ['title', 'description', 'mimeType', 'size', 'annotations', 'icons'])
  return {
    kind: 'resource',
    key: uri,
    // pick leaves out what is undefined
    entity: { uri, name: options.name ?? uri, ...described, ...uiMembers(what, uri, options) } as ResourceEntity,
    cache: cacheOf(what, options.cache),
    caching: cachingOf(what, options.cache, options.read),
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
  checkShown(what, options)
  const template = parsed(text)
  const { complete = {}, list } = options
  for (const variable of Object.keys(complete)) {
    if (template.variables.includes(variable)) continue
    const known = template.variables.join(', ') || 'none'
    refuse(what, `complete names the variable "${variable}", which the template lacks; it has ${known}`)
  }
  for (const [variable, completer] of Object.entries(complete)) checkCompleter(what, `complete.${variable}`, completer)
  if (list !== undefined && typeof list !== 'function')
    refuse(what, `list must be a function, got ${describeValue(list)}`)
  const described = pick(options, ['title', 'description', 'mimeType', 'annotations', 'icons'])
  return {
    kind: 'template',
    key: text,
    entity: {
      uriTemplate: text,
      name: options.name ?? text,
      ...described,
      ...uiMembers(what, text, options),
    } as ResourceTemplateEntity, // as above
    cache: cacheOf(what, options.cache),
    caching: cachingOf(what, options.cache, options.read),
    template,
    complete,
    list,
    read: (variables, ctx, uri) => options.read(variables, ctx, uri),
  }
}

/**
 * Shapes what `read` returned for `uri`, with the definition's type, hints and `_meta.ui` where the value has none of its own.
 * Throws a FeatureError `MCP_RESULT` for a value that has no meaning.
 */
export function toReadResult(returned: unknown, uri: string, defaults: ReadDefaults = {}): ReadResult {
  const { mimeType, cache, ui } = defaults
  const one = (contents: object, type = mimeType): ReadResult => ({
    // A client may ask in characters that no URI has, and what it gets has to be one.
    contents: [
      { uri: encodeLiteral(uri), ...(type !== undefined && { mimeType: type }), ...contents } as ResourceContents,
    ], // text or blob
  })
  const shape = (): ReadResult => {
    if (typeof returned === 'string') return one({ text: returned })
    if (returned instanceof Uint8Array) return one({ blob: toBase64(returned) })
    if (isRecord(returned)) {
      const { contents, text, blob, mimeType: own } = returned
      const type = typeof own === 'string' ? own : mimeType
      if (Array.isArray(contents)) return wholeResult(returned, contents, uri)
      if (typeof text === 'string') return one({ text }, type)
      if (blob instanceof Uint8Array || (typeof blob === 'string' && isBase64(blob)))
        return one({ blob: toBase64(blob) }, type)
    }
    const forms = 'Return a string, a Uint8Array, { text }, { blob } with base64 or bytes, or { contents }'
    throw new FeatureError('MCP_RESULT', `Resource "${uri}": read returned ${describeValue(returned)}. ${forms}`)
  }
  const own = isRecord(returned) && Array.isArray(returned['contents']) ? returned['cache'] : undefined
  const hints = own === undefined ? cache : hintsOf(uri, own)
  const result = ui === undefined ? shape() : withUi(shape(), ui)
  return hints === undefined ? result : withCacheHints(result, hints)
}

/** What the definition says of what is read. */
export interface ReadDefaults {
  readonly mimeType?: string | undefined
  readonly cache?: CacheHints | undefined
  readonly ui?: unknown
}

/** The defaults of a definition, for `toReadResult`. */
export function readDefaults({ entity, cache }: Resource | ResourceTemplate): ReadDefaults {
  return { mimeType: entity.mimeType, cache, ui: entity._meta?.['ui'] }
}

function withUi(result: ReadResult, ui: unknown): ReadResult {
  const contents = result.contents.map((held) =>
    held._meta?.['ui'] === undefined ? { ...held, _meta: { ...held._meta, ui } } : held,
  )
  return { ...result, contents }
}

function hintsOf(uri: string, own: unknown): CacheHints {
  const { ttlMs, scope }: { readonly ttlMs?: unknown; readonly scope?: unknown } = isRecord(own) ? own : {}
  const hints = { ttlMs, cacheScope: scope }
  const fault = cacheHintsFault(hints)
  if (fault !== undefined) throw new FeatureError('MCP_RESULT', `Resource "${uri}": cache ${nameOfScope(fault)}`)
  return hints as CacheHints // checked just now
}

function cacheOf(what: string, cache: ReadCache | undefined): CacheHints | undefined {
  if (cache === undefined) return undefined
  if (!isRecord(cache)) refuse(what, `cache must be { ttlMs, scope }, got ${describeValue(cache)}`)
  const hints: CacheHints = { ttlMs: cache.ttlMs, cacheScope: cache.scope }
  const fault = cacheHintsFault(hints)
  if (fault !== undefined) refuse(what, `cache ${nameOfScope(fault)}`)
  return hints
}

/** Authors write `scope` where the wire has `cacheScope`. */
const nameOfScope = (fault: string): string => fault.replaceAll('cacheScope', 'scope')

/** `_meta` with what `ui` says, and the type of interfaces where none is given. */
function uiMembers(what: string, uri: string, { mimeType, ui, _meta }: Described): object {
  checkResourceUi(what, uri, mimeType, ui)
  if (ui !== undefined && _meta !== undefined && Object.hasOwn(_meta, 'ui'))
    refuse(what, '_meta holds "ui", which an option sets already. Leave it out of _meta')
  return {
    ...(isUiResource(uri) && { mimeType: UI_MIME_TYPE }),
    ...((_meta !== undefined || ui !== undefined) && { _meta: { ..._meta, ...(ui !== undefined && { ui }) } }),
  }
}

function wholeResult(
  returned: { readonly [key: string]: unknown },
  contents: readonly unknown[],
  uri: string,
): ReadResult {
  for (const [index, held] of contents.entries()) {
    const isGood =
      isRecord(held) && typeof held['uri'] === 'string' && (isText(held['text']) || isEncoded(held['blob']))
    if (isGood) continue
    const sentence = `contents[${index}] needs a uri, and a text or a base64 blob, all strings`
    throw new FeatureError('MCP_RESULT', `Resource "${uri}": ${sentence}`)
  }
  return {
    contents: contents as readonly ResourceContents[], // each was checked
    ...(isRecord(returned['_meta']) && { _meta: returned['_meta'] }),
  }
}

const isEncoded = (value: unknown): boolean => typeof value === 'string' && isBase64(value)
const isText = (value: unknown): boolean => typeof value === 'string'

function parsed(text: string): UriTemplate {
  try {
    return parseTemplate(text)
  } catch (error) {
    if (!(error instanceof UriTemplateError)) throw error
    throw new FeatureError('MCP_DEFINITION', error.message, { cause: error })
  }
}
