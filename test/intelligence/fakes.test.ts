/**
 * The fakes against the vendors' own clients: these must read a fake's stream to the same answer as a provider does, and send
 * the same request for the same question. So the fakes are faithful, and the providers speak what the vendors speak.
 */
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterEach, describe, expect, it } from 'vitest'
import type { SampleRequest, SampleResult } from '#protocol'
import { type Fake, fakeVendor, streams, vendors } from './fakes.ts'
import { anthropicStream, chatStream, expectedOf, responsesStream, type Script, script, toolScript } from './scripts.ts'

const PIXEL = 'iVBORw0KGgo='
const SOUND = 'UklGRg=='

const schema = { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] }

const request: SampleRequest = {
  systemPrompt: 'Be brief.',
  maxTokens: 300,
  temperature: 0.5,
  stopSequences: ['STOP', 'HALT'],
  tools: [
    { name: 'get_weather', description: 'Weather of a city', inputSchema: schema },
    { name: 'now', inputSchema: { type: 'object' } },
  ],
  toolChoice: { mode: 'required' },
  metadata: { user_id: 'user-7', team: 'blue', secret: 1 },
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image', data: PIXEL, mimeType: 'image/png' },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'I look.' },
        { type: 'tool_use', id: 'call_1', name: 'get_weather', input: { city: 'Oslo' } },
        { type: 'tool_use', id: 'call_2', name: 'now', input: {} },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', toolUseId: 'call_1', content: [{ type: 'text', text: 'Rain' }] },
        { type: 'tool_result', toolUseId: 'call_2', content: [{ type: 'text', text: 'No clock' }], isError: true },
      ],
    },
  ],
}

const scripts: readonly (readonly [string, Script])[] = [
  ['text', script()],
  ['tools', toolScript],
  ['text cut at its most tokens', script({ stop: 'maxTokens' })],
]

let fake: Fake
afterEach(() => fake.close())

async function ours(index: number, asked: SampleRequest = request): Promise<SampleResult> {
  const { _meta, ...rest } = await vendors[index]!.make(fake.url).sample(asked)
  return rest
}

describe('the Messages API', () => {
  const theirs = () => new Anthropic({ apiKey: 'key-1', baseURL: fake.url, maxRetries: 0 })
  const asked: Anthropic.MessageStreamParams = {
    model: 'model-1',
    max_tokens: 300,
    system: 'Be brief.',
    stop_sequences: ['STOP', 'HALT'],
    metadata: { user_id: 'user-7' },
    tools: [
      { name: 'get_weather', description: 'Weather of a city', input_schema: schema },
      { name: 'now', input_schema: { type: 'object' } },
    ],
    tool_choice: { type: 'any' },
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I look.' },
          { type: 'tool_use', id: 'call_1', name: 'get_weather', input: { city: 'Oslo' } },
          { type: 'tool_use', id: 'call_2', name: 'now', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'call_1', content: [{ type: 'text', text: 'Rain' }] },
          { type: 'tool_result', tool_use_id: 'call_2', content: [{ type: 'text', text: 'No clock' }], is_error: true },
        ],
      },
    ],
  }

  it.each(scripts)('is read by the vendor and by the provider to the same answer: %s', async (_what, given) => {
    fake = await fakeVendor(streams(anthropicStream(given), 3))
    const { content, model, stop_reason, usage } = await theirs().messages.stream(asked).finalMessage()
    const blocks = content.map((block) => {
      if (block.type === 'text') return { type: 'text', text: block.text }
      return block.type === 'tool_use'
        ? { type: 'tool_use', id: block.id, name: block.name, input: block.input }
        : block
    })
    const expected = expectedOf(given)
    expect(blocks).toEqual(Array.isArray(expected.content) ? expected.content : [expected.content])
    expect(model).toBe(given.model)
    const word = { endTurn: 'end_turn', toolUse: 'tool_use', maxTokens: 'max_tokens', other: 'refusal' }[given.stop]
    expect(stop_reason).toBe(word)
    expect(usage.output_tokens).toBe(given.usage.output)
    expect(await ours(0)).toEqual(expected)
  })

  it('gets the request that the vendor sends', async () => {
    fake = await fakeVendor(streams(anthropicStream(script())))
    await theirs().messages.stream(asked).finalMessage()
    await ours(0)
    const [first, second] = fake.asked
    expect(second?.body).toEqual(first?.body)
    expect(second?.url).toBe(first?.url)
    for (const name of ['authorization', 'anthropic-version', 'content-type']) {
      expect(second?.headers[name], name).toBe(first?.headers[name])
    }
  })
})

const functions = [
  { name: 'get_weather', description: 'Weather of a city', parameters: schema },
  { name: 'now', parameters: { type: 'object' } },
]
const pixelUrl = `data:image/png;base64,${PIXEL}`

describe('chat completions', () => {
  const theirs = () => new OpenAI({ apiKey: 'key-1', baseURL: `${fake.url}/v1`, maxRetries: 0 })
  const asked: OpenAI.ChatCompletionCreateParamsStreaming = {
    model: 'model-1',
    max_completion_tokens: 300,
    stream: true,
    stream_options: { include_usage: true },
    store: false,
    temperature: 0.5,
    stop: ['STOP', 'HALT'],
    tools: functions.map((made) => ({ type: 'function', function: made })),
    tool_choice: 'required',
    messages: [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: pixelUrl } },
          { type: 'input_audio', input_audio: { data: SOUND, format: 'wav' } },
        ],
      },
      {
        role: 'assistant',
        content: 'I look.',
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } },
          { id: 'call_2', type: 'function', function: { name: 'now', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'Rain' },
      { role: 'tool', tool_call_id: 'call_2', content: 'Error: No clock' },
    ],
  }
  const [user, ...others] = request.messages
  const content = [...[user?.content ?? []].flat(), { type: 'audio' as const, data: SOUND, mimeType: 'audio/wav' }]
  const heard: SampleRequest = { ...request, messages: [{ role: 'user', content }, ...others] }

  it.each(scripts)('are read by the vendor and by the provider to the same answer: %s', async (_what, given) => {
    fake = await fakeVendor(streams(chatStream(given), 3))
    // The vendor's helper wants to parse what most tokens cut off, and throws; its plain stream does for that.
    let text = ''
    const calls: { id: string; name: string; json: string }[] = []
    let reason: string | null = null
    let output: number | undefined
    for await (const chunk of await theirs().chat.completions.create(asked)) {
      output = chunk.usage?.completion_tokens ?? output
      const [choice] = chunk.choices
      text += choice?.delta.content ?? ''
      reason = choice?.finish_reason ?? reason
      for (const call of choice?.delta.tool_calls ?? []) {
        const one = (calls[call.index] ??= { id: call.id ?? '', name: call.function?.name ?? '', json: '' })
        one.json += call.function?.arguments ?? ''
      }
    }
    const uses = calls.map(({ id, name, json }) => ({ type: 'tool_use', id, name, input: JSON.parse(json || '{}') }))
    const expected = expectedOf(given)
    expect([{ type: 'text', text }, ...uses]).toEqual([expected.content].flat())
    expect(reason).toBe(
      { endTurn: 'stop', toolUse: 'tool_calls', maxTokens: 'length', other: 'content_filter' }[given.stop],
    )
    expect(output).toBe(given.usage.output)
    expect(await ours(1)).toEqual(expected)
    expect(await ours(3)).toEqual(expected)
  })

  it('are read to the same answer by the vendor helper that assembles', async () => {
    fake = await fakeVendor(streams(chatStream(toolScript), 5))
    const { choices } = await theirs().chat.completions.stream(asked).finalChatCompletion()
    const { content, tool_calls = [] } = choices[0]!.message
    const uses = tool_calls.map((call) => call.type === 'function' && [call.id, call.function.name])
    expect([content, uses]).toEqual([
      'Let me look.\n',
      [
        ['call_a1', 'get_weather'],
        ['call_b2', 'now'],
      ],
    ])
  })

  it('get the request that the vendor sends', async () => {
    fake = await fakeVendor(streams(chatStream(script())))
    await theirs().chat.completions.stream(asked).finalChatCompletion()
    await ours(1, heard)
    const [first, second] = fake.asked
    expect(second?.body).toEqual(first?.body)
    expect(second?.url).toBe(first?.url)
    expect(second?.headers['authorization']).toBe(first?.headers['authorization'])
  })

  it('of a compatible server get the older names and nothing that it may not know', async () => {
    fake = await fakeVendor(streams(chatStream(script())))
    await ours(3, heard)
    const { max_completion_tokens, store, ...rest } = asked
    expect(fake.asked[0]?.body).toEqual({ ...rest, max_tokens: 300 })
  })
})

describe('the responses API', () => {
  const theirs = () => new OpenAI({ apiKey: 'key-1', baseURL: `${fake.url}/v1`, maxRetries: 0 })
  const asked: OpenAI.Responses.ResponseCreateParamsStreaming = {
    model: 'model-1',
    max_output_tokens: 300,
    stream: true,
    store: false,
    temperature: 0.5,
    instructions: 'Be brief.',
    tools: functions.map((made) => ({ type: 'function', ...made, strict: false })),
    tool_choice: 'required',
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'What is this?' },
          { type: 'input_image', image_url: pixelUrl, detail: 'auto' },
        ],
      },
      { role: 'assistant', content: 'I look.' },
      { type: 'function_call', call_id: 'call_1', name: 'get_weather', arguments: '{"city":"Oslo"}' },
      { type: 'function_call', call_id: 'call_2', name: 'now', arguments: '{}' },
      { type: 'function_call_output', call_id: 'call_1', output: 'Rain' },
      { type: 'function_call_output', call_id: 'call_2', output: 'Error:\nNo clock' },
    ],
  }

  it.each(scripts)('is read by the vendor and by the provider to the same answer: %s', async (_what, given) => {
    fake = await fakeVendor(streams(responsesStream(given), 3))
    let last: OpenAI.Responses.Response | undefined
    let pieces = ''
    for await (const event of await theirs().responses.create(asked)) {
      if (event.type === 'response.output_text.delta') pieces += event.delta
      if (event.type === 'response.completed' || event.type === 'response.incomplete') last = event.response
    }
    const blocks = last?.output.map((item) => {
      if (item.type === 'message')
        return { type: 'text', text: item.content.map((part) => 'text' in part && part.text).join('') }
      if (item.type !== 'function_call') return item
      return { type: 'tool_use', id: item.call_id, name: item.name, input: JSON.parse(item.arguments) }
    })
    const expected = expectedOf(given)
    expect(blocks).toEqual([expected.content].flat())
    expect(blocks?.[0]).toMatchObject({ text: pieces })
    expect(last?.usage?.output_tokens).toBe(given.usage.output)
    expect(await ours(2)).toEqual(expected)
  })

  it('is read to the same answer by the vendor helper that assembles', async () => {
    fake = await fakeVendor(streams(responsesStream(toolScript), 5))
    const { output, output_text } = await theirs().responses.stream(asked).finalResponse()
    expect(output_text).toBe('Let me look.\n')
    expect(output.map(({ type }) => type)).toEqual(['message', 'function_call', 'function_call'])
  })

  it('gets the request that the vendor sends', async () => {
    fake = await fakeVendor(streams(responsesStream(script())))
    await theirs().responses.stream(asked).finalResponse()
    await ours(2)
    const [first, second] = fake.asked
    expect(second?.body).toEqual(first?.body)
    expect(second?.url).toBe(first?.url)
  })
})
