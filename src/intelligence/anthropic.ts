/**
 * Claude behind the Messages API.
 *
 *     const provider = anthropicProvider({ apiKey: process.env.ANTHROPIC_API_KEY ?? '', model: 'claude-sonnet-5' })
 */
import { anthropicReader } from './anthropic-events.ts'
import { anthropicBody } from './anthropic-request.ts'
import type { Dialect } from './dialect.ts'
import { createProvider, type ProviderOptions } from './http-provider.ts'
import type { SamplingProvider } from './provider.ts'

export interface AnthropicOptions extends ProviderOptions {
  /** Default 'https://api.anthropic.com'. */
  readonly baseUrl?: string
  /**
   * The `anthropic-version` header; default '2026-10-21'. That version has no temperature, so a request's is left out; for
   * models that heed one say '2023-06-01'.
   */
  readonly version?: '2026-10-21' | '2023-06-01'
}

/**
 * A provider that speaks the Messages API. Text and images go both ways as the API has them, PDF and text resources in tool
 * results too; audio is refused. Of `metadata` only `user_id` is sent.
 * Throws `ProviderError` 'invalid_option'.
 */
export function anthropicProvider(options: AnthropicOptions): SamplingProvider {
  const { version = '2026-10-21', baseUrl = 'https://api.anthropic.com' } = options
  const dialect: Dialect = {
    path: '/v1/messages',
    names: { pattern: /^[A-Za-z0-9_-]+$/, lengthMax: 128 },
    ids: { pattern: /^[A-Za-z0-9_-]+$/, lengthMax: 256 },
    scansStops: false,
    headers: (key) => ({ 'anthropic-version': version, ...(key === '' ? {} : { authorization: `Bearer ${key}` }) }),
    write: anthropicBody(version === '2023-06-01'),
    reader: anthropicReader,
  }
  return createProvider('anthropic', 'anthropicProvider', dialect, baseUrl, options)
}
