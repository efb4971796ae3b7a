/**
 * Newline framing: bytes in, whole lines out, whatever the split of the bytes.
 *
 * A line ends with \n; one \r before it is not part of the line; empty lines are skipped. A line longer than the bound
 * and a line that is not UTF-8 are reported as refused, once each, and cost nothing but themselves: the next line is
 * read as usual. At most `maxLineBytes` of an unfinished line are kept.
 *
 * ```ts
 * const framer = new LineFramer(1_000, { line: (text) => texts.push(text), refused: () => {} })
 * framer.push(Buffer.from('{"a":1}\n{"b"'))   // -> {"a":1}
 * framer.push(Buffer.from(':2}\r\n'))         // -> {"b":2}
 * framer.end()
 * ```
 *
 * Spec: MCP 2025-11-25, basic/transports, stdio.
 */
import { ByteAccumulator, decodeUtf8 } from './bytes.ts'

const NEWLINE = 0x0a
const RETURN = 0x0d

export type LineRefusal = 'oversized' | 'invalid_utf8'

export interface LineListener {
  /** One whole line, without its line end, never empty. May call `stop`. */
  line(text: string): void
  /** A line that was dropped. An oversized one is reported when the bound is passed, before its end has come. */
  refused(why: LineRefusal): void
}

export class LineFramer {
  readonly #maxLineBytes: number
  readonly #listener: LineListener
  readonly #partial = new ByteAccumulator()
  /** True while the rest of an oversized line is skipped. */
  #isSkipping = false
  #isStopped = false

  constructor(maxLineBytes: number, listener: LineListener) {
    this.#maxLineBytes = maxLineBytes
    this.#listener = listener
  }

  /** Reads the next bytes and reports every line that they complete. */
  push(chunk: Buffer): void {
    let start = 0
    while (!this.#isStopped) {
      const newline = chunk.indexOf(NEWLINE, start)
      if (newline === -1) break
      if (this.#isSkipping) this.#isSkipping = false
      else if (this.#partial.byteLength === 0) this.#wholeLine(chunk, start, newline)
      else if (this.#extend(chunk, start, newline)) this.#flushPartial()
      else this.#isSkipping = false
      start = newline + 1
    }
    if (this.#isStopped || this.#isSkipping || start === chunk.length) return
    this.#extend(chunk, start, chunk.length)
  }

  /** The bytes have ended: what follows the last newline is a line too. */
  end(): void {
    if (!this.#isStopped && !this.#isSkipping && this.#partial.byteLength > 0) this.#flushPartial()
    this.stop()
  }

  /** Reports nothing from now on and lets go of what was kept. */
  stop(): void {
    this.#isStopped = true
    this.#partial.clear()
  }

  #wholeLine(chunk: Buffer, start: number, newline: number): void {
    const end = newline > start && chunk[newline - 1] === RETURN ? newline - 1 : newline
    if (end - start > this.#maxLineBytes) this.#listener.refused('oversized')
    else if (end > start) this.#report(decodeUtf8(chunk, start, end))
  }

  /** Keeps `chunk[start, end)`; false when the line passed the bound and is being skipped. */
  #extend(chunk: Buffer, start: number, end: number): boolean {
    // One byte more than the bound, for a \r that may turn out to be part of the line's end.
    if (this.#partial.byteLength + end - start > this.#maxLineBytes + 1) {
      this.#partial.clear()
      this.#isSkipping = true
      this.#listener.refused('oversized')
      return false
    }
    this.#partial.append(chunk, start, end)
    return true
  }

  #flushPartial(): void {
    if (this.#partial.lastByte === RETURN) this.#partial.dropLastByte()
    if (this.#partial.byteLength > this.#maxLineBytes) {
      this.#partial.clear()
      this.#listener.refused('oversized')
    } else if (this.#partial.byteLength > 0) this.#report(this.#partial.take())
  }

  #report(text: string | undefined): void {
    if (text === undefined) this.#listener.refused('invalid_utf8')
    else this.#listener.line(text)
  }
}
