/**
 * Content: what tools return and messages carry, in the shapes of revision 2025-11-25. Revisions that lack a kind get a
 * text in its place (see revisions/). The helpers make the common blocks.
 *
 *     return [text('Here it is'), image(bytes, 'image/png')]
 *
 * Spec: MCP 2025-11-25, server/tools, tool result.
 */
import { describeValue } from './describe.ts'
import type { JsonObject } from './json-rpc.ts'
import { annotationsFault, iconsFault } from './presentation.ts'

export type Role = 'user' | 'assistant'

export interface Annotations {
  readonly audience?: readonly Role[]
  /** 0 (optional) to 1 (required). */
  readonly priority?: number
  /** ISO 8601. */
  readonly lastModified?: string
}

/** A picture for user interfaces. `src` is an https: or data: URI. Spec: MCP 2025-11-25, basic, icons. */
export interface Icon {
  readonly src: string
  readonly mimeType?: string
  /** Sizes such as '48x48', or 'any'. */
  readonly sizes?: readonly string[]
  readonly theme?: 'light' | 'dark'
}

interface Block {
  readonly annotations?: Annotations
  readonly _meta?: JsonObject
}

export interface TextContent extends Block {
  readonly type: 'text'
  readonly text: string
}
/** `data` is base64. */
export interface ImageContent extends Block {
  readonly type: 'image'
  readonly data: string
  readonly mimeType: string
}
/** `data` is base64. Since 2025-03-26. */
export interface AudioContent extends Block {
  readonly type: 'audio'
  readonly data: string
  readonly mimeType: string
}
/** A resource that can be read later. Since 2025-06-18. */
export interface ResourceLink extends Block {
  readonly type: 'resource_link'
  readonly uri: string
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly mimeType?: string
  readonly size?: number
  readonly icons?: readonly Icon[]
}
export interface EmbeddedResource extends Block {
  readonly type: 'resource'
  readonly resource: ResourceContents
}
export type ContentBlock = TextContent | ImageContent | AudioContent | ResourceLink | EmbeddedResource

export interface TextResourceContents {
  readonly uri: string
  readonly mimeType?: string
  readonly text: string
  readonly _meta?: JsonObject
}
/** `blob` is base64. */
export interface BlobResourceContents {
  readonly uri: string
  readonly mimeType?: string
  readonly blob: string
  readonly _meta?: JsonObject
}
export type ResourceContents = TextResourceContents | BlobResourceContents

/** The result of tools/call. */
export interface ToolResult {
  readonly content: readonly ContentBlock[]
  /** An object since 2025-06-18, any JSON value since 2026-07-28. */
  readonly structuredContent?: unknown
  readonly isError?: boolean
  readonly _meta?: JsonObject
}

/** A text block. */
export function text(value: string, annotations?: Annotations): TextContent {
  return annotations === undefined ? { type: 'text', text: value } : { type: 'text', text: value, annotations }
}

/** An image block from bytes or from base64 text. */
export function image(data: Uint8Array | string, mimeType: string): ImageContent {
  return { type: 'image', data: toBase64(data), mimeType }
}

/** An audio block from bytes or from base64 text. */
export function audio(data: Uint8Array | string, mimeType: string): AudioContent {
  return { type: 'audio', data: toBase64(data), mimeType }
}

/** A link to a resource. */
export function resourceLink(link: Omit<ResourceLink, 'type'>): ResourceLink {
  return { type: 'resource_link', ...link }
}

/** A resource inside the message. */
export function embeddedResource(resource: ResourceContents): EmbeddedResource {
  return { type: 'resource', resource }
}

/** Base64 of bytes; text is taken to be base64 already. */
export function toBase64(data: Uint8Array | string): string {
  return typeof data === 'string' ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
}

/**
 * What is wrong with a content block, as a sentence without a subject, or undefined for a good one. Only the members that
 * a peer must be able to rely on are looked at.
 */
export function contentFault(block: unknown): string | undefined {
  if (typeof block !== 'object' || block === null) return 'must be an object with a type'
  const held = block as { readonly [key: string]: unknown }
  const fault = membersFault(held)
  if (fault !== undefined || held['annotations'] === undefined) return fault
  const annotations = annotationsFault(held['annotations'])
  return annotations === undefined ? undefined : `has annotations of which ${annotations}`
}

function membersFault(block: { readonly [key: string]: unknown }): string | undefined {
  const { type, text, data, mimeType, uri, name, size, icons, resource } = block
  switch (type) {
    case 'text':
      return typeof text === 'string' ? undefined : 'of type text needs a string text'
    case 'image':
    case 'audio':
      if (typeof data !== 'string') return `of type ${type} needs base64 data as a string`
      if (typeof mimeType !== 'string') return `of type ${type} needs a string mimeType`
      return isBase64(data) ? undefined : `of type ${type} needs its data as base64`
    case 'resource_link': {
      if (typeof uri !== 'string' || typeof name !== 'string') return 'of type resource_link needs uri and name'
      if (size !== undefined && !(Number.isSafeInteger(size) && (size as number) >= 0)) {
        return `of type resource_link needs size as a number of bytes, got ${describeValue(size)}`
      }
      const fault = icons === undefined ? undefined : iconsFault(icons)
      return fault === undefined ? undefined : `of type resource_link has icons of which ${fault}`
    }
    case 'resource': {
      const held =
        typeof resource === 'object' && resource !== null ? (resource as { readonly [key: string]: unknown }) : {}
      const isWhole =
        typeof held['uri'] === 'string' && (typeof held['text'] === 'string' || typeof held['blob'] === 'string')
      if (!isWhole) return 'of type resource needs a resource with a uri and a text or blob'
      const { blob } = held
      return typeof blob !== 'string' || isBase64(blob) ? undefined : 'of type resource needs its blob as base64'
    }
    default:
      return `has type ${typeof type === 'string' ? JSON.stringify(type.slice(0, 40)) : describeValue(type)}; text, image, audio, resource_link and resource exist`
  }
}

/** Whether `data` is base64 of the standard alphabet; its padding may be missing. Spec: RFC 4648, section 4. */
export function isBase64(data: string): boolean {
  const end = data.endsWith('==') ? data.length - 2 : data.endsWith('=') ? data.length - 1 : data.length
  if (end % 4 === 1 || (end < data.length && data.length % 4 !== 0)) return false
  return !/[^A-Za-z0-9+/]/.test(end === data.length ? data : data.slice(0, end))
}
