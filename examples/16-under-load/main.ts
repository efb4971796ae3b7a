/**
 * Story 16: one server on five ways in, and what it says when it is asked for too much. A caller over the rate hears when to come
 * back, a tool that keeps failing is answered for by its breaker, a kept answer costs no work, and pings are served throughout.
 *
 *     node dist/examples/16-under-load/main.js
 */
import assert from 'node:assert/strict'
import { createServer, serve } from 'bough'
import { type Client, ClientError, connect } from 'bough/client'

const server = createServer({ name: 'ferry', version: '1.0.0' })
server.tool('book', { run: () => 'booked' })
server.tool('weather', {
  breaker: { failures: 3, resetMs: 60_000 },
  run: () => {
    throw new Error('The weather service is down.')
  },
})
let looks = 0
server.resource('ferry://timetable', {
  cache: { ttlMs: 60_000, scope: 'public' },
  read: () => {
    looks++
    return `timetable ${looks}`
  },
})

const app = await serve(server, {
  http: { port: 0, webSocket: true, sse: true },
  ws: { port: 0 },
  tcp: { port: 0 },
  observe: { metrics: true },
  limits: { session: { perSecond: 0.1, burst: 30 } },
  logger: false,
})
const clients: Client[] = []
for (const [index, url] of app.urls.entries()) {
  // The first has a session, which can be told from others.
  const client = await connect(url, { name: 'story', era: index === 0 ? 'legacy' : 'auto' })
  assert.equal((await client.callTool('book')).isError, undefined)
  clients.push(client)
}
const schemes = app.urls.map((url) => `${new URL(url).protocol}//…${new URL(url).pathname}`)
console.log(`one server, ${clients.length} ways in: ${schemes.join(', ')}`)

// The first read of each era is made, every other one is what was kept, whoever asks; a change is heard of at once.
const [first, ...others] = clients as [Client, ...Client[]]
const eras = new Set(clients.map(({ server: { protocolVersion } }) => protocolVersion))
for (const client of clients) await client.readResource('ferry://timetable')
assert.equal(looks, eras.size)
await app.resourceUpdated('ferry://timetable')
const { contents } = await first.readResource('ferry://timetable')
assert.deepEqual(contents, [{ uri: 'ferry://timetable', text: `timetable ${eras.size + 1}` }])
console.log(`${clients.length + 1} reads of the timetable, ${looks} of them made anew`)

// After three failures in a row nobody asks the weather service for a minute.
for (let call = 0; call < 3; call++) assert.equal((await first.callTool('weather')).isError, true)
const { content, isError } = await first.callTool('weather')
assert.equal(isError, true)
console.log(`a tool that keeps failing: ${String((content[0] as { text: string }).text)}`)

// One session asks too much: it alone is refused, and told when to come back.
let booked = 0
let refusal: unknown
for (let call = 0; call < 40 && refusal === undefined; call++) {
  await first.callTool('book').then(
    () => booked++,
    (error: unknown) => (refusal = error),
  )
}
assert.ok(refusal instanceof ClientError && booked < 40)
await first.ping()
for (const other of others) assert.equal((await other.callTool('book')).isError, undefined)
console.log(`one session was refused after ${booked} more calls, its pings and everybody else's calls were served`)

const metrics = await (await fetch(new URL('/metrics', app.url))).text()
assert.match(metrics, /^bough_requests_refused_total\{.*reason="rate_session".*\} [1-9]/m)
console.log('the metrics say so too')

for (const client of clients) await client.close()
await app.stop()
