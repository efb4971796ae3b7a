/**
 * How it works: 1. generate lines (any text, any bytes) and cuts; 2. run the framer over every way to cut the bytes,
 * or the encoder over any text; 3. assert that the same messages come out. The readers used to check are written from
 * the formats' descriptions and share no code with the sources.
 *
 * BOUGH_SEED repeats a run.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineFramer, type LineRefusal } from '#transports/line-framing'
import { encodeEvent, encodePrimingEvent, isEventId } from '#transports/sse-encoding'

const seed = Number(process.env['BOUGH_SEED'] ?? 20_251_125)

function frame(chunks: readonly Buffer[], maxLineBytes = 1_000): { lines: string[]; refusals: LineRefusal[] } {
  const lines: string[] = []
  const refusals: LineRefusal[] = []
  const framer = new LineFramer(maxLineBytes, {
    line: (text) => lines.push(text),
    refused: (why) => refusals.push(why),
  })
  for (const chunk of chunks) framer.push(chunk)
  framer.end()
  return { lines, refusals }
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((one) => one % (bytes.length + 1)))].sort((a, b) => a - b)
  const chunks: Buffer[] = []
  let start = 0
  for (const end of [...at, bytes.length]) {
    chunks.push(bytes.subarray(start, end))
    start = end
  }
  return chunks
}

const lineText = fc
  .string({ unit: 'binary', maxLength: 30 })
  .map((text) => text.replace(/[\r\n]/g, ''))
  .filter((text) => text !== '')

describe('line framing', () => {
  it('gives the same messages at every split of the bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(lineText, fc.constantFrom('\n', '\r\n', '\n\n', '\r\n\n')), { maxLength: 12 }),
        lineText,
        fc.array(fc.nat(), { maxLength: 20 }),
        (lines, last, cuts) => {
          const bytes = Buffer.from(lines.map(([text, end]) => text + end).join('') + last)
          const expected = [...lines.map(([text]) => text), last]
          expect(frame(cut(bytes, cuts))).toEqual({ lines: expected, refusals: [] })
          expect(frame([...bytes].map((byte) => Buffer.from([byte])))).toEqual({ lines: expected, refusals: [] })
        },
      ),
      { seed },
    )
  })

  it('gives the same messages and refusals for any bytes at any split, with any bound', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.integer({ min: 1, max: 40 }),
        (noise, cuts, bound) => {
          // Newlines are rare among 256 values: make some.
          const bytes = Buffer.from(noise.map((byte) => (byte % 16 === 10 ? 0x0a : byte % 16 === 13 ? 0x0d : byte)))
          expect(frame(cut(bytes, cuts), bound)).toEqual(frame([bytes], bound))
        },
      ),
      { seed, numRuns: 500 },
    )
  })

  it('passes a line of exactly the bound and refuses one byte more, without losing its neighbours', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.nat(), { maxLength: 8 }), (bound, cuts) => {
        const bytes = Buffer.from(`a\n${'x'.repeat(bound)}\r\n${'y'.repeat(bound + 1)}\nb\n`)
        expect(frame(cut(bytes, cuts), bound)).toEqual({
          lines: ['a', 'x'.repeat(bound), 'b'],
          refusals: ['oversized'],
        })
      }),
      { seed },
    )
  })
})

interface ReadEvent {
  readonly data: string
  readonly id: string
}

/** A reader after the HTML Standard's description, one line at a time; it keeps events with empty data, too. */
function readEvents(stream: string): { events: ReadEvent[]; retryMs: number | undefined } {
  const events: ReadEvent[] = []
  let data: string[] = []
  let id = ''
  let retryMs: number | undefined
  const lines = stream.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)
  lines.pop()
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) events.push({ data: data.join('\n'), id })
      data = []
      continue
    }
    const colon = line.indexOf(':')
    if (colon === 0) continue
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data.push(value)
    else if (field === 'id' && !value.includes('\0')) id = value
    else if (field === 'retry' && /^\d+$/.test(value)) retryMs = Number(value)
  }
  return { events, retryMs }
}

describe('SSE encoding', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('\n', '\r', '\r\n', 'a', ' ', ':', 'data: x', '\u2028', '\ufeff', 'id: 9'))
      .map((parts) => parts.join('')),
  )

  it('is read back as the same text, its line breaks as \\n', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyText, fc.stringMatching(/^[!-~]{1,20}$/)), { maxLength: 5 }), (events) => {
        const stream = events.map(([text, id]) => encodeEvent(text, id)).join('')
        expect(readEvents(stream).events).toEqual(
          events.map(([text, id]) => ({ data: text.replace(/\r\n|\r/g, '\n'), id })),
        )
      }),
      { seed, numRuns: 500 },
    )
  })

  it('is read back exactly when the text is JSON, with or without an id', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(readEvents(encodeEvent(json)).events).toEqual([{ data: json, id: '' }])
        expect(encodeEvent(json)).toBe(`data: ${json}\n\n`)
      }),
      { seed },
    )
  })

  it('primes with an id, empty data and a retry in whole milliseconds', () => {
    expect(readEvents(encodePrimingEvent('s_1', 1_500.4))).toEqual({
      events: [{ data: '', id: 's_1' }],
      retryMs: 1_500,
    })
    expect(encodePrimingEvent('s_1')).toBe('id: s_1\ndata: \n\n')
  })

  it('takes an id exactly when a reader would give it back', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\r', '\0', ':', '😀') }), (id) => {
        const read = readEvents(`id: ${id}\ndata: x\n\n`)
        expect(isEventId(id)).toBe(id !== '' && id[0] !== ' ' && read.events.length === 1 && read.events[0]!.id === id)
        if (!isEventId(id)) expect(() => encodeEvent('x', id)).toThrow(TypeError)
      }),
      { seed, numRuns: 300 },
    )
  })
})
