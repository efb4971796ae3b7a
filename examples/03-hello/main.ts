/**
 * Story 3: the smallest server worth having. It is all in server.ts; here a client of a few lines calls it, one plain POST at
 * a time, to show that a tool that crashes harms nobody.
 *
 *     node dist/examples/03-hello/main.js
 */
import assert from 'node:assert/strict'

process.env['PORT'] = '0'
const { app } = await import('./server.ts')

const common = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

/** Sends one message and returns the answer's headers and its one JSON-RPC message, whether it came as JSON or as SSE. */
async function post(message: object, headers: Record<string, string> = {}) {
  const response = await fetch(app.url, {
    method: 'POST',
    headers: { ...common, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  })
  const body = await response.text()
  const data = body.startsWith('{') ? body : body.match(/^data: ?(\{.*)$/m)?.[1]
  return { headers: response.headers, answer: data === undefined ? undefined : JSON.parse(data) }
}

const { headers, answer } = await post({
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'story', version: '1.0.0' } },
})
assert.equal(answer.result.serverInfo.name, 'hello')
const session = {
  'mcp-session-id': headers.get('mcp-session-id') ?? '',
  'mcp-protocol-version': answer.result.protocolVersion,
}
await post({ method: 'notifications/initialized' }, session)

async function call(name: string, args: object) {
  const { answer } = await post({ id: name, method: 'tools/call', params: { name, arguments: args } }, session)
  return answer.result
}

const hello = await call('hello', { name: 'world' })
assert.equal(hello.content[0].text, 'Hello, world!')
console.log(hello.content[0].text)

const crashed = await call('crash', {})
assert.equal(crashed.isError, true)
console.log(`the crash is an answer like any other: ${crashed.content[0].text}`)

const wrong = await call('hello', { name: 7 })
assert.equal(wrong.isError, true)
console.log(`so are wrong arguments: ${wrong.content[0].text}`)

const again = await call('hello', { name: 'again' })
assert.equal(again.content[0].text, 'Hello, again!')
console.log(again.content[0].text)

await app.stop()
