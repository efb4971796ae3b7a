/**
 * Server-sent events, the reading half: bytes in, whole events out, whatever the split of the bytes.
 *
 * Lines end with \r\n, \n or \r, also when the two bytes of \r\n come apart. An event is reported at the empty line that ends
 * it; what is unfinished when the bytes end is dropped, its id with it. At most `maxEventBytes` of an unfinished event are
 * kept: a larger one is reported as oversized, once, and skipped.
 *
 * ```ts
 * const reader = new SseReader(1_000, { event: (data) => texts.push(data), oversized: () => {} })
 * reader.push(Buffer.from('id: 7\ndata: {"a":1}\n\n'))   // -> {"a":1}
 * reader.lastEventId                                      // -> '7'
 * ```
 *
 * Source: HTML Standard, 9.2.5 and 9.2.6 (parsing and interpreting an event stream).
 */
import { ByteAccumulator } from './bytes.ts'

const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
/** The longest wait that a `retry` field can ask for, in milliseconds. */
const RETRY_MS_MAX = 2_147_483_647

export interface SseListener {
  /** One event that had data, be it empty. `type` is 'message' when it named none, `id` undefined when it has none of its own. */
  event(data: string, type: string, id: string | undefined): void
  /** An event that is longer than the bound; the rest of it is skipped. */
  oversized(): void
}

export class SseReader {
  /** The id of the last event that ended, '' when there was none: what Last-Event-ID is to say. */
  lastEventId: string
  /** The wait before a reconnection that the server asked for last, in milliseconds. */
  retryMs: number | undefined
  readonly #maxEventBytes: number
  readonly #listener: SseListener
  readonly #partial = new ByteAccumulator()
  #isFirstLine = true
  #isStopped = false
  /** The last byte was a \r: a \n that follows belongs to it. */
  #isAfterReturn = false
  /** The rest of a line that is too long is skipped. */
  #isSkippingLine = false
  /** The rest of an event that is too long is skipped. */
  #isSkippingEvent = false
  #eventBytes = 0
  #data: string | undefined
  #type = ''
  #idBuffer: string
  #hasId = false

  /** `lastEventId`: the one to start from, on a stream that is taken up again. */
  constructor(maxEventBytes: number, listener: SseListener, lastEventId = '') {
    this.#maxEventBytes = maxEventBytes
    this.#listener = listener
    this.lastEventId = lastEventId
    this.#idBuffer = lastEventId
  }

  /** Reads the next bytes and reports every event that they complete. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    let start = this.#isAfterReturn && chunk[0] === NEWLINE ? 1 : 0
    this.#isAfterReturn = false
    let newline = chunk.indexOf(NEWLINE, start)
    let carriage = chunk.indexOf(RETURN, start)
    while (!this.#isStopped) {
      const end = carriage !== -1 && (newline === -1 || carriage < newline) ? carriage : newline
      if (end === -1) break
      this.#line(chunk, start, end)
      start = end + 1
      if (end === carriage) {
        if (start === chunk.length) this.#isAfterReturn = true
        else if (chunk[start] === NEWLINE) start += 1
        carriage = chunk.indexOf(RETURN, start)
      }
      if (newline !== -1 && newline < start) newline = chunk.indexOf(NEWLINE, start)
    }
    if (!this.#isStopped && start < chunk.length) this.#extend(chunk, start, chunk.length)
  }

  /** Reports nothing from now on and lets go of what was kept. */
  stop(): void {
    this.#isStopped = true
    this.#partial.clear()
    this.#data = undefined
  }

  /** One line is complete with `chunk[start, end)`. */
  #line(chunk: Buffer, start: number, end: number): void {
    const length = this.#partial.byteLength + end - start
    if (this.#isSkippingLine) this.#isSkippingLine = false
    else if (length === 0) this.#dispatch()
    else if (length > this.#room) this.#skip()
    else if (length > end - start || this.#isFirstLine) {
      this.#partial.append(chunk, start, end)
      this.#text(this.#partial.takeLossy(), length)
    } else if (isData(chunk, start, end)) {
      // The usual line is decoded without looking at it again.
      const from = start + 5 < end && chunk[start + 5] === SPACE ? start + 6 : start + 5
      this.#append(chunk.toString('utf8', from, end), length)
    } else this.#text(chunk.toString('utf8', start, end), length)
    this.#isFirstLine = false
  }

  /** Keeps `chunk[start, end)` of an unfinished line, unless there is too much of it. */
  #extend(chunk: Buffer, start: number, end: number): void {
    if (this.#isSkippingLine) return
    if (this.#partial.byteLength + end - start > this.#room) {
      this.#skip()
      this.#isSkippingLine = true
    } else this.#partial.append(chunk, start, end)
  }

  /** Bytes that the next line may have. */
  get #room(): number {
    return this.#isSkippingEvent ? this.#maxEventBytes : this.#maxEventBytes - this.#eventBytes
  }

  /** Drops the line, and with it the event. */
  #skip(): void {
    this.#partial.clear()
    if (this.#isSkippingEvent) return
    this.#isSkippingEvent = true
    this.#data = undefined
    this.#listener.oversized()
  }

  #text(line: string, bytes: number): void {
    if (this.#isFirstLine && line.startsWith('\ufeff')) line = line.slice(1)
    const colon = line.indexOf(':')
    if (line === '') this.#dispatch()
    else if (colon === -1) this.#field(line, '', bytes)
    else if (colon > 0)
      this.#field(line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1), bytes)
  }

  #field(name: string, value: string, bytes: number): void {
    if (name === 'data') this.#append(value, bytes)
    else if (name === 'event') {
      this.#eventBytes += bytes
      this.#type = value
    } else if (name === 'id') {
      if (value.includes('\0')) return
      this.#idBuffer = value
      this.#hasId = true
    } else if (name === 'retry' && /^[0-9]+$/.test(value)) this.retryMs = Math.min(Number(value), RETRY_MS_MAX)
  }

  #append(text: string, bytes: number): void {
    if (this.#isSkippingEvent) return
    this.#eventBytes += bytes
    this.#data = this.#data === undefined ? text : `${this.#data}\n${text}`
  }

  #dispatch(): void {
    this.lastEventId = this.#idBuffer
    const data = this.#data
    const type = this.#type
    const id = this.#hasId ? this.#idBuffer : undefined
    this.#data = undefined
    this.#type = ''
    this.#hasId = false
    this.#eventBytes = 0
    this.#isSkippingEvent = false
    if (data !== undefined) this.#listener.event(data, type === '' ? 'message' : type, id)
  }
}

/** Whether `bytes[start, end)` begins with 'data:'. */
function isData(bytes: Buffer, start: number, end: number): boolean {
  return (
    end - start >= 5 &&
    bytes[start] === 0x64 &&
    bytes[start + 1] === 0x61 &&
    bytes[start + 2] === 0x74 &&
    bytes[start + 3] === 0x61 &&
    bytes[start + 4] === 0x3a
  )
}
