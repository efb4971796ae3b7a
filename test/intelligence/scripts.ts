/**
 * An answer of a model as a script, and how each vendor's API tells it as a stream of events. The renderings were written after
 * the vendors' clients, which must read them to the same result: see fakes.test.ts.
 */
import type { SampleResult } from '#protocol'

export type ScriptBlock =
  | { readonly type: 'text'; readonly pieces: readonly string[] }
  | { readonly type: 'tool'; readonly id: string; readonly name: string; readonly json: readonly string[] }
  | { readonly type: 'thinking'; readonly pieces: readonly string[]; readonly signature: string }

export interface Script {
  readonly model: string
  readonly blocks: readonly ScriptBlock[]
  readonly stop: 'endTurn' | 'maxTokens' | 'toolUse' | 'other'
  readonly usage: {
    readonly input: number
    readonly output: number
    readonly cached: number
    readonly reasoning: number
  }
}

export const script = (given: Partial<Script> = {}): Script => ({
  model: 'model-1-2026-01-01',
  blocks: [{ type: 'text', pieces: ['Hello', ', ', 'wörld ', '😀', '!'] }],
  stop: 'endTurn',
  usage: { input: 12, output: 34, cached: 5, reasoning: 6 },
  ...given,
})

export const toolScript = script({
  blocks: [
    { type: 'text', pieces: ['Let me ', 'look.\n'] },
    {
      type: 'tool',
      id: 'call_a1',
      name: 'get_weather',
      json: ['', '{"ci', 'ty": "Tōky', 'ō \\u26', '05", "n":', ' [1, -2.5e3]}'],
    },
    { type: 'tool', id: 'call_b2', name: 'now', json: [] },
  ],
  stop: 'toolUse',
})

type Json = { readonly [key: string]: unknown }
const named = (event: Json): string => `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`
const unnamed = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

const anthropicStops = { endTurn: 'end_turn', maxTokens: 'max_tokens', toolUse: 'tool_use', other: 'refusal' }

export function anthropicStream({ model, blocks, stop, usage }: Script): string[] {
  const details = { cache_creation_input_tokens: 0, cache_read_input_tokens: usage.cached }
  const message = {
    id: 'msg_01',
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: usage.input - usage.cached, output_tokens: 1, ...details },
  }
  const events: Json[] = [{ type: 'message_start', message }, { type: 'ping' }]
  for (const [index, block] of blocks.entries()) {
    const delta = (given: Json): void => void events.push({ type: 'content_block_delta', index, delta: given })
    const start = (given: Json): void => void events.push({ type: 'content_block_start', index, content_block: given })
    if (block.type === 'text') {
      start({ type: 'text', text: '' })
      for (const text of block.pieces) delta({ type: 'text_delta', text })
    } else if (block.type === 'tool') {
      start({ type: 'tool_use', id: block.id, name: block.name, input: {} })
      for (const json of block.json) delta({ type: 'input_json_delta', partial_json: json })
    } else {
      start({ type: 'thinking', thinking: '', signature: '' })
      for (const thinking of block.pieces) delta({ type: 'thinking_delta', thinking })
      delta({ type: 'signature_delta', signature: block.signature })
    }
    events.push({ type: 'content_block_stop', index })
  }
  events.push(
    {
      type: 'message_delta',
      delta: { stop_reason: anthropicStops[stop], stop_sequence: null },
      usage: { output_tokens: usage.output, output_tokens_details: { thinking_tokens: usage.reasoning } },
    },
    { type: 'message_stop' },
  )
  return events.map(named)
}

const chatStops = { endTurn: 'stop', maxTokens: 'length', toolUse: 'tool_calls', other: 'content_filter' }

export function chatStream({ model, blocks, stop, usage }: Script): string[] {
  const base = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_767_225_600, model }
  const chunk = (delta: Json, reason: string | null = null): string =>
    unnamed({ ...base, choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }], usage: null })
  const events = [chunk({ role: 'assistant', content: '', refusal: null })]
  let index = -1
  for (const block of blocks) {
    if (block.type === 'text') for (const content of block.pieces) events.push(chunk({ content }))
    if (block.type !== 'tool') continue
    index++
    const first = { index, id: block.id, type: 'function', function: { name: block.name, arguments: '' } }
    events.push(chunk({ tool_calls: [first] }))
    for (const json of block.json) events.push(chunk({ tool_calls: [{ index, function: { arguments: json } }] }))
  }
  events.push(chunk({}, chatStops[stop]))
  const { input, output, cached, reasoning } = usage
  const counts = {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: reasoning },
  }
  return [...events, unnamed({ ...base, choices: [], usage: counts }), 'data: [DONE]\n\n']
}

export function responsesStream({ model, blocks, stop, usage }: Script): string[] {
  const { input, output, cached, reasoning } = usage
  const counts = {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: input + output,
  }
  const response = (
    status: string,
    items: readonly Json[],
    usage: unknown = null,
    incomplete: unknown = null,
  ): Json => ({
    id: 'resp_1',
    object: 'response',
    created_at: 1_767_225_600,
    status,
    error: null,
    incomplete_details: incomplete,
    instructions: null,
    metadata: {},
    model,
    output: items,
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    usage,
  })
  const events: Json[] = [
    { type: 'response.created', response: response('in_progress', []) },
    { type: 'response.in_progress', response: response('in_progress', []) },
  ]
  const items: Json[] = []
  for (const [output_index, block] of blocks.entries()) {
    const item_id = `item_${output_index}`
    if (block.type === 'text') {
      const text = block.pieces.join('')
      const item = { id: item_id, type: 'message', role: 'assistant' }
      const part = { type: 'output_text', annotations: [], logprobs: [], text: '' }
      const at = { item_id, output_index, content_index: 0 }
      const done = { ...item, status: 'completed', content: [{ ...part, text }] }
      events.push({
        type: 'response.output_item.added',
        output_index,
        item: { ...item, status: 'in_progress', content: [] },
      })
      events.push({ type: 'response.content_part.added', ...at, part })
      for (const delta of block.pieces) events.push({ type: 'response.output_text.delta', ...at, delta, logprobs: [] })
      events.push({ type: 'response.output_text.done', ...at, text, logprobs: [] })
      events.push({ type: 'response.content_part.done', ...at, part: { ...part, text } })
      events.push({ type: 'response.output_item.done', output_index, item: done })
      items.push(done)
    } else if (block.type === 'tool') {
      const text = block.json.join('') || '{}'
      const item = { id: item_id, type: 'function_call', call_id: block.id, name: block.name }
      const done = { ...item, status: 'completed', arguments: text }
      events.push({
        type: 'response.output_item.added',
        output_index,
        item: { ...item, status: 'in_progress', arguments: '' },
      })
      for (const delta of block.json) {
        events.push({ type: 'response.function_call_arguments.delta', item_id, output_index, delta })
      }
      events.push({
        type: 'response.function_call_arguments.done',
        item_id,
        output_index,
        name: block.name,
        arguments: text,
      })
      events.push({ type: 'response.output_item.done', output_index, item: done })
      items.push(done)
    } else {
      const item = { id: item_id, type: 'reasoning', summary: [] }
      const done = { ...item, encrypted_content: block.signature }
      events.push({ type: 'response.output_item.added', output_index, item })
      events.push({ type: 'response.output_item.done', output_index, item: done })
      items.push(done)
    }
  }
  const incomplete = stop === 'maxTokens' ? 'max_output_tokens' : stop === 'other' ? 'content_filter' : undefined
  events.push(
    incomplete === undefined
      ? { type: 'response.completed', response: response('completed', items, counts) }
      : { type: 'response.incomplete', response: response('incomplete', items, counts, { reason: incomplete }) },
  )
  return events.map((event, sequence_number) => named({ ...event, sequence_number }))
}

/** What a script comes to in MCP, beside `_meta`. */
export function expectedOf({ model, blocks, stop }: Script): Omit<SampleResult, '_meta'> {
  const content: unknown[] = []
  let text: { type: 'text'; text: string } | undefined
  for (const block of blocks) {
    if (block.type === 'text') {
      const whole = block.pieces.join('')
      if (whole === '') continue
      if (text === undefined) content.push((text = { type: 'text', text: '' }))
      text.text += whole
    } else if (block.type === 'tool') {
      text = undefined
      const json = block.json.join('')
      content.push({ type: 'tool_use', id: block.id, name: block.name, input: json === '' ? {} : JSON.parse(json) })
    }
  }
  const hasTool = content.length > 0 && blocks.some(({ type }) => type === 'tool')
  const stopReason = stop === 'endTurn' || stop === 'toolUse' ? (hasTool ? 'toolUse' : 'endTurn') : stop
  const held = content.length > 1 ? content : (content[0] ?? { type: 'text', text: '' })
  return { role: 'assistant', content: held, model, stopReason } as Omit<SampleResult, '_meta'>
}
