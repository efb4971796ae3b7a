/**
 * What a server asks of a client: sampling, elicitation, roots. Neutral shapes, those of revision 2025-11-25.
 *
 * Spec: MCP 2025-11-25, client/sampling, client/elicitation, client/roots.
 */
import type { AudioContent, ContentBlock, ImageContent, Role, TextContent } from './content.ts'
import { elicitRequestFault } from './elicit-requests.ts'
import type { ToolEntity } from './entities.ts'
import { ErrorCode, ProtocolError } from './errors.ts'
import type { JsonObject } from './json-rpc.ts'

/** A model's wish to call a tool. Since 2025-11-25. */
export interface ToolUseContent {
  readonly type: 'tool_use'
  readonly id: string
  readonly name: string
  readonly input: JsonObject
  readonly _meta?: JsonObject
}
/** The answer to one `tool_use`. Since 2025-11-25. */
export interface ToolResultContent {
  readonly type: 'tool_result'
  readonly toolUseId: string
  readonly content: readonly ContentBlock[]
  /** An object in revision 2025-11-25, any JSON value since. */
  readonly structuredContent?: unknown
  readonly isError?: boolean
  readonly _meta?: JsonObject
}
export type SamplingContent = TextContent | ImageContent | AudioContent | ToolUseContent | ToolResultContent

export interface SamplingMessage {
  readonly role: Role
  /** One block, or since 2025-11-25 several. */
  readonly content: SamplingContent | readonly SamplingContent[]
  readonly _meta?: JsonObject
}

/** All three priorities are 0 to 1. */
export interface ModelPreferences {
  readonly hints?: readonly { readonly name?: string }[]
  readonly costPriority?: number
  readonly speedPriority?: number
  readonly intelligencePriority?: number
}

/** The params of sampling/createMessage. `tools` and `toolChoice` need the client's sampling.tools. */
export interface SampleRequest {
  readonly messages: readonly SamplingMessage[]
  readonly maxTokens: number
  readonly modelPreferences?: ModelPreferences
  readonly systemPrompt?: string
  readonly includeContext?: 'none' | 'thisServer' | 'allServers'
  readonly temperature?: number
  readonly stopSequences?: readonly string[]
  readonly metadata?: JsonObject
  readonly tools?: readonly ToolEntity[]
  readonly toolChoice?: { readonly mode?: 'auto' | 'required' | 'none' }
  readonly _meta?: JsonObject
}

export interface SampleResult extends SamplingMessage {
  readonly model: string
  /** endTurn, stopSequence, maxTokens, toolUse, or the provider's own word. */
  readonly stopReason?: string
}

/** A form: `requestedSchema` is a flat object schema of primitives. */
export interface ElicitFormRequest {
  readonly mode?: 'form'
  readonly message: string
  readonly requestedSchema: JsonObject
  readonly _meta?: JsonObject
}
/** A page for the user to visit; needs the client's elicitation.url. Since 2025-11-25. */
export interface ElicitUrlRequest {
  readonly mode: 'url'
  readonly message: string
  readonly url: string
  /** Unique to the server. Revision 2025-11-25 needs it, later ones leave it out. */
  readonly elicitationId?: string
  readonly _meta?: JsonObject
}
/** The params of elicitation/create. */
export type ElicitRequest = ElicitFormRequest | ElicitUrlRequest

export interface ElicitResult {
  readonly action: 'accept' | 'decline' | 'cancel'
  /** Only for an accepted form. */
  readonly content?: { readonly [field: string]: string | number | boolean | readonly string[] }
  readonly _meta?: JsonObject
}

/**
 * The error for a request that cannot go on before its user visited these pages. Only revision 2025-11-25 has it; under
 * later ones ask with `ctx.elicit`. Throws a TypeError for an elicitation that is none of url mode with an id.
 *
 *     throw urlElicitationRequired([{ mode: 'url', message: 'Sign in', url: 'https://...', elicitationId: 'e-1' }])
 *
 * Spec: MCP 2025-11-25, client/elicitation, URL elicitation required error.
 */
export function urlElicitationRequired(
  elicitations: readonly (Omit<ElicitUrlRequest, 'mode'> & { readonly mode?: 'url' })[],
  message = 'This request needs the user to visit a page first',
): ProtocolError {
  const whole = elicitations.map((one) => ({ ...one, mode: 'url' as const }))
  for (const [index, one] of whole.entries()) {
    const fault = elicitRequestFault(one)
    if (fault !== undefined) throw new TypeError(`urlElicitationRequired: elicitations[${index}]: ${fault}`)
  }
  if (whole.length === 0) throw new TypeError('urlElicitationRequired: name at least one elicitation, got none')
  return new ProtocolError(ErrorCode.UrlElicitationRequired, message, { elicitations: whole })
}

export interface Root {
  /** A file: URI. */
  readonly uri: string
  readonly name?: string
  readonly _meta?: JsonObject
}
