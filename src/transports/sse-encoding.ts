/**
 * Server-sent events, the writing half: any text becomes one event that a conforming reader turns back into that text.
 *
 * Encoded JSON never holds a raw line break, so the usual event is `id: ...\ndata: ...\n\n` in one concatenation. Other
 * texts are split at \r\n, \r and \n into one data line each; the reader joins them with \n, as the format has it.
 *
 * Source: HTML Standard, 9.2 Server-sent events.
 */

/** A comment that a reader ignores; it keeps proxies from closing a quiet stream. */
export const KEEP_ALIVE_COMMENT = ':\n\n'

const LINE_BREAK = /\r\n|\r|\n/

/** True when `id` can stand in an `id:` field as it is: not empty, no line break, no NUL. */
export function isEventId(id: string): boolean {
  // NUL makes a reader ignore the field; a leading space would be eaten.
  return id !== '' && !/[\r\n\0]/.test(id) && id[0] !== ' '
}

/** One event with `data`, and `eventId` if given. Throws `TypeError` for an event id that is none. */
export function encodeEvent(data: string, eventId?: string): string {
  const fields = eventId === undefined ? '' : `id: ${checkedEventId(eventId)}\n`
  if (!data.includes('\n') && !data.includes('\r')) return `${fields}data: ${data}\n\n`
  return `${fields}data: ${data.split(LINE_BREAK).join('\ndata: ')}\n\n`
}

/**
 * The event that opens a resumable stream: an id, empty data (so that a client dispatches nothing but has an id to
 * resume from) and, if given, how long to wait before reconnecting. Throws `TypeError` for an event id that is none.
 * Spec: MCP 2025-11-25, basic/transports, sending messages to the server.
 */
export function encodePrimingEvent(eventId: string, retryMs?: number): string {
  const retry = retryMs === undefined ? '' : `retry: ${Math.max(0, Math.round(retryMs))}\n`
  return `id: ${checkedEventId(eventId)}\n${retry}data: \n\n`
}

function checkedEventId(eventId: string): string {
  if (isEventId(eventId)) return eventId
  throw new TypeError(
    `An event id must be text without line breaks or NUL, not empty and not starting with a space, got ${JSON.stringify(eventId)}.`,
  )
}
