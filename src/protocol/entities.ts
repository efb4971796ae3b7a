/**
 * What a server lists and answers, in the neutral shapes that the core sees: those of revision 2025-11-25, from which each
 * revision's codec drops what its own schema lacks.
 *
 * Spec: MCP 2025-11-25, schema.
 */
import type { Annotations, ContentBlock, Icon, ResourceContents, Role } from './content.ts'
import type { JsonObject } from './json-rpc.ts'

/** Who a peer is. */
export interface Implementation {
  readonly name: string
  readonly version: string
  readonly title?: string
  readonly description?: string
  readonly websiteUrl?: string
  readonly icons?: readonly Icon[]
}

/** Hints for people and models; never to be trusted from an unknown server. */
export interface ToolAnnotations {
  readonly title?: string
  readonly readOnlyHint?: boolean
  readonly destructiveHint?: boolean
  readonly idempotentHint?: boolean
  readonly openWorldHint?: boolean
}

export interface ToolEntity {
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly icons?: readonly Icon[]
  /** Always of type object. */
  readonly inputSchema: JsonObject
  readonly outputSchema?: JsonObject
  readonly annotations?: ToolAnnotations
  readonly execution?: { readonly taskSupport?: 'required' | 'optional' | 'forbidden' }
  readonly _meta?: JsonObject
}

export interface ResourceEntity {
  readonly uri: string
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly mimeType?: string
  /** Bytes, before any encoding. */
  readonly size?: number
  readonly annotations?: Annotations
  readonly icons?: readonly Icon[]
  readonly _meta?: JsonObject
}

export interface ResourceTemplateEntity {
  readonly uriTemplate: string
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly mimeType?: string
  readonly annotations?: Annotations
  readonly icons?: readonly Icon[]
  readonly _meta?: JsonObject
}

export interface PromptArgumentEntity {
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly required?: boolean
}

export interface PromptEntity {
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly arguments?: readonly PromptArgumentEntity[]
  readonly icons?: readonly Icon[]
  readonly _meta?: JsonObject
}

export interface PromptMessage {
  readonly role: Role
  readonly content: ContentBlock
}

/** The result of prompts/get. */
export interface PromptResult {
  readonly description?: string
  readonly messages: readonly PromptMessage[]
  readonly _meta?: JsonObject
}

/** The result of resources/read. */
export interface ReadResult {
  readonly contents: readonly ResourceContents[]
  readonly _meta?: JsonObject
}

/** The `completion` member of the result of completion/complete. */
export interface Completion {
  /** At most 100. */
  readonly values: readonly string[]
  readonly total?: number
  readonly hasMore?: boolean
}
