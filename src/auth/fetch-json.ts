/**
 * Asks an issuer for JSON, with a bound on time, on size and on trust: redirects are not followed, so what was checked to be
 * https is what is read.
 */
import { isObject, type JsonObject } from '#protocol/json-rpc'
import { type Clock, realClock } from '#runtime/clock'
import { AuthError } from './errors.ts'

/** The longest answer read, in bytes. */
export const ANSWER_BYTES_MAX = 512 * 1024
/** How long an issuer may take for one answer by default, in milliseconds. */
export const FETCH_TIMEOUT_MS = 5_000

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface AskerOptions {
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch
  /** For one answer, its body included. Default `FETCH_TIMEOUT_MS`. */
  readonly fetchTimeoutMs?: number
  readonly clock?: Pick<Clock, 'wallNow' | 'setTimer' | 'clearTimer'>
}

export class Asker {
  readonly #fetch: Fetch
  readonly #timeoutMs: number
  readonly #clock: Pick<Clock, 'setTimer' | 'clearTimer'>
  /** What is under way, so that `close` can end it. */
  readonly #open = new Set<AbortController>()

  constructor(options: AskerOptions) {
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init))
    this.#timeoutMs = options.fetchTimeoutMs ?? FETCH_TIMEOUT_MS
    this.#clock = options.clock ?? realClock
  }

  /** Resolves to a JSON object. Rejects with `AuthError` `issuer_unavailable` or `issuer_unusable`. */
  async ask(url: string, init: Pick<RequestInit, 'method' | 'headers' | 'body'> = {}): Promise<JsonObject> {
    const controller = new AbortController()
    const { signal } = controller
    // Raced against, because a `fetch` of the user might not heed the signal.
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
    })
    const timer = this.#clock.setTimer(() => controller.abort(), this.#timeoutMs)
    this.#open.add(controller)
    try {
      return await Promise.race([this.#read(url, init, signal), aborted])
    } catch (error) {
      if (error instanceof AuthError) throw error
      const why = signal.aborted ? `not within ${this.#timeoutMs} ms, or until it was closed` : reasonOf(error)
      throw new AuthError('issuer_unavailable', `${url} did not answer: ${why}.`)
    } finally {
      this.#clock.clearTimer(timer)
      this.#open.delete(controller)
    }
  }

  async #read(url: string, init: RequestInit, signal: AbortSignal): Promise<JsonObject> {
    const headers = { accept: 'application/json', ...(init.headers as Record<string, string> | undefined) }
    const response = await this.#fetch(url, { ...init, headers, redirect: 'manual', signal })
    if (response.ok) return parsed(url, await boundedText(url, response))
    await response.body?.cancel()
    const isBroken = response.status >= 500 || response.status === 429
    throw new AuthError(isBroken ? 'issuer_unavailable' : 'issuer_unusable', `${url} answered ${response.status}.`)
  }

  close(): void {
    for (const controller of this.#open) controller.abort()
  }
}

async function boundedText(url: string, response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  if (response.body === null) return text
  for await (const chunk of response.body) {
    bytes += chunk.byteLength
    // Leaving the loop cancels the stream.
    if (bytes > ANSWER_BYTES_MAX) {
      throw new AuthError('issuer_unusable', `${url} answered with more than ${ANSWER_BYTES_MAX} bytes.`)
    }
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function parsed(url: string, text: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Not the cause: V8 quotes the text, which may be an answer about a token.
    throw new AuthError('issuer_unusable', `${url} did not answer with JSON.`)
  }
  if (!isObject(value)) throw new AuthError('issuer_unusable', `${url} did not answer with a JSON object.`)
  return value
}

/** `fetch` hides the reason in the cause; only its code is taken, which holds nothing of the request. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : 'the connection failed'
}
