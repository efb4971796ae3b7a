/** What the parts of an HTTP link know of each other, and the reading of header fields that they share. */
import type { HttpClientSettings } from './client-http-options.ts'
import type { AnswerHeaders, HttpRun, HttpRunListener } from './client-http-requester.ts'

/** The link, as its streams see it. */
export interface StreamHost {
  readonly settings: HttpClientSettings
  readonly sessionId: string | undefined
  /** Sends a GET for the stream of events after `lastEventId`, '' for none. */
  openStream(lastEventId: string, listener: HttpRunListener): HttpRun
  /** The server does not know the session any more. */
  sessionLost(what: string): void
}

export function isEventStream(headers: AnswerHeaders): boolean {
  return mediaTypeOf(headers) === 'text/event-stream'
}

export function isJson(headers: AnswerHeaders): boolean {
  return mediaTypeOf(headers) === 'application/json'
}

/** The text of a body that is only for people. */
export function textOf(chunks: readonly Buffer[]): string {
  return chunks.length === 1 ? String(chunks[0]) : Buffer.concat(chunks).toString()
}

function mediaTypeOf(headers: AnswerHeaders): string | undefined {
  const field = headers['content-type']
  if (typeof field !== 'string') return undefined
  const end = field.indexOf(';')
  return (end === -1 ? field : field.slice(0, end)).trim().toLowerCase()
}
