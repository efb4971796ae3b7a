/**
 * What a sampling provider is: something that answers `sampling/createMessage` with a model. The shapes here are all that the
 * rest of bough knows of a provider; a vendor's own shapes stay in its files.
 *
 *     const result = await provider.sample({ messages, maxTokens: 500 }, { onDelta: (delta) => show(delta) })
 *     result._meta?.[USAGE_META_KEY]      // { inputTokens: 12, outputTokens: 80 }
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, client/sampling.
 */
import type { JsonObject, SampleRequest, SampleResult } from '#protocol'

/** Where a result's `_meta` says what it cost, as a `SampleUsage`. */
export const USAGE_META_KEY = 'bough/usage'
/** Where a result's `_meta` says why the model stopped in the provider's own words, as a `SampleStop`. */
export const STOP_META_KEY = 'bough/stop'

/** Tokens; a number that the provider did not tell is absent. */
export interface SampleUsage {
  readonly inputTokens?: number
  readonly outputTokens?: number
  /** Of the input, how many came from the provider's cache. */
  readonly cachedInputTokens?: number
  /** Of the output, how many nobody sees. */
  readonly reasoningTokens?: number
}

export interface SampleStop {
  /** The provider's own word. */
  readonly reason: string
  /** The stop sequence that was met, where it is known. */
  readonly sequence?: string
}

/**
 * A piece of the answer as it comes. `block` is the place in the result's content. The texts of a block, joined, are its
 * text; the `json` of a block, joined, is its input, or nothing for an empty one.
 */
export type SampleDelta =
  | { readonly type: 'text'; readonly block: number; readonly text: string }
  | { readonly type: 'tool_use'; readonly block: number; readonly id: string; readonly name: string }
  | { readonly type: 'tool_input'; readonly block: number; readonly json: string }

export interface SampleOptions {
  /** Ends it: the connection is closed, the promise rejects with `ProviderError` 'aborted'. */
  readonly signal?: AbortSignal
  /**
   * Gets the pieces in order. While a promise that it returns is open, nothing more is read. What it throws ends the
   * request with that error.
   */
  readonly onDelta?: (delta: SampleDelta) => void | Promise<void>
}

export interface SamplingProvider {
  /** 'anthropic', 'openai', ... for errors and reports. */
  readonly name: string
  /**
   * Asks a model. `request` is trusted to be well formed (`sampleRequestFault` of `bough/protocol` checks one). Rejects with
   * `ProviderError`.
   */
  sample(request: SampleRequest, options?: SampleOptions): Promise<SampleResult>
}

/** A key, or what gives one for each request. */
export type ApiKey = string | (() => string | Promise<string>)

/** Members of a request's body that are laid over it; `null` takes one out. */
export type BodyPatch = JsonObject
