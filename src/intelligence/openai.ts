/**
 * Models behind OpenAI's APIs, and behind the many servers that speak the older of the two.
 *
 *     const provider = openaiProvider({ apiKey: process.env.OPENAI_API_KEY ?? '', model: 'gpt-5.2', api: 'responses' })
 *     const local = openaiCompatible({ baseUrl: 'http://127.0.0.1:11434/v1', model: 'llama3.2' })
 */
import { chatReader } from './chat-events.ts'
import { chatBody } from './chat-request.ts'
import type { Dialect } from './dialect.ts'
import { invalidOption } from './errors.ts'
import { createProvider, type ProviderOptions } from './http-provider.ts'
import type { SamplingProvider } from './provider.ts'
import { responsesReader } from './responses-events.ts'
import { responsesBody } from './responses-request.ts'

export interface OpenaiOptions extends ProviderOptions {
  /** Default 'https://api.openai.com/v1'. */
  readonly baseUrl?: string
  /** Which API: chat completions, or responses; default 'responses'. */
  readonly api?: 'chat' | 'responses'
  readonly organization?: string
  readonly project?: string
}

export interface CompatibleOptions extends ProviderOptions {
  /** Up to and with the version, as 'http://127.0.0.1:8080/v1'. */
  readonly baseUrl: string
  /** Names the provider in errors; default 'openai-compatible'. */
  readonly name?: string
}

const shared = {
  names: { pattern: /^[A-Za-z0-9_-]+$/, lengthMax: 64 },
  ids: { pattern: /^[A-Za-z0-9_-]+$/, lengthMax: 40 },
  scansStops: true,
} as const

const bearer = (key: string): Record<string, string> => (key === '' ? {} : { authorization: `Bearer ${key}` })

/**
 * A provider that speaks OpenAI's chat completions or responses. Nothing is stored at the vendor (`store: false`) unless `body`
 * says so; only then are the string members of `metadata` sent. Audio (WAV, MP3) needs 'chat'. Stop sequences are found on this
 * side where the API has none or not so many. Throws `ProviderError` 'invalid_option'.
 */
export function openaiProvider(options: OpenaiOptions): SamplingProvider {
  const { api = 'responses', baseUrl = 'https://api.openai.com/v1', organization, project } = options
  if (api !== 'chat' && api !== 'responses') {
    throw invalidOption(`openaiProvider: api must be "chat" or "responses", got ${JSON.stringify(api)}.`)
  }
  const isStored = options.body?.['store'] === true
  const headers = (key: string): Record<string, string> => ({
    ...bearer(key),
    ...(organization === undefined ? {} : { 'openai-organization': organization }),
    ...(project === undefined ? {} : { 'openai-project': project }),
  })
  const dialect: Dialect =
    api === 'chat'
      ? { ...shared, path: '/chat/completions', headers, write: chatBody('openai', isStored), reader: chatReader }
      : { ...shared, path: '/responses', headers, write: responsesBody(isStored), reader: responsesReader }
  return createProvider('openai', 'openaiProvider', dialect, baseUrl, options)
}

/**
 * A provider for a server that speaks chat completions: llama.cpp, Ollama, vLLM, gateways. It is sent `max_tokens` and nothing
 * that such servers do not know; a key only if there is one. Throws `ProviderError` 'invalid_option'.
 */
export function openaiCompatible(options: CompatibleOptions): SamplingProvider {
  const { name = 'openai-compatible', baseUrl } = options
  const dialect: Dialect = {
    ...shared,
    path: '/chat/completions',
    headers: bearer,
    write: chatBody('compatible', false),
    reader: chatReader,
  }
  return createProvider(name, 'openaiCompatible', dialect, baseUrl, options)
}
