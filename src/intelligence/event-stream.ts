/**
 * Reads a stream of server-sent events from bytes, however they are cut: inside a character, a line break or a field. Only
 * whole events come out; what follows the last empty line is dropped, as the format says.
 *
 *     const reader = new EventStreamReader(1_000_000)
 *     for (const { event, data } of reader.push(bytes)) ...
 *
 * Spec: WHATWG HTML, server-sent events, interpreting an event stream.
 */
import { badStream, ProviderError } from './errors.ts'

export interface ServerSentEvent {
  /** 'message' where the stream does not say. */
  readonly event: string
  readonly data: string
}

const lineEnd = /[\r\n]/g

export class EventStreamReader {
  private readonly decoder = new TextDecoder('utf-8', { fatal: true })
  private readonly lengthMax: number
  /** What came of the line that is not whole yet; joined once, so that a line in many pieces costs no more than in one. */
  private pieces: string[] = []
  private piecesLength = 0
  /** A CR ended the last line: an LF that comes now belongs to it. */
  private isAfterCr = false
  private event = ''
  private data: string[] = []
  private dataLength = 0

  /** `lengthMax` is the most characters of one event. */
  constructor(lengthMax: number) {
    this.lengthMax = lengthMax
  }

  /** The events that `bytes` complete. Throws `ProviderError`: 'bad_stream' for no UTF-8, 'response_too_large'. */
  push(bytes: Uint8Array): ServerSentEvent[] {
    const found: ServerSentEvent[] = []
    const text = this.decode(bytes)
    if (text === '') return found
    let start = this.isAfterCr && text.startsWith('\n') ? 1 : 0
    this.isAfterCr = false
    for (;;) {
      lineEnd.lastIndex = start
      const end = lineEnd.exec(text)?.index
      if (end === undefined) break
      this.pieces.push(text.slice(start, end))
      // A line that is too long is refused in one piece as it is in many.
      this.bound(this.piecesLength + end - start + this.dataLength)
      this.line(this.pieces.join(''), found)
      this.pieces = []
      this.piecesLength = 0
      start = end + 1
      if (text.charCodeAt(end) !== 13) continue
      if (start === text.length) this.isAfterCr = true
      else if (text.charCodeAt(start) === 10) start++
    }
    if (start === text.length) return found
    this.pieces.push(text.slice(start))
    this.piecesLength += text.length - start
    this.bound(this.piecesLength + this.dataLength)
    return found
  }

  private decode(bytes: Uint8Array): string {
    try {
      return this.decoder.decode(bytes, { stream: true })
    } catch (error) {
      throw badStream('The event stream is not UTF-8.', error)
    }
  }

  private line(line: string, found: ServerSentEvent[]): void {
    if (line === '') {
      if (this.data.length > 0) found.push({ event: this.event || 'message', data: this.data.join('\n') })
      this.event = ''
      this.data = []
      this.dataLength = 0
      return
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1)
    if (field === 'event') this.event = value
    if (field !== 'data') return
    this.data.push(value)
    this.dataLength += value.length + 1
    this.bound(this.dataLength)
  }

  private bound(length: number): void {
    if (length <= this.lengthMax) return
    throw new ProviderError('response_too_large', `One event has more than ${this.lengthMax} characters.`)
  }
}
