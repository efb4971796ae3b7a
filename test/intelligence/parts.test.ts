/** The pure parts of a provider against simple models of what they should do. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Aliases } from '#intelligence/aliases'
import { EventStreamReader } from '#intelligence/event-stream'
import { HiddenItems } from '#intelligence/hidden-items'
import { backoffMs } from '#intelligence/retry'
import { StopScanner } from '#intelligence/stop-scanner'

const seed = Number(process.env['BOUGH_SEED'] ?? 42)
const runs = { seed, numRuns: 2_000 }

describe('an event stream', () => {
  /** The format, read whole and line by line. */
  function model(text: string): { event: string; data: string }[] {
    const events: { event: string; data: string }[] = []
    let [event, data]: [string, string[]] = ['', []]
    const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
    for (const line of lines.slice(0, -1)) {
      const [, name = line, value = ''] = /^([^:]*): ?(.*)$/s.exec(line) ?? []
      if (line === '') {
        if (data.length > 0) events.push({ event: event || 'message', data: data.join('\n') })
        ;[event, data] = ['', []]
      } else if (name === 'event') event = value
      else if (name === 'data') data.push(value)
    }
    return events
  }

  it('is read as a whole, however its bytes are cut', () => {
    const part = fc.constantFrom(
      'data',
      'event',
      'id',
      ':',
      ': ',
      ' ',
      'a',
      'é',
      '😀',
      '\n',
      '\n\n',
      '\r',
      '\r\n',
      '\uFEFF',
      '\0',
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), fc.array(fc.nat(), { maxLength: 10 }), (parts, places) => {
        const bytes = Buffer.from(parts.join(''))
        const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
        const reader = new EventStreamReader(10_000)
        const found = cuts.slice(1).flatMap((place, index) => reader.push(bytes.subarray(cuts[index], place)))
        expect(found).toEqual(model(parts.join('')))
      }),
      runs,
    )
  })

  it('costs no more for a long line that comes byte by byte', () => {
    const reader = new EventStreamReader(1_000_000)
    const byte = Uint8Array.of(120)
    reader.push(Buffer.from('data: '))
    for (let count = 0; count < 200_000; count++) reader.push(byte)
    expect(reader.push(Buffer.from('\n\n'))[0]?.data).toHaveLength(200_000)
  })
})

describe('a stop scanner', () => {
  it('gives the text up to the sequence that is whole first, however the text is cut', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 })
    const sequences = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
      maxLength: 3,
    })
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 5 }), sequences, (pieces, stops) => {
        const text = pieces.join('')
        let expected: { text: string; found: string | undefined } = { text, found: undefined }
        for (let end = 1; end <= text.length && expected.found === undefined; end++) {
          const [found] = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)
          if (found !== undefined) expected = { text: text.slice(0, end - found.length), found }
        }
        const scanner = new StopScanner(stops)
        const given = pieces.map((piece) => scanner.push(piece)).join('') + scanner.flush()
        expect({ text: given, found: scanner.found }).toEqual(expected)
      }),
      runs,
    )
  })

  it('holds back no more than what may begin a sequence', () => {
    const scanner = new StopScanner(['END'])
    expect([scanner.push('the E'), scanner.push('N'), scanner.push('E'), scanner.flush()]).toEqual([
      'the ',
      '',
      'EN',
      'E',
    ])
  })
})

describe('aliases', () => {
  it('are good names, all different, and lead back', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '_', '.', '/', 'é'), maxLength: 12 })
    fc.assert(
      fc.property(fc.uniqueArray(name), fc.integer({ min: 6, max: 10 }), (names, lengthMax) => {
        const aliases = new Aliases(names, /^[a-z0-9_-]+$/, lengthMax)
        const wire = names.map((one) => aliases.toWire(one))
        expect(new Set(wire).size).toBe(names.length)
        for (const one of wire) expect(one).toMatch(new RegExp(`^[a-z0-9_-]{1,${lengthMax}}$`))
        expect(wire.map((one) => aliases.fromWire(one))).toEqual(names)
        for (const one of names)
          if (/^[a-z0-9_-]+$/.test(one) && one.length <= lengthMax) expect(aliases.toWire(one)).toBe(one)
      }),
      runs,
    )
  })
})

describe('hidden items', () => {
  it('are bounded by number and by length: the oldest go first', () => {
    const hidden = new HiddenItems()
    for (let number = 0; number < 1_001; number++) hidden.set(`call ${number}`, [{ number }])
    expect([hidden.get('call 0'), hidden.get('call 1')]).toEqual([[], [{ number: 1 }]])
    const big = 'x'.repeat(9 * 1024 * 1024)
    hidden.set('first', [{ big }])
    hidden.set('second', [{ big }])
    expect([hidden.get('call 1000'), hidden.get('first'), hidden.get('second').length]).toEqual([[], [], 1])
    hidden.set('third', [{ big: big + big }])
    expect([hidden.get('third'), hidden.get('second').length]).toEqual([[], 1])
  })
})

describe('the wait before another try', () => {
  it('doubles from half a second to eight, of which chance takes up to a quarter', () => {
    expect([0, 1, 2, 3, 4, 5, 99].map((attempt) => backoffMs(attempt, 0))).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000,
    ])
    expect(backoffMs(0, 1)).toBe(375)
  })
})
