/**
 * A target of the fuzzer: something that reads bytes from strangers. Its seeds are inputs that make sense, which fast-check
 * makes; what the runner makes of them and of the recorded exchanges is anything. A law that breaks throws.
 */
import type fc from 'fast-check'

export interface Target {
  readonly name: string
  /** What it may be asked to read, and what must hold. */
  readonly law: string
  /** Its share of the cases of a whole run; cheap ones take more. */
  readonly weight: number
  /** Inputs of the right structure. */
  readonly seeds: fc.Arbitrary<string | Uint8Array>
  /** Kinds of recordings to begin with too. */
  readonly recordings?: readonly Recording[]
  /** Longest input in bytes; default 64 KiB. */
  readonly bytesMax?: number
  /** Cases that run at once; default 1. More only where each waits for a socket. */
  readonly lanes?: number
  /** Milliseconds of each case that the target itself waits for an answer that may never come; default 0. */
  readonly patienceMs?: number
  open(): Bench | Promise<Bench>
}

/** A piece of a recorded exchange: a message, an HTTP request, the bytes of a stream. */
export type Recording = 'client message' | 'server message' | 'http request' | 'event stream' | 'lines'

/** A target set up. */
export interface Bench {
  /**
   * Reads one input. Throws when a law is broken. What it returns names the way that the input took: the first of each is
   * kept, to be mutated further.
   */
  run(input: Buffer): string | undefined | Promise<string | undefined>
  /** Lets go of everything; throws when something is left that was not there before. */
  close?(): void | Promise<void>
}

/** A law that does not hold. */
export class Broken extends Error {
  override readonly name = 'Broken'
}

export function must(holds: boolean, law: string, ...shown: readonly unknown[]): asserts holds {
  if (!holds) throw new Broken([law, ...shown.map(show)].join(' | '))
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value))
  return text.length > 400 ? `${text.slice(0, 400)}...` : text
}

/**
 * Bytes as a text that may hold anything a text can: U+E000 to U+E7FF stand for the halves of surrogate pairs, which UTF-8
 * cannot say.
 */
export function anyText(input: Buffer): string {
  return input.toString('utf8').replace(/[\ue000-\ue7ff]/g, (char) => String.fromCharCode(char.charCodeAt(0) - 0x800))
}

/** The parts of an input of several texts, which NUL sets apart; those that are missing are empty. */
export function partsOf(input: Buffer, count: number): Buffer[] {
  const parts: Buffer[] = []
  let start = 0
  while (parts.length < count - 1) {
    const end = input.indexOf(0, start)
    if (end < 0) break
    parts.push(input.subarray(start, end))
    start = end + 1
  }
  parts.push(input.subarray(start))
  while (parts.length < count) parts.push(Buffer.alloc(0))
  return parts
}
