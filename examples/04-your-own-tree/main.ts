/**
 * Story 4: a server in somebody's own tree. `application(server, options)` is a supervisor definition like any other, so the
 * server is a child beside the processes that its tools use, and both are kept alive by the same list.
 *
 *     node dist/examples/04-your-own-tree/main.js
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer as createListener } from 'node:net'
import { application, createServer } from 'bough'
import { child, createSystem, defineActor, defineSupervisor } from 'bough/runtime'

const Visits = defineActor({
  name: 'visits',
  init: () => ({ count: 0 }),
  call: {
    next: (state) => ++state.count,
    crash: () => {
      throw new Error('the visits were lost')
    },
  },
})

// A tool finds the process by its name, each time anew: after a restart the name leads to the new one.
const server = createServer({ name: 'visits', version: '1.0.0' })
server.tool('visit', {
  description: 'Counts a visit',
  run: async (_args, ctx) => `Visit ${await ctx.system.whereis('visits')?.call('next')}`,
})
server.tool('lose', {
  description: 'Crashes the counter',
  run: async (_args, ctx) => {
    await ctx.system.whereis('visits')?.call('crash')
  },
})

const port = await freePort()
// The server needs the counter, so the counter comes first.
const Tree = defineSupervisor({
  name: 'shop',
  strategy: 'one_for_one',
  children: [
    child(Visits, undefined, { id: 'visits', name: 'visits' }),
    child(application(server, { http: { port }, logger: false }), undefined, { id: 'mcp' }),
  ],
})

const system = createSystem()
await system.start(Tree)
console.log('one tree holds the counter and the server')

const session = await openSession()
assert.equal(await call('visit'), 'Visit 1')
assert.equal(await call('visit'), 'Visit 2')
console.log('two visits were counted')

console.log(`the counter crashed: ${await call('lose')}`)
assert.equal(await call('visit'), 'Visit 1')
console.log('the counter was started anew, and the session never noticed')

await system.stop()
await assert.rejects(openSession())
console.log('the system stopped, and the port is closed')

async function openSession(): Promise<Record<string, string>> {
  const clientInfo = { name: 'story', version: '1.0.0' }
  const response = await post('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }, {})
  return { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': '2025-11-25' }
}

/** The text that a tool answered, whether the answer came as JSON or as SSE. */
async function call(name: string): Promise<string> {
  const body = await (await post('tools/call', { name }, session)).text()
  const { result } = JSON.parse(body.startsWith('{') ? body : (body.match(/^data: ?(\{.*)$/m)?.[1] ?? ''))
  return result.content[0].text
}

function post(method: string, params: object, headers: Record<string, string>): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
}

/** A port that nobody uses. */
async function freePort(): Promise<number> {
  const listener = createListener().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo // a TCP listener's address is an AddressInfo
  listener.close()
  await once(listener, 'close')
  return port
}
