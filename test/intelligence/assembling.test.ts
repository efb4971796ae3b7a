/**
 * Answers are assembled exactly, however their streams are cut. 1. generate a script of an answer; 2. let a vendor's stream tell
 * it; 3. cut the stream's bytes at any places; 4. the result and the pieces must be the script's.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SampleRequest } from '#protocol'
import { sampleResultFault } from '#protocol/sample-requests'
import { type SampleDelta, USAGE_META_KEY } from '../../src/intelligence.ts'
import { chunked, rows, type Vendor } from './fakes.ts'
import { expectedOf, type Script, type ScriptBlock, script, toolScript } from './scripts.ts'

const seed = Number(process.env['BOUGH_SEED'] ?? 42)
const tools = [
  { name: 'get_weather', inputSchema: { type: 'object' as const } },
  { name: 'now', inputSchema: { type: 'object' as const } },
]
const request: SampleRequest = {
  messages: [{ role: 'user', content: { type: 'text', text: 'Hi' } }],
  maxTokens: 100,
  tools,
}

async function sample(vendor: Vendor, chunks: readonly Uint8Array[], deltas: SampleDelta[] = []) {
  const provider = vendor.make('http://fake', { fetch: chunked(...chunks), retries: 0 })
  return provider.sample(request, { onDelta: (delta) => void deltas.push(delta) })
}

/** What the pieces come to, block by block. */
function joined(deltas: readonly SampleDelta[]): unknown[] {
  const blocks: { type: string; text?: string; id?: string; name?: string; json?: string }[] = []
  for (const delta of deltas) {
    if (delta.type === 'text') (blocks[delta.block] ??= { type: 'text', text: '' }).text += delta.text
    else if (delta.type === 'tool_use')
      blocks[delta.block] = { type: 'tool_use', id: delta.id, name: delta.name, json: '' }
    else (blocks[delta.block] as { json: string }).json += delta.json
  }
  return blocks.map(({ json, ...block }) =>
    json === undefined ? block : { ...block, input: JSON.parse(json || '{}') },
  )
}

function check(given: Script, result: Awaited<ReturnType<typeof sample>>, deltas: readonly SampleDelta[]): void {
  const { _meta, ...rest } = result
  expect(rest).toEqual(expectedOf(given))
  const { input, output, cached, reasoning } = given.usage
  expect(_meta?.[USAGE_META_KEY]).toEqual({
    inputTokens: input,
    outputTokens: output,
    cachedInputTokens: cached,
    reasoningTokens: reasoning,
  })
  const { content } = rest
  const blocks = Array.isArray(content) ? content : [content]
  expect(joined(deltas)).toEqual(blocks.filter((block) => block.type !== 'text' || block.text !== ''))
  expect(sampleResultFault(result, request)).toBeUndefined()
}

describe.each(rows)('an answer of %s', (_name, vendor) => {
  it.each([
    ['text', 1, script()],
    ['tools', 1, toolScript],
    ['text cut at its most tokens', 7, script({ stop: 'maxTokens' })],
    ['a refusal', 7, script({ stop: 'other' })],
    ['nothing at all', 7, script({ blocks: [] })],
  ])(
    'is the same wherever its stream is cut in two: %s',
    async (_what, step, given) => {
      const bytes = Buffer.from(vendor.stream(given).join(''))
      for (let at = 1; at < bytes.length; at += step) {
        const deltas: SampleDelta[] = []
        check(given, await sample(vendor, [bytes.subarray(0, at), bytes.subarray(at)], deltas), deltas)
      }
    },
    60_000,
  )

  it('is the same when every byte comes by itself, with CRLF and with CR as line ends', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const bytes = Buffer.from(vendor.stream(toolScript).join('').replaceAll('\n', end))
      const deltas: SampleDelta[] = []
      check(
        toolScript,
        await sample(
          vendor,
          [...bytes].map((byte) => Uint8Array.of(byte)),
          deltas,
        ),
        deltas,
      )
    }
  })

  it('is the script for any blocks, pieces and cuts', async () => {
    const pieces = (text: string): fc.Arbitrary<string[]> =>
      fc.array(fc.nat(text.length), { maxLength: 4 }).map((cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), text.length]
        return places.slice(1).map((place, index) => text.slice(places[index], place))
      })
    const whole = fc.string({ unit: 'grapheme', maxLength: 30 })
    const text: fc.Arbitrary<ScriptBlock> = whole
      .chain((one) => pieces(one))
      .map((parts) => ({ type: 'text', pieces: parts }))
    const tool: fc.Arbitrary<ScriptBlock> = fc
      .record({
        id: fc.uuid(),
        name: fc.constantFrom('get_weather', 'now'),
        input: fc.dictionary(whole, fc.jsonValue()),
      })
      .chain(({ id, name, input }) => {
        const json = JSON.stringify(JSON.parse(JSON.stringify(input)))
        return pieces(json).map((parts): ScriptBlock => ({ type: 'tool', id, name, json: parts }))
      })
    const thinking: fc.Arbitrary<ScriptBlock> = fc.constant({ type: 'thinking', pieces: ['Hm', '.'], signature: 's1g' })
    const blocks = fc.array(fc.oneof(text, tool, thinking), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(blocks, fc.array(fc.nat(), { maxLength: 20 }), async (made, places) => {
        // Chat completions tell all text as one, before the calls.
        const order = vendor.stream.name === 'chatStream' ? made.toSorted((a, b) => rank(a) - rank(b)) : made
        const hasTool = order.some(({ type }) => type === 'tool')
        const given = script({ blocks: order, stop: hasTool ? 'toolUse' : 'endTurn' })
        const bytes = Buffer.from(vendor.stream(given).join(''))
        const cuts = [0, ...places.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length]
        const chunks = cuts.slice(1).map((place, index) => bytes.subarray(cuts[index], place))
        const deltas: SampleDelta[] = []
        const result = await sample(
          vendor,
          chunks.filter((chunk) => chunk.length > 0),
          deltas,
        )
        check(given, result, deltas)
      }),
      { seed, numRuns: 300 },
    )
  })

  it('leaves out a call whose arguments the most tokens cut off', async () => {
    const cut: ScriptBlock = { type: 'tool', id: 'call_x', name: 'now', json: ['{"a": [1, '] }
    const given = script({ blocks: [{ type: 'text', pieces: ['So'] }, cut], stop: 'maxTokens' })
    const result = await sample(vendor, [Buffer.from(vendor.stream(given).join(''))])
    expect(result).toMatchObject({ stopReason: 'maxTokens', content: { type: 'text', text: 'So' } })
  })

  it('is an error when the arguments of a call are no JSON object', async () => {
    for (const json of ['{"a": ', '[1]', '"text"']) {
      const given = script({ blocks: [{ type: 'tool', id: 'call_x', name: 'now', json: [json] }], stop: 'toolUse' })
      const sampling = sample(vendor, [Buffer.from(vendor.stream(given).join(''))])
      await expect(sampling).rejects.toMatchObject({ code: 'bad_stream' })
    }
  })
})

function rank({ type }: ScriptBlock): number {
  return ['thinking', 'text', 'tool'].indexOf(type)
}
