/**
 * Finds stop sequences in a text that comes in pieces, for APIs that do not stop at them (or not at so many). Text that may be
 * the beginning of one is held back until it is known.
 *
 *     const scanner = new StopScanner(['END'])
 *     scanner.push('the E')     // 'the '
 *     scanner.push('ND of')     // '', and scanner.found is 'END'
 */

export class StopScanner {
  /** The sequence that was whole first; among those that end at one place the longest. */
  found: string | undefined
  private readonly sequences: readonly string[]
  private held = ''

  constructor(sequences: readonly string[]) {
    this.sequences = sequences.filter((one) => one !== '')
  }

  /** The text that is now known to come before any sequence. Nothing once one was found. */
  push(piece: string): string {
    if (this.found !== undefined) return ''
    if (this.sequences.length === 0) return piece
    const text = this.held + piece
    let end = Number.POSITIVE_INFINITY
    for (const sequence of this.sequences) {
      const place = text.indexOf(sequence)
      if (place < 0 || place + sequence.length > end) continue
      if (place + sequence.length === end && sequence.length <= (this.found?.length ?? 0)) continue
      end = place + sequence.length
      this.found = sequence
    }
    if (this.found !== undefined) return text.slice(0, end - this.found.length)
    const held = this.openLength(text)
    this.held = text.slice(text.length - held)
    return text.slice(0, text.length - held)
  }

  /** What was held back, when no more text comes. */
  flush(): string {
    const { held } = this
    this.held = ''
    return this.found === undefined ? held : ''
  }

  /** The length of the longest end of `text` that begins a sequence. */
  private openLength(text: string): number {
    let longest = 0
    for (const sequence of this.sequences) {
      for (let length = Math.min(sequence.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(sequence.slice(0, length))) longest = length
      }
    }
    return longest
  }
}
