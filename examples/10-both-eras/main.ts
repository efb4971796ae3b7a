/**
 * Story 10: both eras on one endpoint. One tool asks the user something in the middle of its work. A client of revision
 * 2025-11-25 has a session, and is sent the question there; a client of revision 2026-07-28 has none: it finds the question in
 * the result, and sends the call again with the answer. The tool is written once and does not know the difference.
 *
 *     node dist/examples/10-both-eras/main.js
 */
import assert from 'node:assert/strict'
import { createServer, serve } from 'bough'
import { memoryTransport } from 'bough/transports/memory'

let runs = 0
const server = createServer({ name: 'bakery', version: '1.0.0' })
server.tool('order', {
  description: 'Orders a loaf of the kind that the user wants',
  run: async (_args, ctx) => {
    runs++
    // Ask first, act after: under 2026-07-28 everything up to the answer happens once more.
    const { action, content } = await ctx.elicit({
      message: 'Which bread?',
      requestedSchema: { type: 'object', properties: { bread: { type: 'string' } }, required: ['bread'] },
    })
    const { protocolVersion } = ctx.client
    return action === 'accept' ? `one ${String(content?.['bread'])} under ${protocolVersion}` : 'nothing'
  },
})

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly message?: string }
  readonly result?: {
    readonly resultType?: string
    readonly content?: readonly { readonly text: string }[]
    readonly inputRequests?: Readonly<Record<string, Message>>
    readonly requestState?: string
  }
}

const memory = memoryTransport()
const app = await serve(server, { transports: [memory.transport], logger: false })
/** What any user of either client would say. */
const user = { action: 'accept', content: { bread: 'rye' } }

/** A connection: `request` resolves to the result, `asked` answers what the server asks. */
function connect(asked: (question: Message) => object) {
  const line = memory.connect()
  const waiting = new Map<number, (message: Message) => void>()
  line.onMessage((text) => {
    const message: Message = JSON.parse(text)
    if (message.method === undefined) waiting.get(message.id ?? 0)?.(message)
    else line.send(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: asked(message) }))
  })
  return async (method: string, params: object): Promise<NonNullable<Message['result']>> => {
    const id = waiting.size + 1
    line.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    const { result } = await new Promise<Message>((resolve) => waiting.set(id, resolve))
    assert.ok(result !== undefined)
    return result
  }
}

const clientInfo = { name: 'story', version: '1.0.0' }
const capabilities = { elicitation: {} }

const legacy = connect((question) => {
  assert.equal(question.method, 'elicitation/create')
  console.log(`2025-11-25: the server asks "${question.params?.message}" in the session`)
  return user
})
await legacy('initialize', { protocolVersion: '2025-11-25', capabilities, clientInfo })
const sold = await legacy('tools/call', { name: 'order', arguments: {} })
assert.equal(sold.content?.[0]?.text, 'one rye under 2025-11-25')
assert.equal(runs, 1)
console.log(`2025-11-25: ${sold.content?.[0]?.text}; the tool ran once`)

const modern = connect(() => assert.fail('A client of this era is never sent a request.'))
const call = {
  name: 'order',
  arguments: {},
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': clientInfo,
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  },
}
const { resultType, inputRequests = {}, requestState } = await modern('tools/call', call)
assert.equal(resultType, 'input_required')
const [[key, question] = ['', undefined]] = Object.entries(inputRequests)
console.log(`2026-07-28: the result asks "${question?.params?.message}" under the key ${key}`)
const bought = await modern('tools/call', { ...call, inputResponses: { [key]: user }, requestState })
assert.equal(bought.content?.[0]?.text, 'one rye under 2026-07-28')
assert.equal(runs, 3)
console.log(`2026-07-28: ${bought.content?.[0]?.text}; the tool ran twice, the second time with the answer`)

await app.stop()
