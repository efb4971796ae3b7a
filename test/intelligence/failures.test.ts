/**
 * What goes wrong between a provider and its vendor, as a matrix of phases: refused, silent, broken off, malformed, too much,
 * aborted. Time is virtual; what concerns connections runs over real ones on loopback.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { SampleRequest } from '#protocol'
import { VirtualClock } from '#testing'
import { ProviderError, type ProviderOptions, type SampleDelta } from '../../src/intelligence.ts'
import { type Fake, fakeVendor, refuses, rows, streams, type Vendor, vendors } from './fakes.ts'
import { anthropicStream, script } from './scripts.ts'

const [claude, chat, responses] = vendors as [Vendor, Vendor, Vendor, Vendor]
type Fetch = NonNullable<ProviderOptions['fetch']>
const request: SampleRequest = { messages: [{ role: 'user', content: { type: 'text', text: 'Hi' } }], maxTokens: 100 }
const eventStream = { headers: { 'content-type': 'text/event-stream' } }

let fake: Fake | undefined
afterEach(async () => {
  await fake?.close()
  fake = undefined
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Fires the clock's timers, one by one, until `done` is settled; returns what it came to and how long that took. */
async function timed<T>(clock: VirtualClock, done: Promise<T>): Promise<{ ms: number; value?: T; error?: unknown }> {
  let outcome: { value?: T; error?: unknown } | undefined
  done.then(
    (value) => (outcome = { value }),
    (error: unknown) => (outcome = { error }),
  )
  for (let idle = 0; outcome === undefined; ) {
    await turn()
    if (outcome !== undefined || ++idle < 5) continue
    idle = 0
    clock.fireNext()
  }
  return { ms: clock.now(), ...outcome }
}

/** A `fetch` that gives these answers in turn. */
function answers(...list: ((signal: AbortSignal) => Response | Promise<Response>)[]): {
  fetch: Fetch
  count: () => number
} {
  let at = 0
  return {
    fetch: async (_url, init) => (list[Math.min(at++, list.length - 1)] ?? list[0]!)(init.signal as AbortSignal),
    count: () => at,
  }
}

const refused =
  (status: number, headers: Record<string, string> = {}, body: unknown = { error: { message: 'No.' } }) =>
  () =>
    new Response(JSON.stringify(body), { status, headers })
const whole = (vendor: Vendor) => () => new Response(vendor.stream(script()).join(''), eventStream)
const random = { next: () => 0 }

describe.each(rows)('a refusal to %s', (_name, vendor) => {
  it.each([
    [400, 'invalid_request', 1],
    [401, 'authentication', 1],
    [402, 'permission', 1],
    [403, 'permission', 1],
    [404, 'not_found', 1],
    [408, 'server_error', 3],
    [409, 'server_error', 3],
    [413, 'too_large', 1],
    [422, 'invalid_request', 1],
    [429, 'rate_limited', 3],
    [500, 'server_error', 3],
    [502, 'server_error', 3],
    [503, 'overloaded', 3],
    [504, 'server_error', 3],
    [529, 'overloaded', 3],
  ])('with status %i is %s, after %i tries', async (status, code, tries) => {
    const clock = new VirtualClock()
    const { fetch, count } = answers(refused(status, { 'request-id': 'req_7' }))
    const { error, ms } = await timed(clock, vendor.make('http://fake', { fetch, clock, random }).sample(request))
    expect(error).toBeInstanceOf(ProviderError)
    expect(error).toMatchObject({ code, status, requestId: 'req_7', message: expect.stringContaining('No.') })
    expect(count()).toBe(tries)
    // 500 ms, then 1 000 ms.
    expect(ms).toBe(tries === 1 ? 0 : 1_500)
  })

  it.each([
    ['seconds', { 'retry-after': '7' }, 7_000],
    ['a fraction', { 'retry-after': '0.5' }, 500],
    ['milliseconds', { 'retry-after-ms': '1234', 'retry-after': '9' }, 1_234],
    ['a date', { 'retry-after': 'Thu, 01 Jan 2026 00:00:12 GMT' }, 12_000],
    ['a date that has passed', { 'retry-after': 'Thu, 01 Jan 2015 00:00:12 GMT' }, 0],
    ['nonsense', { 'retry-after': 'soon' }, 500],
  ])('says when to try again, in %s', async (_how, headers, waited) => {
    const clock = new VirtualClock()
    const { fetch } = answers(refused(429, headers), whole(vendor))
    const { value, ms } = await timed(clock, vendor.make('http://fake', { fetch, clock, random }).sample(request))
    expect(value?.stopReason).toBe('endTurn')
    expect(ms).toBe(waited)
    expect(clock.nextDeadline).toBe(Number.POSITIVE_INFINITY)
  })

  it('that asks for a longer wait than allowed, or than there is time for, fails at once', async () => {
    for (const limits of [{ retryAfterMsMax: 6_999 }, { timeoutMs: 7_000 }]) {
      const clock = new VirtualClock()
      const { fetch, count } = answers(refused(529, { 'retry-after': '7' }))
      const { error, ms } = await timed(clock, vendor.make('http://fake', { fetch, clock, ...limits }).sample(request))
      expect(error).toMatchObject({ code: 'overloaded', retryAfterMs: 7_000 })
      expect([ms, count()]).toEqual([0, 1])
    }
  })

  it('may say itself whether to try again', async () => {
    const clock = new VirtualClock()
    const never = answers(refused(500, { 'x-should-retry': 'false' }))
    await timed(clock, vendor.make('http://fake', { fetch: never.fetch, clock }).sample(request))
    expect(never.count()).toBe(1)
    const always = answers(refused(400, { 'x-should-retry': 'true' }), whole(vendor))
    const { value } = await timed(clock, vendor.make('http://fake', { fetch: always.fetch, clock }).sample(request))
    expect(value?.model).toBe(script().model)
  })

  it('for a member that can be left out is met without it, then and later', async () => {
    const seen: unknown[] = []
    const fetch: Fetch = async (_url, init) => {
      const body = JSON.parse(String(init.body)) as Record<string, unknown>
      seen.push(body['metadata'])
      if (!('metadata' in body)) return whole(vendor)()
      return refused(400, {}, { error: { message: "Unsupported parameter: 'metadata'." } })()
    }
    const provider = vendor.make('http://fake', { fetch, retries: 0, body: { metadata: { a: 'b' } } })
    await provider.sample(request)
    await provider.sample(request)
    expect(seen).toEqual([{ a: 'b' }, undefined, undefined])
  })

  it('never shows the key, and reads pages of proxies as far as their first line', async () => {
    const { fetch } = answers(() => new Response('Bad key-1 gateway\n<html>', { status: 400 }))
    const provider = vendor.make('http://fake', { fetch, apiKey: 'key-1' })
    await expect(provider.sample(request)).rejects.toMatchObject({
      message: expect.stringMatching(/: Bad \[key\] gateway$/),
    })
  })

  it('that leads elsewhere is not followed', async () => {
    fake = await fakeVendor(refuses(307, '', { location: 'http://127.0.0.1:1/steal' }))
    const sampling = vendor.make(fake.url).sample(request)
    await expect(sampling).rejects.toMatchObject({
      code: 'invalid_request',
      status: 307,
      message: /redirects are not followed/ as never,
    })
    expect(fake.asked).toHaveLength(1)
  })
})

describe('an empty account at OpenAI', () => {
  it('comes as 429 too, and is not tried again', async () => {
    const { fetch, count } = answers(refused(429, {}, { error: { message: 'Empty.', code: 'insufficient_quota' } }))
    await expect(chat.make('http://fake', { fetch }).sample(request)).rejects.toMatchObject({
      code: 'permission',
      status: 429,
    })
    expect(count()).toBe(1)
  })
})

describe('an error in the middle of a stream', () => {
  const errors: readonly (readonly [string, Vendor, string])[] = [
    [
      'anthropic',
      claude,
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Full."}}\n\n',
    ],
    ['openai chat', chat, 'data: {"error":{"message":"Full.","code":503}}\n\n'],
    ['openai responses', responses, 'event: error\ndata: {"type":"error","code":"slow_down","message":"Full."}\n\n'],
    [
      'openai responses, failed',
      responses,
      'data: {"type":"response.failed","response":{"error":{"code":"slow_down","message":"Full."}}}\n\n',
    ],
  ]

  it.each(errors)('before the first piece is tried again: %s', async (_name, vendor, error) => {
    const clock = new VirtualClock()
    const [first = ''] = vendor.stream(script({ blocks: [] }))
    const broken = () => new Response(first + error, eventStream)
    const { fetch, count } = answers(broken, broken, whole(vendor))
    const { value } = await timed(clock, vendor.make('http://fake', { fetch, clock }).sample(request))
    expect(value?.stopReason).toBe('endTurn')
    expect(count()).toBe(3)
  })

  it.each(errors)('after it is an error, and the pieces that came are told: %s', async (_name, vendor, error) => {
    const events = vendor.stream(script({ blocks: [{ type: 'text', pieces: ['Hello'] }] }))
    const end = events.findIndex((event) => event.includes('Hello')) + 1
    const { fetch, count } = answers(() => new Response(events.slice(0, end).join('') + error, eventStream))
    const deltas: SampleDelta[] = []
    const sampling = vendor
      .make('http://fake', { fetch })
      .sample(request, { onDelta: (delta) => void deltas.push(delta) })
    await expect(sampling).rejects.toMatchObject({ code: 'overloaded', message: expect.stringContaining('Full.') })
    expect(count()).toBe(1)
    expect(deltas).toEqual([{ type: 'text', block: 0, text: 'Hello' }])
  })
})

describe.each(rows)('a stream of %s', (_name, vendor) => {
  const bytes = Buffer.from(vendor.stream(script()).join(''))

  it('that ends early is an error wherever it ends', async () => {
    const last = vendor.stream(script()).at(-1) ?? ''
    // Where a chat stream has said why it stopped, only counts are missing.
    const end =
      vendor.stream.name === 'chatStream' ? bytes.indexOf('"finish_reason":"stop"') : bytes.length - last.length
    for (let at = 0; at < end; at += 11) {
      const { fetch } = answers(() => new Response(bytes.subarray(0, at), eventStream))
      const sampling = vendor.make('http://fake', { fetch, retries: 0 }).sample(request)
      await expect(sampling).rejects.toMatchObject({
        code: 'connection',
        message: expect.stringContaining('before it was whole'),
      })
    }
  })

  it('whose connection breaks is an error', async () => {
    fake = await fakeVendor((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(bytes.subarray(0, 200), () => response.destroy())
    })
    await expect(vendor.make(fake.url, { retries: 0 }).sample(request)).rejects.toMatchObject({ code: 'connection' })
  })

  it.each([
    ['no JSON', Buffer.from('data: {"type":\n\n'), 'bad_stream'],
    ['no object', Buffer.from('data: [1]\n\n'), 'bad_stream'],
    ['no UTF-8', Buffer.from([0x64, 0xff, 0xfe]), 'bad_stream'],
    ['an endless event', Buffer.from(`data: ${'x'.repeat(2_000)}`), 'response_too_large'],
    ['too many bytes', Buffer.from(': x\n'.repeat(2_000)), 'response_too_large'],
  ])('that holds %s is an error', async (_what, stream, code) => {
    const { fetch } = answers(() => new Response(stream, eventStream))
    const sampling = vendor
      .make('http://fake', { fetch, eventBytesMax: 1_000, responseBytesMax: 5_000 })
      .sample(request)
    await expect(sampling).rejects.toMatchObject({ code })
  })

  it('that is none is an error', async () => {
    const { fetch } = answers(() => new Response('{}', { headers: { 'content-type': 'application/json' } }))
    const sampling = vendor.make('http://fake', { fetch }).sample(request)
    await expect(sampling).rejects.toMatchObject({
      code: 'bad_stream',
      message: /application\/json, not with an event stream/ as never,
    })
  })

  it('need not end after its last event', async () => {
    fake = await fakeVendor(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(bytes)
    })
    expect(await vendor.make(fake.url).sample(request)).toMatchObject({ stopReason: 'endTurn' })
    await fake.settled(0)
  })
})

describe('a request', () => {
  it('that is too large is not sent', async () => {
    const { fetch, count } = answers(whole(claude))
    const sampling = claude.make('http://fake', { fetch, requestBytesMax: 50 }).sample(request)
    await expect(sampling).rejects.toMatchObject({ code: 'too_large' })
    expect(count()).toBe(0)
  })

  it('that reaches nobody is tried again, and the error names why', async () => {
    fake = await fakeVendor()
    const { url } = fake
    await fake.close()
    fake = undefined
    const clock = new VirtualClock()
    const { fetch, count } = answers(() => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }) })
    })
    const { error } = await timed(clock, claude.make(url, { fetch, clock }).sample(request))
    expect(error).toMatchObject({ code: 'connection', message: 'anthropic could not be reached: ECONNREFUSED.' })
    expect(count()).toBe(3)
    await expect(claude.make(url, { retries: 0 }).sample(request)).rejects.toMatchObject({ code: 'connection' })
  })

  const silent = (first: string) => (signal: AbortSignal) => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(Buffer.from(first))
        signal.addEventListener('abort', () => controller.error(signal.reason))
      },
    })
    return new Response(body, eventStream)
  }

  it.each([
    ['before its answer', () => new Promise<Response>(() => undefined)],
    ['in its answer', silent(anthropicStream(script()).slice(0, 3).join(''))],
  ])('ends when the provider is silent for idleTimeoutMs, %s', async (_when, answer) => {
    const clock = new VirtualClock()
    const { fetch } = answers(answer)
    const { error, ms } = await timed(
      clock,
      claude.make('http://fake', { fetch, clock, idleTimeoutMs: 3_000 }).sample(request),
    )
    expect(error).toMatchObject({ code: 'timeout', message: 'anthropic was silent for 3000 ms.' })
    expect(ms).toBe(3_000)
    expect(clock.nextDeadline).toBe(Number.POSITIVE_INFINITY)
  })

  it('is not silent while pings come, but ends at timeoutMs', async () => {
    const clock = new VirtualClock()
    const { fetch } = answers(() => {
      const body = new ReadableStream<Uint8Array>({
        pull: (controller) =>
          new Promise((resolve) => {
            clock.setTimer(() => {
              controller.enqueue(Buffer.from('event: ping\ndata: {"type":"ping"}\n\n'))
              resolve()
            }, 2_000)
          }),
      })
      return new Response(body, eventStream)
    })
    const options = { fetch, clock, idleTimeoutMs: 3_000, timeoutMs: 20_500 }
    const { error, ms } = await timed(clock, claude.make('http://fake', options).sample(request))
    expect(error).toMatchObject({ code: 'timeout', message: 'anthropic was not done within 20500 ms.' })
    expect(ms).toBe(20_500)
  })

  it('does not count the time of onDelta as silence', async () => {
    const clock = new VirtualClock()
    const { fetch } = answers(whole(claude))
    const slow = () => new Promise<void>((resolve) => clock.setTimer(resolve, 10_000))
    const provider = claude.make('http://fake', { fetch, clock, idleTimeoutMs: 3_000 })
    const { value, ms } = await timed(clock, provider.sample(request, { onDelta: slow }))
    expect(value?.stopReason).toBe('endTurn')
    expect(ms).toBe(50_000)
  })

  it('ends with what onDelta throws', async () => {
    const { fetch, count } = answers(whole(claude))
    const sampling = claude.make('http://fake', { fetch }).sample(request, {
      onDelta: () => {
        throw new RangeError('mine')
      },
    })
    await expect(sampling).rejects.toThrow(new RangeError('mine'))
    expect(count()).toBe(1)
  })
})

describe('an abort', () => {
  it.each(rows)('closes the connection in the middle of an answer of %s', async (_name, vendor) => {
    const abort = new AbortController()
    fake = await fakeVendor((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const event of vendor.stream(script()).slice(0, 6)) response.write(event)
    })
    const sampling = vendor
      .make(fake.url)
      .sample(request, { signal: abort.signal, onDelta: () => abort.abort('enough') })
    await expect(sampling).rejects.toMatchObject({ code: 'aborted', cause: 'enough' })
    await fake.settled(0)
    expect(fake.asked).toHaveLength(1)
  })

  it('closes the connection before an answer', async () => {
    const abort = new AbortController()
    fake = await fakeVendor(() => abort.abort())
    await expect(claude.make(fake.url).sample(request, { signal: abort.signal })).rejects.toMatchObject({
      code: 'aborted',
    })
    await fake.settled(0)
  })

  it('ends the wait for another try, and a fetch that heeds no signal', async () => {
    for (const answer of [refused(429, { 'retry-after': '50' }), () => new Promise<Response>(() => undefined)]) {
      const clock = new VirtualClock()
      const abort = new AbortController()
      const { fetch } = answers(answer)
      const sampling = claude.make('http://fake', { fetch, clock }).sample(request, { signal: abort.signal })
      for (let turns = 0; turns < 20; turns++) await turn()
      abort.abort()
      await expect(sampling).rejects.toMatchObject({ code: 'aborted' })
      expect(clock.nextDeadline).toBe(Number.POSITIVE_INFINITY)
    }
  })

  it('that came before sends nothing', async () => {
    const { fetch, count } = answers(whole(claude))
    const sampling = claude.make('http://fake', { fetch }).sample(request, { signal: AbortSignal.abort() })
    await expect(sampling).rejects.toMatchObject({ code: 'aborted' })
    expect(count()).toBe(0)
  })

  it('is not what ends an answer that was read: its connection serves the next request', async () => {
    fake = await fakeVendor(streams(anthropicStream(script())))
    const provider = claude.make(fake.url)
    for (let number = 0; number < 5; number++) await provider.sample(request)
    expect(fake.asked).toHaveLength(5)
    // A request that comes before the last one's connection is free opens a second.
    expect(fake.sockets.size).toBeLessThanOrEqual(2)
  })
})
