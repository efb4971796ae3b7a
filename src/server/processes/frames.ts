/**
 * What members say to each other over their private sockets: one JSON array a line, its kind first. A line carries an exchange
 * (an HTTP request that reached the wrong member) there and its answer back, or a question and its answer; an id ties the two.
 */
import type { Exchange } from '#transports/port'

/** The first line of whoever connects: the secret of this start of the server. */
export type Greeting = readonly ['hello', secret: string]

/** An exchange as it travels. */
export interface CarriedExchange {
  readonly method: Exchange['method']
  readonly url: string
  readonly body: string
  readonly headers: Exchange['headers']
  /** The headers whose doubling matters, where they are not as in `headers`. */
  readonly credentials: Exchange['credentials']
  readonly remoteAddress: string | undefined
  readonly certificate: { readonly fingerprint256: string; readonly raw: string } | undefined
}

export type Request =
  | readonly ['exchange', id: number, exchange: CarriedExchange]
  /** The client has gone. */
  | readonly ['gone', id: number]
  | readonly ['ask', id: number, question: string, argument: unknown]

/** Headers that were set since the last line, names and values in turn; null for none. */
type Headers = readonly string[] | null

export type Answer =
  | readonly ['reply', id: number, headers: Headers, status: number, json: string | null]
  | readonly ['send', id: number, headers: Headers, message: string, eventId: string | null]
  | readonly ['prime', id: number, headers: Headers, eventId: string, retryMs: number | null]
  | readonly ['open', id: number, headers: Headers]
  | readonly ['end', id: number, headers: Headers, message: string | null, eventId: string | null]
  /** The exchange failed after its answer had begun: its stream is to break. */
  | readonly ['broken', id: number]
  | readonly ['value', id: number, value: unknown]
  | readonly ['failed', id: number, message: string]

/** The longest line, in bytes: the longest message there may be, each byte escaped. */
export const LINE_BYTES_MAX = 256 * 1024 * 1024
/** Bytes that may wait for the other side to read them; beyond it the link is given up. */
export const LINK_BYTES_MAX = 256 * 1024 * 1024
/** Exchanges and questions under way on one link; beyond it an exchange is refused with 503. */
export const LINK_PENDING_MAX = 10_000

export function encodeFrame(frame: Greeting | Request | Answer): string {
  return `${JSON.stringify(frame)}\n`
}
