/**
 * Bytes on their way to becoming a text: an accumulator that grows by doubling, and a strict UTF-8 decoder.
 *
 * A message that arrives in pieces is copied into one buffer instead of a list of chunks: a peer that sends one byte
 * at a time would otherwise cost a buffer object, and the read buffer behind it, for every byte. The copying is linear
 * in all.
 */
import { isUtf8 } from 'node:buffer'

const FIRST_BYTES = 1_024
/** The largest buffer that is kept for the next message. */
const KEPT_BYTES_MAX = 65_536

/** Text of `bytes[start, end)`, or undefined when they are not UTF-8. */
export function decodeUtf8(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString('utf8', start, end)
  // The decoder writes U+FFFD for what it cannot read, so only a text that holds one needs the exact (second) look.
  // For a text of one-byte characters, the usual case, this search costs nothing.
  return text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end)) ? undefined : text
}

/** A growing run of bytes. The caller keeps the bound: look at `byteLength` before `append`. */
export class ByteAccumulator {
  byteLength = 0
  #bytes: Buffer | undefined

  /** Copies `chunk[start, end)` to the end. Cost: amortised linear in the bytes copied. */
  append(chunk: Buffer, start: number, end: number): void {
    const byteLength = this.byteLength + end - start
    if (this.#bytes === undefined || this.#bytes.length < byteLength) {
      const grown = Buffer.allocUnsafeSlow(Math.max(byteLength, (this.#bytes?.length ?? 0) * 2, FIRST_BYTES))
      this.#bytes?.copy(grown, 0, 0, this.byteLength)
      this.#bytes = grown
    }
    chunk.copy(this.#bytes, this.byteLength, start, end)
    this.byteLength = byteLength
  }

  /** The text of everything appended, or undefined when it is not UTF-8; then starts anew. */
  take(): string | undefined {
    const text = this.#bytes === undefined ? '' : decodeUtf8(this.#bytes, 0, this.byteLength)
    this.clear()
    return text
  }

  /** The text of everything appended, U+FFFD for what is not UTF-8; then starts anew. */
  takeLossy(): string {
    const text = this.#bytes === undefined ? '' : this.#bytes.toString('utf8', 0, this.byteLength)
    this.clear()
    return text
  }

  /** The last byte appended, or -1. */
  get lastByte(): number {
    return this.#bytes === undefined || this.byteLength === 0 ? -1 : this.#bytes[this.byteLength - 1]!
  }

  /** Removes the last byte. */
  dropLastByte(): void {
    if (this.byteLength > 0) this.byteLength -= 1
  }

  clear(): void {
    this.byteLength = 0
    if (this.#bytes !== undefined && this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = undefined
  }
}
