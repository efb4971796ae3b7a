/**
 * Story 11: a client that finds out what its server speaks, answers what it asks, hears what changes, and stays connected when
 * the server is started anew. It is written once and does not know the era.
 *
 *     node dist/examples/11-client/main.js
 */
import assert from 'node:assert/strict'
import { createServer, serve } from 'bough'
import { type CallToolOptions, type Client, ClientError, type ClientHandlers, connect } from 'bough/client'

const server = createServer({ name: 'bakery', version: '1.0.0' })
server.tool('bake', {
  description: 'Bakes some loaves of the kind that the user wants',
  input: { type: 'object', properties: { loaves: { type: 'integer', minimum: 1 } }, required: ['loaves'] },
  run: async ({ loaves }: { loaves: number }, ctx) => {
    const { content } = await ctx.elicit({
      message: 'Which bread?',
      requestedSchema: { type: 'object', properties: { bread: { type: 'string' } }, required: ['bread'] },
    })
    for (let done = 1; done <= loaves; done++) ctx.progress(done, loaves)
    return `${loaves} of ${String(content?.['bread'])}`
  },
})
let stock = 10
server.resource('bakery://stock', { read: () => String(stock) })

let app = await serve(server, { http: { port: 0 }, logger: false })
const { url } = app
const port = Number(new URL(url).port)

const handlers: ClientHandlers = { elicitation: () => ({ action: 'accept', content: { bread: 'rye' } }) }
const clients: Client[] = []
for (const era of ['legacy', 'modern'] as const) clients.push(await connect(url, { name: 'story', era, handlers }))

for (const client of clients) {
  const { protocolVersion } = client.server
  const baked: number[] = []
  const options: CallToolOptions = { timeout: 5_000, onProgress: ({ progress }) => baked.push(progress) }
  const { content } = await client.callTool('bake', { loaves: 3 }, options)
  assert.deepEqual(content, [{ type: 'text', text: '3 of rye' }])
  assert.deepEqual(baked, [1, 2, 3])
  console.log(
    `${protocolVersion}: the handler was asked, the oven told of ${baked.length} loaves, the answer is "3 of rye"`,
  )
}

// What the server did not do is an error with a code; `mayHaveRun` says whether to ask twice.
const [client] = clients as [Client]
await assert.rejects(client.callTool('burn'), (error) => error instanceof ClientError && error.code === -32602)

const stocks: string[] = []
const changed = new Map<boolean, () => void>()
const hear = (isCatchUp: boolean): Promise<void> => new Promise((resolve) => changed.set(isCatchUp, resolve))
const stop = await client.subscribe('bakery://stock', async ({ isCatchUp }) => {
  const { contents } = await client.readResource('bakery://stock')
  stocks.push(String((contents[0] as { text: string }).text))
  changed.get(isCatchUp)?.()
})
let heard = hear(false)
stock = 7
await server.resourceUpdated('bakery://stock')
await heard
console.log(`the stock changed, and the client was told: ${stocks.at(-1)}`)

heard = hear(true)
await app.stop()
stock = 5
app = await serve(server, { http: { port }, logger: false })
await heard
assert.equal(stocks.at(-1), '5')
console.log(`the server was started anew; the client is back and caught up by itself: ${stocks.at(-1)}`)

// Calls that go out together; each has its own fate.
const batch = client.batch()
for (const loaves of [1, 2]) void batch.callTool('bake', { loaves })
batch.callTool('burn').catch(() => undefined)
const entries = await batch.send()
assert.deepEqual(
  entries.map(({ ok }) => ok),
  [true, true, false],
)
console.log(
  `a batch of ${entries.length}: two results, and one error ${entries[2]?.ok === false && entries[2].error.code}`,
)

await stop()
for (const one of clients) await one.close()
await app.stop()
