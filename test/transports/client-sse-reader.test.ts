import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SseReader } from '#transports/sse-reader'

const SEED = Number(process.env['BOUGH_SEED'] ?? 42)

interface Read {
  readonly events: readonly (readonly [string, string, string | undefined])[]
  readonly oversizedCount: number
  readonly lastEventId: string
  readonly retryMs: number | undefined
}

/** Reads the pieces one after the other. */
function read(pieces: readonly Buffer[], maxEventBytes = 1_000): Read {
  const events: [string, string, string | undefined][] = []
  let oversizedCount = 0
  const reader = new SseReader(maxEventBytes, {
    event: (data, type, id) => events.push([data, type, id]),
    oversized: () => (oversizedCount += 1),
  })
  for (const piece of pieces) reader.push(piece)
  return { events, oversizedCount, lastEventId: reader.lastEventId, retryMs: reader.retryMs }
}

const readText = (text: string, maxEventBytes?: number) => read([Buffer.from(text)], maxEventBytes)

describe('an event stream', () => {
  it('gives data, type and id of each event', () => {
    expect(readText('event: ping\nid: 1\ndata: a\n\ndata: b\n\n').events).toEqual([
      ['a', 'ping', '1'],
      ['b', 'message', undefined],
    ])
  })

  it('takes one space behind the colon away, and joins data lines with a newline', () => {
    expect(readText('data:a\ndata:  b\ndata\ndata:\ndata: c\n\n').events).toEqual([
      ['a\n b\n\n\nc', 'message', undefined],
    ])
  })

  it('ends lines at \\n, \\r\\n and \\r, mixed', () => {
    expect(readText('data: a\rdata: b\r\ndata: c\n\r\ndata: d\r\rdata: e\n\n').events.map(([data]) => data)).toEqual([
      'a\nb\nc',
      'd',
      'e',
    ])
  })

  it('reports an event at the \\r that ends it, before the \\n that may belong to it', () => {
    expect(readText('data: a\r\n\r').events).toEqual([['a', 'message', undefined]])
    expect(read([Buffer.from('data: a\r\n\r'), Buffer.from('\ndata: b\r\n\r\n')]).events).toHaveLength(2)
  })

  it('skips one byte order mark at the beginning, and no other', () => {
    expect(readText('\ufeffdata: a\n\n').events).toEqual([['a', 'message', undefined]])
    expect(readText('\ufeff\ufeffdata: a\n\n').events).toEqual([])
    expect(readText('\n\ufeffdata: a\n\n').events).toEqual([])
  })

  it('ignores comments, unknown fields, ids with NUL and a retry that is not all digits', () => {
    const { events, retryMs, lastEventId } = readText(
      ': hello\nid: 7\nid: 8\0\nretry: 1x\nretry: -5\nretry\nfoo: bar\n: again\ndata: a\n\n',
    )
    expect(events).toEqual([['a', 'message', '7']])
    expect([retryMs, lastEventId]).toEqual([undefined, '7'])
  })

  it('keeps the retry in milliseconds, and no longer one than a timer holds', () => {
    expect(readText('retry: 1500\n\n').retryMs).toBe(1_500)
    expect(readText('retry: 99999999999999\n\n').retryMs).toBe(2_147_483_647)
  })

  it('keeps the id of an event without data, and an empty id takes it back', () => {
    expect(readText('id: 5\n\n').lastEventId).toBe('5')
    expect(readText('id: 5\n\nid\n\n').lastEventId).toBe('')
    expect(readText('id: 5\n\ndata: a\n\n')).toMatchObject({ events: [['a', 'message', undefined]], lastEventId: '5' })
  })

  it('reports a priming event with empty data and its id', () => {
    expect(readText('id: 5\nretry: 10\ndata: \n\n').events).toEqual([['', 'message', '5']])
  })

  it('drops what is unfinished when the bytes end, its id with it', () => {
    expect(readText('id: 1\ndata: a\n\nid: 2\ndata: b\n')).toMatchObject({
      events: [['a', 'message', '1']],
      lastEventId: '1',
    })
  })

  it('writes U+FFFD for what is not UTF-8', () => {
    expect(read([Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0x0a, 0x0a])]).events[0]![0]).toBe('\ufffd')
  })

  it('skips an event that is too long, reports it once, and reads the next', () => {
    const long = `data: ${'x'.repeat(40)}\n`
    const read = readText(`data: a\n\nid: 9\n${long}${long}${long}\ndata: b\n\n`, 50)
    expect(read.events.map(([data]) => data)).toEqual(['a', 'b'])
    expect(read.oversizedCount).toBe(1)
    expect(read.lastEventId).toBe('9')
  })

  it('reports an unfinished line as soon as it passes the bound', () => {
    expect(readText(`data: ${'x'.repeat(100)}`, 50).oversizedCount).toBe(1)
  })

  it('reports nothing once it is stopped, also within an event', () => {
    const events: string[] = []
    const reader: SseReader = new SseReader(100, {
      event: (data) => {
        events.push(data)
        reader.stop()
      },
      oversized: () => {},
    })
    reader.push(Buffer.from('data: a\n\ndata: b\n\n'))
    reader.push(Buffer.from('data: c\n\n'))
    expect(events).toEqual(['a'])
  })
})

describe('the split of the bytes', () => {
  // 1. make a stream of arbitrary fields and line ends; 2. read it whole; 3. read it split in two at every byte, and byte by byte.
  const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
  const line = fc.oneof(
    fc.constantFrom(
      '',
      '',
      '',
      'data',
      'data:',
      'data: ',
      ':',
      'id',
      'id: 1',
      'id: a\0',
      'retry: 12',
      'retry:x',
      'event: e',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }).map((text) => `data: ${text.replace(/[\r\n]/g, '')}`),
    fc.string({ maxLength: 12 }).map((text) => text.replace(/[\r\n]/g, '')),
  )
  const text = fc
    .tuple(fc.boolean(), fc.array(fc.tuple(line, lineEnd), { maxLength: 12 }), line)
    .map(
      ([hasMark, lines, rest]) => `${hasMark ? '\ufeff' : ''}${lines.map((parts) => parts.join('')).join('')}${rest}`,
    )

  it('changes nothing, wherever it falls', () => {
    fc.assert(
      fc.property(text, fc.constantFrom(8, 20, 1_000), (source, maxEventBytes) => {
        const bytes = Buffer.from(source)
        const whole = read([bytes], maxEventBytes)
        for (let at = 0; at <= bytes.length; at += 1) {
          expect(read([bytes.subarray(0, at), bytes.subarray(at)], maxEventBytes).events).toEqual(whole.events)
        }
        const single = read(
          [...bytes].map((byte) => Buffer.from([byte])),
          maxEventBytes,
        )
        expect(single).toEqual(whole)
      }),
      { seed: SEED, numRuns: 300 },
    )
  })

  it('reads what a plain model of the standard reads', () => {
    fc.assert(
      fc.property(text, (source) => {
        expect(read([Buffer.from(source)]).events.map(([data, type]) => [data, type])).toEqual(modelled(source))
      }),
      { seed: SEED, numRuns: 500 },
    )
  })
})

/** The standard's algorithm, step by step over the whole text. */
function modelled(source: string): [string, string][] {
  const text = Buffer.from(source)
    .toString()
    .replace(/^\ufeff/, '')
  const lines = text.split(/\r\n|\r|\n/)
  lines.pop()
  const events: [string, string][] = []
  let data = ''
  let type = ''
  for (const line of lines) {
    if (line === '') {
      if (data !== '') events.push([data.slice(0, -1), type === '' ? 'message' : type])
      data = ''
      type = ''
      continue
    }
    const [, name = '', value = ''] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line) ?? []
    if (name === 'data') data += `${value}\n`
    if (name === 'event') type = value
  }
  return events
}
