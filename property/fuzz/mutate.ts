/**
 * Small damage to bytes, of the kinds that break readers: flipped bits, pieces cut out, doubled, swapped or taken from elsewhere,
 * ends cut off, and words that parsers stumble over. One case suffers one to four of them.
 */
import type { Chance } from './chance.ts'

/** Longest mutated input, in bytes; a target may take less. */
export const INPUT_BYTES_MAX = 65_536
const MUTATIONS_MAX = 4
/** Levels of nesting, or copies of a piece, that one mutation adds at most. */
const REPEATS_MAX = 2_000

const raw = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Line ends, quotes, NUL, the halves of UTF-8 sequences, surrogates in UTF-8, a byte order mark. */
const bytes: readonly Buffer[] = [
  ...[
    '\0',
    '\n',
    '\r',
    '\r\n',
    '\n\n',
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    ' ',
    '\t',
    '%',
    '=',
    ';',
    '*',
    '(',
    '|',
  ],
  ...['\xff', '\xc0\x80', '\xed\xa0\x80', '\xed\xb0\x80', '\xef\xbb\xbf', '\xf4\x90\x80\x80', '\xe2\x80', '\xf0\x9f'],
].map(raw)

/** Values that JSON can hold, or nearly. */
const values: readonly Buffer[] = [
  ...['null', 'true', '-0', '0', '1e999', '-1e-999', '9007199254740993', '-9007199254740991', '1'.repeat(400)],
  ...[
    '{}',
    '[]',
    '""',
    '[[]]',
    '{"":{}}',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    '"__proto__"',
    '"constructor"',
  ],
  ...[
    '{"__proto__":{"a":1}}',
    '{"\\u005f_proto__":1}',
    '{"length":1e9}',
    '"2026-07-28"',
    '"2025-11-25"',
    '"2.0"',
    '1.5',
  ],
].map(raw)

/** Words of the formats. */
const words: readonly Buffer[] = [
  ...[
    'data:',
    'data: ',
    'id: ',
    'event: ',
    'retry: 99999999999999999999',
    ':',
    '\r\n\r\n',
    'Content-Length: 99',
    '0\r\n\r\n',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Mcp-Session-Id: ',
    'MCP-Protocol-Version: ',
    'Last-Event-ID: ',
    'Expect: 100-continue',
  ],
  ...[
    '=?base64?',
    '?=',
    '{+a}',
    '{/a*}',
    '{?a,b}',
    '%2F',
    '%zz',
    '..',
    '---\n',
    '(a+)+$',
    '(?=',
    '{0,99999}',
    '\\1',
    '[^]',
  ],
  ...[
    '"method":"',
    '"params":',
    '"id":',
    '"_meta":',
    '"cursor":"',
    '"jsonrpc":"2.0"',
    '$ref',
    '#/$defs/a',
    'tools/call',
  ],
].map(raw)

/** A damaged copy of `input`, at most `bytesMax` bytes. `other` is what a splice takes from. */
export function mutated(input: Buffer, other: Buffer, chance: Chance, bytesMax = INPUT_BYTES_MAX): Buffer {
  let result: Buffer = input
  for (let count = 1 + chance.below(MUTATIONS_MAX); count > 0; count--) result = once(result, other, chance)
  return result.length > bytesMax ? result.subarray(0, bytesMax) : result
}

function once(input: Buffer, other: Buffer, chance: Chance): Buffer {
  const at = chance.below(input.length + 1)
  const until = Math.min(input.length, at + 1 + chance.below(chance.below(8) === 0 ? input.length : 16))
  switch (chance.below(14)) {
    case 0:
    case 1:
      return flipped(input, chance)
    case 2:
      return replaced(input, at, Math.min(at + 1, input.length), Buffer.from([chance.below(256)]))
    case 3:
      return input.subarray(0, at)
    case 4:
      return replaced(input, at, until, Buffer.alloc(0))
    case 5:
      return replaced(input, at, at, input.subarray(at, until))
    case 6: {
      const from = chance.below(other.length)
      return replaced(input, at, until, other.subarray(from, from + 1 + chance.below(other.length - from)))
    }
    case 7:
      return replaced(input, at, at, chance.of(bytes))
    case 8:
      return replaced(input, at, chance.below(2) === 0 ? at : until, chance.of(words))
    case 9:
    case 10:
    case 11:
      return withValue(input, chance.of(values), chance)
    case 12: {
      const piece = input.subarray(at, Math.min(until, at + 16))
      const times = 1 + chance.below(chance.below(4) === 0 ? REPEATS_MAX : 8)
      return replaced(input, at, at, Buffer.alloc(piece.length * times, piece.length === 0 ? 0 : piece))
    }
    default: {
      const depth = 1 + chance.below(chance.below(4) === 0 ? REPEATS_MAX : 8)
      const [open, close] = chance.below(2) === 0 ? ['[', ']'] : ['{"a":', '}']
      const nested = `${open.repeat(depth)}1${chance.below(4) === 0 ? '' : close.repeat(depth)}`
      return chance.below(2) === 0 ? withValue(input, raw(nested), chance) : replaced(input, at, at, raw(nested))
    }
  }
}

function flipped(input: Buffer, chance: Chance): Buffer {
  const copy = Buffer.from(input)
  if (copy.length > 0) {
    const at = chance.below(copy.length)
    copy[at] = (copy[at] as number) ^ (1 << chance.below(8))
  }
  return copy
}

function replaced(input: Buffer, from: number, to: number, piece: Buffer): Buffer {
  const result = Buffer.allocUnsafe(input.length - (to - from) + piece.length)
  input.copy(result, 0, 0, from)
  piece.copy(result, from)
  input.copy(result, from + piece.length, to)
  return result
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Puts `value` where a JSON text or number begins, from a place by chance on. */
function withValue(input: Buffer, value: Buffer, chance: Chance): Buffer {
  for (let at = chance.below(input.length); at < input.length; at++) {
    const byte = input[at] as number
    if (byte === QUOTE) {
      let end = at + 1
      while (end < input.length && input[end] !== QUOTE) end += input[end] === BACKSLASH ? 2 : 1
      return replaced(input, at, Math.min(end + 1, input.length), value)
    }
    if (byte >= 0x30 && byte <= 0x39) {
      let end = at + 1
      while (end < input.length && (input[end] as number) >= 0x30 && (input[end] as number) <= 0x39) end++
      return replaced(input, at, end, value)
    }
  }
  return replaced(input, input.length, input.length, value)
}
