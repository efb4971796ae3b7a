/**
 * What differs from vendor to vendor, as one small object: where a request goes, what it looks like, and how its events are
 * read. All else (HTTP, retries, time, bounds, blocks) is the same for all and lives in exchange.ts and assembly.ts.
 */
import type { SampleRequest } from '#protocol'
import { isObject, type JsonObject } from '#protocol/json-rpc'
import type { Aliases } from './aliases.ts'
import type { Assembly } from './assembly.ts'
import { badStream, codeOfStatus, codeOfWord, ProviderError } from './errors.ts'
import type { ServerSentEvent } from './event-stream.ts'

/** What a request is written with. */
export interface Writing {
  readonly model: string
  readonly maxTokens: number
  readonly tools: Aliases
  readonly ids: Aliases
  /** What belongs before a tool use of the conversation. */
  readonly hiddenBefore: (toolUseId: string) => readonly JsonObject[]
}

/** Reads one answer's events into its assembly. */
export interface EventReader {
  /** Throws `ProviderError` for an error that the provider sends and for what it may not send. */
  read(event: ServerSentEvent): void
  /** Whether the answer is whole; nothing is read after that. */
  readonly isOver: boolean
  /** The stream has ended. Returns whether the answer is whole all the same. */
  end(): boolean
}

export interface Dialect {
  /** After the base URL. */
  readonly path: string
  /** What tool names and ids of tool uses must look like. */
  readonly names: { readonly pattern: RegExp; readonly lengthMax: number }
  readonly ids: { readonly pattern: RegExp; readonly lengthMax: number }
  /** Whether stop sequences may have to be found here. */
  readonly scansStops: boolean
  headers(key: string): Readonly<Record<string, string>>
  /** The body. Throws `ProviderError` 'unsupported' for content that the API has no place for. */
  write(request: SampleRequest, writing: Writing): JsonObject
  reader(assembly: Assembly): EventReader
}

/** Members that a request can do without: a model that refuses one is asked again without it. */
export const DISPENSABLE: readonly string[] = ['temperature', 'stop', 'metadata']

/** The JSON object that an event carries. */
export function eventObject({ data }: ServerSentEvent): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch (error) {
    throw badStream('An event of the stream is no JSON.', error)
  }
  if (!isObject(value)) throw badStream('An event of the stream is no JSON object.')
  return value
}

/** An object's member that is an object; otherwise an empty one. */
export function objectIn(value: unknown, member: string): JsonObject {
  const held = isObject(value) ? value[member] : undefined
  return isObject(held) ? held : {}
}

/** The whole number in that member, if there is one. */
export function countIn(value: unknown, member: string): number | undefined {
  const held = isObject(value) ? value[member] : undefined
  return typeof held === 'number' && Number.isFinite(held) ? held : undefined
}

/** Longest sentence of a provider that an error repeats. */
const SENTENCE_LENGTH_MAX = 500

/**
 * The error that a vendor's error object tells of: `{ type, message }` or `{ code, message, param }`, as body of a refusal (with
 * its status) or in the middle of a stream.
 */
export function vendorError(
  title: string,
  error: unknown,
  detail: { readonly status?: number; readonly retryAfterMs?: number; readonly requestId?: string } = {},
): ProviderError {
  const held: JsonObject = isObject(error) ? error : {}
  const told = typeof error === 'string' ? error : held['message']
  const sentence = typeof told === 'string' && told !== '' ? told.slice(0, SENTENCE_LENGTH_MAX) : 'it does not say why'
  const { status } = detail
  const word = codeOfWord(held['code']) ?? codeOfWord(held['type'])
  const numeric = typeof held['code'] === 'number' ? held['code'] : undefined
  // A status is surer than a word, but for an empty account, which also comes as 429.
  const isQuota = word === 'permission' && (status === undefined || status === 429)
  const byStatus = status ?? (numeric !== undefined && numeric >= 400 && numeric < 600 ? numeric : undefined)
  const code = isQuota ? word : byStatus !== undefined ? codeOfStatus(byStatus) : (word ?? 'server_error')
  const how = status === undefined ? 'failed in the middle of its answer' : `answered with status ${status}`
  const member = typeof held['param'] === 'string' ? held['param'] : memberIn(sentence)
  return new ProviderError(code, `${title} ${how}: ${sentence}`, {
    ...detail,
    ...(member === undefined ? {} : { member }),
  })
}

/** Which dispensable member a sentence speaks of. */
function memberIn(sentence: string): string | undefined {
  return DISPENSABLE.find((member) => new RegExp(`(^|[^a-z_])${member}([^a-z_]|$)`).test(sentence))
}
