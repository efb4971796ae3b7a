/**
 * Errors of a provider. They stay in this process: what a server learns of them is decided by `samplingHandler`, since the
 * vendor's sentences may speak of the account.
 *
 *     provider.sample(request).catch((error) => error.code === 'rate_limited' && wait(error.retryAfterMs))
 */

export type ProviderErrorCode =
  /** An option is wrong; thrown where the provider is made. */
  | 'invalid_option'
  /** The request holds what this provider cannot take; nothing was sent. */
  | 'unsupported'
  /** The provider refused the request: 400, 422 and other 4xx. */
  | 'invalid_request'
  /** The key is missing or wrong: 401. */
  | 'authentication'
  /** The key may not do this, or the account has nothing left: 402, 403, exhausted quota. */
  | 'permission'
  /** No such model or path: 404. */
  | 'not_found'
  /** The request has more bytes than allowed, here or there (413). */
  | 'too_large'
  /** Too many requests: 429. */
  | 'rate_limited'
  /** The provider has no room now: 503, 529. */
  | 'overloaded'
  /** The provider failed: other 5xx. */
  | 'server_error'
  /** No connection, or it broke off. */
  | 'connection'
  /** Not done within `timeoutMs`, or silent for `idleTimeoutMs`. */
  | 'timeout'
  /** The caller's signal. */
  | 'aborted'
  /** What came is not what the API promises. */
  | 'bad_stream'
  /** The answer has more bytes than `responseBytesMax`, or one event more than `eventBytesMax`. */
  | 'response_too_large'

export interface ProviderErrorDetail {
  readonly status?: number
  readonly retryAfterMs?: number
  readonly requestId?: string
  /** The member of the request that the provider names as the cause. */
  readonly member?: string
  /** Default: what the code says. */
  readonly isRetryable?: boolean
  readonly cause?: unknown
}

const retryable: ReadonlySet<ProviderErrorCode> = new Set(['rate_limited', 'overloaded', 'server_error', 'connection'])

export class ProviderError extends Error {
  override readonly name = 'ProviderError'
  readonly code: ProviderErrorCode
  readonly status: number | undefined
  /** Milliseconds after which the provider asked to be tried again. */
  readonly retryAfterMs: number | undefined
  /** The provider's id of the request, for its support. */
  readonly requestId: string | undefined
  readonly member: string | undefined
  /** Whether the same request may succeed later. */
  readonly isRetryable: boolean
  constructor(code: ProviderErrorCode, message: string, detail: ProviderErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.code = code
    this.status = detail.status
    this.retryAfterMs = detail.retryAfterMs
    this.requestId = detail.requestId
    this.member = detail.member
    this.isRetryable = detail.isRetryable ?? retryable.has(code)
  }
}

export const invalidOption = (message: string): ProviderError => new ProviderError('invalid_option', message)
export const unsupported = (message: string): ProviderError => new ProviderError('unsupported', message)
export const badStream = (message: string, cause?: unknown): ProviderError =>
  new ProviderError('bad_stream', message, { cause })

/** The code for an HTTP status that is no success. */
export function codeOfStatus(status: number): ProviderErrorCode {
  switch (status) {
    case 401:
      return 'authentication'
    case 402:
    case 403:
      return 'permission'
    case 404:
      return 'not_found'
    case 408:
    case 409:
    case 425:
      return 'server_error'
    case 413:
      return 'too_large'
    case 429:
      return 'rate_limited'
    case 503:
    case 529:
      return 'overloaded'
    default:
      return status >= 500 ? 'server_error' : 'invalid_request'
  }
}

const words: Readonly<Record<string, ProviderErrorCode>> = {
  overloaded_error: 'overloaded',
  slow_down: 'overloaded',
  api_error: 'server_error',
  server_error: 'server_error',
  timeout_error: 'server_error',
  rate_limit_error: 'rate_limited',
  rate_limit_exceeded: 'rate_limited',
  insufficient_quota: 'permission',
  billing_error: 'permission',
  permission_error: 'permission',
  authentication_error: 'authentication',
  invalid_api_key: 'authentication',
  not_found_error: 'not_found',
  model_not_found: 'not_found',
  request_too_large: 'too_large',
  invalid_request_error: 'invalid_request',
}

/** The code for a vendor's word for an error, if it is a known one. */
export function codeOfWord(word: unknown): ProviderErrorCode | undefined {
  return typeof word === 'string' && Object.hasOwn(words, word) ? words[word] : undefined
}
