/**
 * Story 13: many servers as one. A proxy stands before a weather station and a notebook; a client sees their tools side by side,
 * and a question of one finds its way through to the user. Then the notebook ends in the middle of the day: its own tools say so
 * at once, the station's do not notice, and it is found again when it is back.
 *
 *     node dist/examples/13-proxy/main.js
 */
import assert from 'node:assert/strict'
import { createServer, serve } from 'bough'
import { connect } from 'bough/client'
import { proxy } from 'bough/proxy'

const station = createServer({ name: 'station', version: '1.0.0' })
station.tool('forecast', {
  run: async (_args, ctx) => {
    const { content } = await ctx.elicit({
      message: 'For which city?',
      requestedSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    })
    return `Sunny in ${String(content?.['city'])}`
  },
})
const notebook = createServer({ name: 'notebook', version: '1.0.0' })
notebook.tool('note', { run: () => 'noted' })

const weatherApp = await serve(station, { http: { port: 0 }, logger: false })
let notesApp = await serve(notebook, { http: { port: 0 }, logger: false })
const port = Number(new URL(notesApp.url).port)

const all = await proxy({
  weather: { target: weatherApp.url },
  notes: {
    target: notesApp.url,
    options: { reconnect: false },
    health: { intervalMs: 100, timeoutMs: 100 },
    breaker: { failures: 2, resetMs: 60_000 },
  },
})
const app = await serve(all, { http: { port: 0 }, logger: false })
const client = await connect(app.url, {
  handlers: { elicitation: () => ({ action: 'accept', content: { city: 'Oslo' } }) },
})

const names = (await client.listTools()).map(({ name }) => name)
assert.deepEqual(names, ['weather__forecast', 'notes__note'])
console.log(`one server, the tools of two: ${names.join(', ')}`)

const text = async (name: string): Promise<string> => {
  const { content } = await client.callTool(name)
  return String((content[0] as { text: string }).text)
}
assert.equal(await text('weather__forecast'), 'Sunny in Oslo')
console.log('the question of the station went through to the user, and the answer back: Sunny in Oslo')
assert.equal(await text('notes__note'), 'noted')

const until = async (isSo: () => boolean): Promise<void> => {
  for (let count = 0; count < 1_000 && !isSo(); count++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.ok(isSo())
}
await notesApp.stop()
await until(() => all.upstreams()['notes']?.circuit === 'open')
const from = performance.now()
const refused = await client.callTool('notes__note')
assert.equal(refused.isError, true)
assert.ok(performance.now() - from < 200)
assert.equal(await text('weather__forecast'), 'Sunny in Oslo')
console.log('the notebook is gone: its tool says so at once, and the station does not notice')

notesApp = await serve(notebook, { http: { port }, logger: false })
await until(() => all.upstreams()['notes']?.isUp === true)
assert.equal(await text('notes__note'), 'noted')
console.log('the notebook is back, and was found by itself')

await client.close()
await app.stop()
await all.close()
await weatherApp.stop()
await notesApp.stop()
