/** Targets: readers of bytes that come in pieces. Each must say the same wherever the bytes are cut. */
import fc from 'fast-check'
import { ProviderError } from '#intelligence/errors'
import { EventStreamReader } from '#intelligence/event-stream'
import { LineFramer } from '#transports/line-framing'
import { encodeEvent } from '#transports/sse-encoding'
import { SseReader } from '#transports/sse-reader'
import { messageText, oddText } from '../seeds.ts'
import { must, type Target } from '../target.ts'

const EVENT_BYTES_MAX = 2_048
const LINE_BYTES_MAX = 1_024

/** The bytes in two cuts: whole, and in pieces whose lengths the input itself decides. */
function pieces(input: Buffer): Buffer[] {
  const found: Buffer[] = []
  let state = input.length + 1
  for (let at = 0; at < input.length; ) {
    state = (Math.imul(state, 48_271) + (input[at] as number)) >>> 0
    const length = state % 5 === 0 ? 1 : 1 + (state % 37)
    found.push(input.subarray(at, at + length))
    at += length
  }
  return found
}

const field = fc.tuple(
  fc.constantFrom('data', 'id', 'event', 'retry', '', 'other'),
  fc.constantFrom(':', ': ', ''),
  oddText,
)
const events = fc
  .array(
    fc.oneof(
      fc.tuple(field, fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\r\n\r\n')).map(([[name, colon, value], end]) => {
        return `${name}${colon}${value}${end}`
      }),
      messageText.map((text) => encodeEvent(text, 's_1')),
    ),
    { maxLength: 8 },
  )
  .map((some) => some.join(''))

export const sseReader: Target = {
  name: 'sse-reader',
  law: 'the same events come out wherever the bytes are cut, none longer than its bound',
  weight: 5,
  seeds: events,
  recordings: ['event stream'],
  open: () => ({
    run: (input) => {
      const [whole, cut] = [readSse([input]), readSse(pieces(input))]
      must(whole.said === cut.said, 'another cut gives other events', whole.said, cut.said)
      return whole.way
    },
  }),
}

function readSse(chunks: readonly Buffer[]): { said: string; way: string } {
  const said: string[] = []
  let oversized = 0
  let count = 0
  const reader = new SseReader(EVENT_BYTES_MAX, {
    event: (data, type, id) => {
      // What is no UTF-8 becomes U+FFFD, three bytes for at least one.
      must(Buffer.byteLength(data) <= 3 * EVENT_BYTES_MAX, 'an event is longer than its bound', data.length)
      count++
      said.push(JSON.stringify([data, type, id]))
    },
    oversized: () => {
      oversized++
      said.push('oversized')
    },
  })
  for (const chunk of chunks) reader.push(chunk)
  must(!/[\0\r\n]/.test(reader.lastEventId), 'an id that no header can carry', reader.lastEventId)
  const { retryMs } = reader
  must(retryMs === undefined || (Number.isInteger(retryMs) && retryMs >= 0 && retryMs <= 2 ** 31), 'a wait', retryMs)
  said.push(reader.lastEventId, String(retryMs))
  return {
    said: said.join(),
    way: `${Math.min(count, 4)} ${oversized} ${reader.lastEventId === ''} ${retryMs === undefined}`,
  }
}

export const eventStream: Target = {
  name: 'event-stream',
  law: 'the same events come out wherever the bytes are cut; what is no stream is a ProviderError',
  weight: 4,
  seeds: events,
  recordings: ['event stream'],
  open: () => ({
    run: (input) => {
      const [whole, cut] = [readStream([input]), readStream(pieces(input))]
      // Where one is refused, the events before it may have been given already.
      if (whole.refused !== undefined || cut.refused !== undefined) {
        must(
          whole.refused === cut.refused || isBound(whole.refused, cut.refused),
          'one cut is refused alone',
          whole,
          cut,
        )
      } else must(whole.said === cut.said, 'another cut gives other events', whole.said, cut.said)
      return `${whole.refused} ${whole.said.length > 0}`
    },
  }),
}

/** Bytes that are no UTF-8 behind an event that is too long: which is told first depends on the cut. */
function isBound(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined
}

function readStream(chunks: readonly Buffer[]): { said: string; refused: string | undefined } {
  const reader = new EventStreamReader(EVENT_BYTES_MAX)
  const said: string[] = []
  try {
    for (const chunk of chunks)
      for (const { event, data } of reader.push(chunk)) said.push(JSON.stringify([event, data]))
  } catch (error) {
    if (error instanceof ProviderError) return { said: '', refused: error.code }
    throw error
  }
  return { said: said.join(), refused: undefined }
}

export const lines: Target = {
  name: 'lines',
  law: 'the same lines and refusals come out wherever the bytes are cut, none longer than its bound',
  weight: 8,
  seeds: fc
    .array(fc.tuple(fc.oneof(messageText, oddText), fc.constantFrom('\n', '\r\n', '\n\n', '\r')), { maxLength: 6 })
    .map((some) => some.map(([text, end]) => text + end).join('')),
  recordings: ['lines'],
  open: () => ({
    run: (input) => {
      const [whole, cut] = [readLines([input]), readLines(pieces(input))]
      must(whole.said === cut.said, 'another cut gives other lines', whole.said, cut.said)
      return whole.way
    },
  }),
}

function readLines(chunks: readonly Buffer[]): { said: string; way: string } {
  const said: string[] = []
  const refusals: string[] = []
  const framer = new LineFramer(LINE_BYTES_MAX, {
    line: (text) => {
      must(text !== '' && !text.includes('\n'), 'a line is none', text)
      must(Buffer.byteLength(text) <= LINE_BYTES_MAX, 'a line is longer than its bound', text.length)
      said.push(text)
    },
    refused: (why) => {
      refusals.push(why)
      said.push(`\n${why}`)
    },
  })
  for (const chunk of chunks) framer.push(chunk)
  framer.end()
  return { said: said.join('\n'), way: `${Math.min(said.length, 4)} ${[...new Set(refusals)].join()}` }
}
