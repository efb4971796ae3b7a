/** The handler of an MCP client: the human before and after, many streams at once, and nothing left of them. */
import { afterEach, describe, expect, it } from 'vitest'
import type { SampleRequest, SampleResult } from '#protocol'
import { ProtocolError } from '#protocol/errors'
import { type Clock, createSystem, realClock } from '#runtime'
import {
  anthropicProvider,
  ProviderError,
  type ProviderErrorCode,
  type SamplingHandler,
  type SamplingProvider,
  samplingHandler,
} from '../../src/intelligence.ts'
import { type Fake, fakeVendor, streams } from './fakes.ts'
import { anthropicStream, script } from './scripts.ts'

const request: SampleRequest = { messages: [{ role: 'user', content: { type: 'text', text: 'Hi' } }], maxTokens: 100 }
const result: SampleResult = {
  role: 'assistant',
  content: { type: 'text', text: 'Yes' },
  model: 'm',
  stopReason: 'endTurn',
}
const ready: SamplingProvider = { name: 'ready', sample: async () => result }

let handler: SamplingHandler | undefined
let fake: Fake | undefined
afterEach(async () => {
  await handler?.close()
  await fake?.close()
  handler = fake = undefined
})

/** A provider whose requests stay open until they are answered here, or aborted. */
function open() {
  const waiting: { answer: (result: SampleResult) => void; signal: AbortSignal }[] = []
  const provider: SamplingProvider = {
    name: 'open',
    sample: (_request, { signal } = {}) =>
      new Promise((answer, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('aborted')))
        waiting.push({ answer, signal: signal as AbortSignal })
      }),
  }
  return { provider, waiting }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    if (turns > 10_000) throw new Error('It did not come to be.')
    await turn()
  }
}

describe('the human', () => {
  const changed: SampleRequest = { ...request, maxTokens: 5 }

  it('may refuse, change or let pass what goes to the model', async () => {
    const asked: SampleRequest[] = []
    const sample = async (one: SampleRequest): Promise<SampleResult> => {
      asked.push(one)
      return result
    }
    const provider: SamplingProvider = { name: 'p', sample }
    for (const [verdict, passes] of [
      [true, request],
      [changed, changed],
      [false, undefined],
      [undefined, undefined],
    ] as const) {
      asked.length = 0
      handler = samplingHandler(provider, { approve: { request: async () => verdict } })
      const sampling = handler(request)
      if (passes === undefined) {
        await expect(sampling).rejects.toMatchObject({ code: -1, message: 'User rejected sampling request' })
      } else expect(await sampling).toBe(result)
      expect(asked).toEqual(passes === undefined ? [] : [passes])
      await handler.close()
    }
  })

  it('may refuse, change or let pass what comes back', async () => {
    const other: SampleResult = { ...result, content: { type: 'text', text: 'No' } }
    for (const [verdict, passes] of [
      [true, result],
      [other, other],
      [false, undefined],
    ] as const) {
      handler = samplingHandler(ready, { approve: { response: () => verdict } })
      if (passes === undefined) await expect(handler(request)).rejects.toMatchObject({ code: -1 })
      else expect(await handler(request)).toBe(passes)
      await handler.close()
    }
  })

  it('is asked no more once the request is over', async () => {
    const abort = new AbortController()
    let dialog: AbortSignal | undefined
    handler = samplingHandler(ready, {
      approve: {
        request: (_request, { signal }) => {
          dialog = signal
          return new Promise(() => undefined)
        },
      },
    })
    const sampling = handler(request, { signal: abort.signal })
    await until(() => dialog !== undefined)
    abort.abort()
    await expect(sampling).rejects.toMatchObject({ code: -32603 })
    expect(dialog?.aborted).toBe(true)
  })
})

describe('a request', () => {
  it('that breaks the protocol is -32602, and nobody is asked', async () => {
    handler = samplingHandler(ready)
    const sampling = handler({ ...request, messages: [] })
    await expect(sampling).rejects.toMatchObject({ code: -32602, message: expect.stringContaining('params.messages') })
  })

  it.each<[ProviderErrorCode, number, RegExp]>([
    ['unsupported', -32602, /^The vendor's own words$/],
    ['invalid_request', -32602, /refused the request as invalid/],
    ['too_large', -32602, /too large/],
    ['rate_limited', -32603, /busy; try again later/],
    ['overloaded', -32603, /busy; try again later/],
    ['timeout', -32603, /did not answer in time/],
    ['aborted', -32603, /was aborted/],
    ['authentication', -32603, /provider failed/],
    ['permission', -32603, /provider failed/],
    ['not_found', -32603, /provider failed/],
    ['server_error', -32603, /provider failed/],
    ['connection', -32603, /provider failed/],
    ['bad_stream', -32603, /provider failed/],
    ['response_too_large', -32603, /provider failed/],
    ['invalid_option', -32603, /provider failed/],
  ])('that fails as %s is %i to the server, and the rest is for onError', async (code, wire, sentence) => {
    const fault = new ProviderError(code, "The vendor's own words", { retryAfterMs: 7 })
    const seen: unknown[] = []
    const sample = async (): Promise<SampleResult> => {
      throw fault
    }
    handler = samplingHandler({ name: 'p', sample }, { onError: (error) => void seen.push(error) })
    const error = await handler(request).catch((one: unknown) => one)
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error).toMatchObject({ code: wire, message: expect.stringMatching(sentence), cause: fault })
    expect(seen).toEqual([fault])
  })

  it('whose hook throws fails alone', async () => {
    handler = samplingHandler(ready, {
      approve: {
        request: ({ maxTokens }) => {
          if (maxTokens === 1) throw new Error('dialog broke')
          return true
        },
      },
    })
    const [bad, good] = await Promise.allSettled([handler({ ...request, maxTokens: 1 }), handler(request)])
    expect(bad).toMatchObject({
      status: 'rejected',
      reason: { code: -32603, message: 'Sampling failed in the client' },
    })
    expect(good).toMatchObject({ status: 'fulfilled', value: result })
  })

  it('that was aborted before starts nothing', async () => {
    const { provider, waiting } = open()
    handler = samplingHandler(provider)
    await expect(handler(request, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: -32603 })
    expect(waiting).toHaveLength(0)
  })
})

describe('streams', () => {
  it('are processes under a supervisor, of which one more than maxConcurrent is refused', async () => {
    const system = createSystem()
    const { provider, waiting } = open()
    handler = samplingHandler(provider, { system })
    const running = Array.from({ length: 100 }, () => handler?.(request))
    await until(() => waiting.length === 100)
    expect([system.processCount, handler.activeCount]).toEqual([101, 100])
    await expect(handler(request)).rejects.toMatchObject({
      code: -32603,
      message: expect.stringMatching(/as much as it may/),
    })
    for (const { answer } of waiting) answer(result)
    expect(await Promise.all(running)).toEqual(Array(100).fill(result))
    expect([system.processCount, handler.activeCount]).toEqual([1, 0])
    // There is room again at once.
    const next = handler(request)
    await until(() => waiting.length === 101)
    waiting[100]?.answer(result)
    expect(await next).toBe(result)
    await handler.close()
    expect(system.processCount).toBe(0)
    await system.stop()
  })

  it('make room one by one: a full handler takes the next request when one is answered', async () => {
    const { provider, waiting } = open()
    handler = samplingHandler(provider, { maxConcurrent: 1 })
    for (let number = 0; number < 50; number++) {
      const sampling = handler(request)
      await until(() => waiting.length > number)
      waiting[number]?.answer(result)
      expect(await sampling).toBe(result)
    }
  })

  it('end with their request, and the others go on', async () => {
    const system = createSystem()
    const { provider, waiting } = open()
    handler = samplingHandler(provider, { system })
    const abort = new AbortController()
    const [one, other] = [handler(request, { signal: abort.signal }), handler(request)]
    await until(() => waiting.length === 2)
    abort.abort()
    await expect(one).rejects.toMatchObject({ code: -32603, message: 'The sampling request was aborted' })
    expect([waiting[0]?.signal.aborted, waiting[1]?.signal.aborted]).toEqual([true, false])
    expect(system.processCount).toBe(2)
    waiting[1]?.answer(result)
    expect(await other).toBe(result)
    await system.stop()
  })

  it('that are killed are an error for their request; a supervisor that was killed is replaced', async () => {
    const system = createSystem()
    const { provider, waiting } = open()
    handler = samplingHandler(provider, { system })
    const sampling = handler(request)
    await until(() => waiting.length === 1)
    for (const process of system.processes()) process.exit('kill')
    await expect(sampling).rejects.toMatchObject({ code: -32603 })
    expect(waiting[0]?.signal.aborted).toBe(true)
    const next = handler(request)
    await until(() => waiting.length === 2)
    waiting[1]?.answer(result)
    expect(await next).toBe(result)
    await system.stop()
  })

  it('end with the handler, which takes no more', async () => {
    const { provider, waiting } = open()
    handler = samplingHandler(provider)
    const sampling = handler(request)
    await until(() => waiting.length === 1)
    await handler.close()
    await expect(sampling).rejects.toMatchObject({ code: -32603 })
    await expect(handler(request)).rejects.toMatchObject({ message: 'The client is closed' })
  })

  it('refuse a bound that is none', () => {
    for (const maxConcurrent of [0, -1, 1.5, Number.NaN]) {
      expect(() => samplingHandler(ready, { maxConcurrent })).toThrow(/maxConcurrent must be a whole number above 0/)
    }
  })
})

describe('a hundred streams at once over real connections', () => {
  it('give each its own answer, and leave no process, no timer, no listener and no request', async () => {
    fake = await fakeVendor(async (response, { body }) => {
      const [{ content }] = body['messages'] as [{ content: [{ text: string }] }]
      const pieces = [...`answer to ${content[0].text}`]
      await streams(anthropicStream(script({ blocks: [{ type: 'text', pieces }] })), 64)(response, {
        url: '',
        headers: {},
        body,
      })
    })
    const system = createSystem()
    const told = new Map<string, string>()
    const timers = new Set<unknown>()
    const clock: Clock = {
      ...realClock,
      setTimer: (callback, delayMs) => {
        const timer = realClock.setTimer(callback, delayMs)
        timers.add(timer)
        return timer
      },
      clearTimer: (timer) => {
        timers.delete(timer)
        realClock.clearTimer(timer)
      },
    }
    const provider = anthropicProvider({ apiKey: 'k', model: 'm', baseUrl: fake.url, clock })
    handler = samplingHandler(provider, {
      system,
      onDelta: (delta, { request: { messages } }) => {
        const key = JSON.stringify(messages)
        if (delta.type === 'text') told.set(key, (told.get(key) ?? '') + delta.text)
      },
    })
    const texts = Array.from({ length: 100 }, (_, number) => `question ${number}`)
    const asked = texts.map((text) => [{ role: 'user' as const, content: { type: 'text' as const, text } }])
    for (let round = 0; round < 3; round++) {
      told.clear()
      const results = await Promise.all(
        asked.map((messages) => handler?.({ messages, maxTokens: 9 }, { signal: new AbortController().signal })),
      )
      expect(results.map((one) => one?.content)).toEqual(
        texts.map((text) => ({ type: 'text', text: `answer to ${text}` })),
      )
      expect([...told.values()].toSorted()).toEqual(texts.map((text) => `answer to ${text}`).toSorted())
      expect([system.processCount, handler.activeCount, system.timers.size, timers.size]).toEqual([1, 0, 0, 0])
    }
    await system.stop()
  }, 60_000)

  it('that are aborted close all their connections', async () => {
    let begun = 0
    fake = await fakeVendor((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(anthropicStream(script()).slice(0, 3).join(''))
      begun++
    })
    const system = createSystem()
    handler = samplingHandler(anthropicProvider({ apiKey: 'k', model: 'm', baseUrl: fake.url }), { system })
    const aborts = Array.from({ length: 100 }, () => new AbortController())
    const running = aborts.map(({ signal }) => handler?.(request, { signal }))
    const settled = Promise.allSettled(running)
    await until(() => begun === 100)
    for (const abort of aborts) abort.abort()
    expect((await settled).filter(({ status }) => status === 'rejected')).toHaveLength(100)
    await fake.settled(0)
    expect([system.processCount, handler.activeCount]).toEqual([1, 0])
    await system.stop()
  }, 60_000)
})
