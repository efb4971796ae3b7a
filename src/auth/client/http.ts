/**
 * The requests of an OAuth client: answers are read whole, with a bound on time and on size, and redirects are not followed,
 * so that what was checked is what is asked and nothing secret travels on.
 */
import { AuthError } from '#auth/errors'
import { ANSWER_BYTES_MAX, type Fetch } from '#auth/fetch-json'
import { isObject, type JsonObject } from '#protocol/json-rpc'
import type { Clock } from '#runtime/clock'

/** How long one answer may take by default, in milliseconds. */
export const ANSWER_TIMEOUT_MS = 10_000

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface HttpOptions {
  readonly fetch: Fetch
  readonly timeoutMs: number
  readonly clock: Pick<Clock, 'setTimer' | 'clearTimer'>
  /** Ends everything under way. */
  readonly signal: AbortSignal
}

export class Http {
  readonly #options: HttpOptions

  constructor(options: HttpOptions) {
    this.#options = options
  }

  /** Resolves to the answer, whatever its status. Rejects with `AuthError` `issuer_unavailable` or `issuer_unusable`. */
  async send(url: string, init: Pick<RequestInit, 'method' | 'headers' | 'body'> = {}): Promise<Answer> {
    const { clock, timeoutMs, signal: ending } = this.#options
    const controller = new AbortController()
    const end = (): void => controller.abort()
    // Raced against, because a `fetch` of the user might not heed the signal.
    const aborted = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason))
    })
    ending.addEventListener('abort', end)
    if (ending.aborted) end()
    const timer = clock.setTimer(end, timeoutMs)
    try {
      return await Promise.race([this.#read(url, init, controller.signal), aborted])
    } catch (error) {
      if (error instanceof AuthError) throw error
      const late = ending.aborted ? 'the authorization was closed' : `not within ${timeoutMs} ms`
      const why = controller.signal.aborted ? late : connectionFault(error)
      throw new AuthError('issuer_unavailable', `${bare(url)} did not answer: ${why}.`)
    } finally {
      clock.clearTimer(timer)
      ending.removeEventListener('abort', end)
    }
  }

  async #read(url: string, init: RequestInit, signal: AbortSignal): Promise<Answer> {
    const response = await this.#options.fetch(url, { ...init, redirect: 'manual', signal })
    const decoder = new TextDecoder()
    let text = ''
    let bytes = 0
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength
      // Leaving the loop cancels the stream.
      if (bytes > ANSWER_BYTES_MAX) {
        throw new AuthError('issuer_unusable', `${bare(url)} answered with more than ${ANSWER_BYTES_MAX} bytes.`)
      }
      text += decoder.decode(chunk, { stream: true })
    }
    return { status: response.status, headers: response.headers, text: text + decoder.decode() }
  }

  /**
   * Asks for a document. Resolves to the object, or to undefined where there is none: another status than 200, or no JSON
   * object. Rejects with `AuthError` `issuer_unavailable` when the server is in trouble (5xx, 429, no answer).
   */
  async document(url: string): Promise<JsonObject | undefined> {
    const answer = await this.send(url, { headers: { accept: 'application/json' } })
    if (answer.status >= 500 || answer.status === 429) {
      throw new AuthError('issuer_unavailable', `${bare(url)} answered ${answer.status}. Try again later.`)
    }
    return answer.status === 200 ? objectOf(answer.text) : undefined
  }
}

/** The JSON object that `text` is, or undefined. */
export function objectOf(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A URL without its query, which may hold what is not for a log. */
export function bare(url: string): string {
  return url.split(/[?#]/, 1)[0] ?? url
}

/** `fetch` hides the reason in the cause; only its code is taken, which holds nothing of the request. */
function connectionFault(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : 'the connection failed'
}
