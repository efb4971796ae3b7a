/**
 * Story 12: a pool. A hundred calls share three connections; when the server hangs, callers are told at once instead of after
 * their time, and when it is back one call finds out for all.
 *
 *     node dist/examples/12-pool/main.js
 */
import assert from 'node:assert/strict'
import { createServer, serve } from 'bough'
import { CircuitOpen, pool } from 'bough/client'

let isStuck = false
const server = createServer({ name: 'desk', version: '1.0.0' })
server.tool('square', {
  input: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
  run: ({ n }: { n: number }) => (isStuck ? new Promise<string>(() => undefined) : String(n * n)),
})
server.tool('refuse', { run: () => Promise.reject(new Error('I would rather not')) })
const app = await serve(server, { http: { port: 0 }, logger: false })

const desk = await pool({
  target: app.url,
  size: 3,
  maxInFlight: 20,
  breaker: { failures: 3, resetMs: 1_000 },
  options: { name: 'story' },
})

const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => desk.callTool('square', { n })))
assert.deepEqual(answers[99]?.content, [{ type: 'text', text: '9801' }])
const { connections, queued } = desk.stats()
assert.equal(queued, 0)
console.log(`100 calls over ${connections} connections: all answered`)

// What a tool says is no failure of its server.
for (let count = 0; count < 5; count++) assert.equal((await desk.callTool('refuse')).isError, true)
assert.equal(desk.stats().circuit, 'closed')
console.log('a tool that refuses five times does not open the circuit')

isStuck = true
for (let count = 0; count < 3; count++)
  await assert.rejects(desk.callTool('square', { n: 1 }, { timeout: 200 }), { code: 'timeout' })
const from = performance.now()
const refusal = await desk.callTool('square', { n: 1 }).catch((error: unknown) => error)
assert.ok(refusal instanceof CircuitOpen && !refusal.mayHaveRun && refusal.retryAfterMs <= 1_000)
assert.ok(performance.now() - from < 100)
console.log(`the server hangs: the next call is told so at once, and when to come again`)

isStuck = false
await new Promise((resolve) => setTimeout(resolve, refusal.retryAfterMs + 50))
assert.deepEqual((await desk.callTool('square', { n: 12 })).content, [{ type: 'text', text: '144' }])
assert.equal(desk.stats().circuit, 'closed')
console.log('it is back: one call found out, and the circuit is closed')

// One connection, for requests that belong together.
const { info } = await desk.use(async (client) => {
  await client.ping()
  return client.server
})
assert.equal(info?.name, 'desk')
console.log('one connection was lent to work that wanted it alone')

await desk.close()
await app.stop()
