/**
 * Story 15: a client that lends its server a model. The server's tool asks for a completion; the client's handler hands it to a
 * provider, here one that speaks to a local model, and a human looks at both directions: at what is asked, and at what is said.
 *
 *     node dist/examples/15-sampling-client/main.js
 */
import assert from 'node:assert/strict'
import { createServer, serve } from 'bough'
import { connect } from 'bough/client'
import { openaiCompatible, samplingHandler } from 'bough/intelligence'
import { startModel } from './model.ts'

const server = createServer({ name: 'bakery', version: '1.0.0' })
server.tool('slogan', {
  description: 'Thinks of a slogan',
  run: async (_args, ctx) => {
    const messages = [{ role: 'user', content: { type: 'text', text: 'A slogan for rye bread, please.' } }] as const
    const { content, model } = await ctx.sample({ messages, maxTokens: 50 })
    return `${model} says: ${(content as { readonly text: string }).text}`
  },
})
const app = await serve(server, { http: { port: 0 }, logger: false })

const model = await startModel('Rye not try it?')
const provider = openaiCompatible({ baseUrl: model.baseUrl, model: 'tiny' })
const pieces: string[] = []
/** What the human thinks of the next request. */
let isAllowed = true
const sampling = samplingHandler(provider, {
  approve: {
    request: () => isAllowed,
    // The human improves the answer before the server gets it.
    response: (result) => ({ ...result, content: { type: 'text', text: `${textOf(result.content)} Fresh daily.` } }),
  },
  onDelta: (delta) => void pieces.push(JSON.stringify(delta)),
})

for (const era of ['legacy', 'modern'] as const) {
  const client = await connect(app.url, { era, handlers: { sampling } })
  isAllowed = true
  const { content } = await client.callTool('slogan')
  assert.deepEqual(content, [{ type: 'text', text: 'tiny says: Rye not try it? Fresh daily.' }])
  console.log(`${client.server.protocolVersion}: ${textOf(content[0])}`)

  isAllowed = false
  const refused = await client.callTool('slogan').catch((error: Error) => ({ isError: true, content: [], error }))
  assert.equal(refused.isError, true)
  console.log(`${client.server.protocolVersion}: the human refused, and the model was not asked`)
  await client.close()
}
assert.equal(model.asked.length, 2)
assert.match(model.asked[0] ?? '', /slogan for rye bread/)
assert.ok(pieces.length > 2)
console.log(`the model was asked ${model.asked.length} times, and said it in ${pieces.length} pieces`)

await sampling.close()
model.stop()
await app.stop()

function textOf(content: unknown): string {
  return (content as { readonly text: string }).text
}
