import { describe, expect, it, onTestFinished } from 'vitest'
import { type Child, childrenOf, spawnChild } from './child.ts'
import { HttpClient } from './http-client.ts'
import { Conversation, type Wire } from './wire-schema.ts'

const CALLS = 50

describe('SIGTERM', () => {
  it('lets slow calls finish, answers those that are too slow, opens no session, and ends with status 0', {
    timeout: 30_000,
  }, async () => {
    const child = spawnChild('http', { drainMs: 1_500 })
    const url = await child.line(0)
    const clients = await Promise.all(Array.from({ length: 10 }, () => HttpClient.open(url)))
    const calls = Array.from({ length: CALLS }, (_, n) => {
      const client = clients[n % clients.length] as HttpClient
      // Half of them are done within the drain.
      return client.call('slow', { ms: n % 2 === 0 ? 700 : 20_000 })
    })
    // A child program of the server's tools would be an orphan; the server itself has none.
    await expect
      .poll(async () => JSON.parse((await clients[0]?.call('stats'))?.result.content[0].text).processes)
      .toBeGreaterThan(CALLS)
    const startedAt = performance.now()
    child.program.kill('SIGTERM')
    // The drain has begun when a session takes no more requests, or a connection is refused.
    const isDraining = async () => (await clients[0]?.call('echo', { n: 1 }))?.error !== undefined
    await expect.poll(() => isDraining().catch(() => true)).toBe(true)
    const late = new HttpClient(url).initialize().then(
      (stream) => stream.status,
      () => 'refused',
    )
    const answers = await Promise.all(calls)
    const answeredMs = performance.now() - startedAt
    expect(await child.ended).toBe(0)
    const endedMs = performance.now() - startedAt
    expect(answers.filter(({ result }) => result?.content[0].text === 'done')).toHaveLength(CALLS / 2)
    expect(answers.filter(({ error }) => error?.code === -32603)).toHaveLength(CALLS / 2)
    expect([503, 'refused']).toContain(await late)
    console.info(`drain of 1500 ms: answered after ${Math.round(answeredMs)} ms, ended after ${Math.round(endedMs)} ms`)
    expect(endedMs).toBeLessThan(1_500 + 2_000)
    expect(childrenOf(child.program.pid ?? 0)).toEqual([])
  })

  it('ends an idle server with open sessions and streams at once', async () => {
    const child = spawnChild('http')
    const client = await HttpClient.open(await child.line(0))
    const stream = await client.listen()
    const startedAt = performance.now()
    child.program.kill('SIGTERM')
    expect(await child.ended).toBe(0)
    await stream.over
    console.info(`idle server: ended after ${Math.round(performance.now() - startedAt)} ms`)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  it('twice ends the server at once, with status 1', async () => {
    const child = spawnChild('http')
    const client = await HttpClient.open(await child.line(0))
    const call = client.call('slow', { ms: 20_000 }).catch(() => 'cut off')
    await expect
      .poll(async () => JSON.parse((await client.call('stats')).result.content[0].text).processes)
      .toBeGreaterThan(18)
    child.program.kill('SIGTERM')
    // The drain has begun when no session can be opened any more.
    await expect
      .poll(() =>
        new HttpClient(client.url).initialize().then(
          () => 'open',
          () => 'closed',
        ),
      )
      .toBe('closed')
    child.program.kill('SIGTERM')
    expect(await child.ended).toBe(1)
    await call
  })
})

function initialize(child: Child): void {
  const clientInfo = { name: 'test', version: '1' }
  write(child, { id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } })
  write(child, { method: 'notifications/initialized' })
}

/** What was said to each program; at the end of the test all that it wrote is checked against the published schema. */
const conversations = new WeakMap<Child, Conversation>()

function conversationOf(child: Child): Conversation {
  const known = conversations.get(child)
  if (known !== undefined) return known
  const conversation = new Conversation()
  conversations.set(child, conversation)
  onTestFinished(() => {
    const faults = child.lines.flatMap((line) =>
      [JSON.parse(line)].flat().map((one: Wire) => conversation.faultOf(one)),
    )
    expect(faults.filter((fault) => fault !== undefined)).toEqual([])
  })
  return conversation
}

function write(child: Child, message: object): void {
  conversationOf(child).sent(message as Wire)
  child.program.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
}

const call = (name: string, args: object = {}) => ({ method: 'tools/call', params: { name, arguments: args } })

describe('the end of standard input', () => {
  it('ends the program within two seconds, behind the answers of what was asked', async () => {
    const child = spawnChild('stdio')
    initialize(child)
    // From its first answer on: how long a program takes to load is another matter.
    await child.line(0)
    for (let id = 1; id <= 20; id++) write(child, { id, ...call('slow', { ms: id * 10 }) })
    write(child, { id: 99, ...call('slow', { ms: 30_000 }) })
    const startedAt = performance.now()
    child.program.stdin.end()
    expect(await child.ended).toBe(0)
    const endedMs = performance.now() - startedAt
    const answers = new Map(child.lines.map((line) => JSON.parse(line)).map((message) => [message.id, message]))
    for (let id = 1; id <= 20; id++) expect(answers.get(id)?.result.content[0].text).toBe('done')
    expect(answers.get(99)?.error.code).toBe(-32603)
    console.info(`standard input: ended after ${Math.round(endedMs)} ms`)
    expect(endedMs).toBeLessThan(2_000)
  })

  it('ends an idle program at once, also one whose tool left a timer or hangs', async () => {
    const child = spawnChild('stdio')
    initialize(child)
    write(child, { id: 1, ...call('waits') })
    write(child, { id: 2, method: 'ping' })
    await child.line(2)
    write(child, { method: 'notifications/cancelled', params: { requestId: 1 } })
    const startedAt = performance.now()
    child.program.stdin.end()
    expect(await child.ended).toBe(0)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    // To initialize and ping, and what the call had logged.
    expect(child.lines).toHaveLength(3)
  })

  it('and SIGTERM both end a program over standard input with status 0', async () => {
    const child = spawnChild('stdio')
    initialize(child)
    await child.line(0)
    child.program.kill('SIGTERM')
    expect(await child.ended).toBe(0)
  })
})

describe('standard output', () => {
  it('holds nothing but messages, whatever tools print, throw and leak, and whatever garbage comes', async () => {
    const child = spawnChild('stdio')
    initialize(child)
    child.program.stdin.write('garbage\n\n{"jsonrpc":"2.0"\n\u0000\n[1,2]\n')
    child.program.stdin.write(Buffer.from([0xff, 0xfe, 0x0a]))
    for (let id = 1; id <= 100; id++)
      write(child, { id, ...call(['throws', 'hangs', 'leaks', 'steps', 'logs'][id % 5] ?? '') })
    write(child, { id: 'last', ...call('slow', { ms: 300 }) })
    const messages = async () => child.lines.map((line) => JSON.parse(line) as { jsonrpc: string; id?: unknown })
    await expect.poll(async () => (await messages()).some(({ id }) => id === 'last'), { timeout: 10_000 }).toBe(true)
    child.program.stdin.end()
    expect(await child.ended).toBe(0)
    const all = (await messages()).flat()
    expect(all.every(({ jsonrpc }) => jsonrpc === '2.0')).toBe(true)
    for (let id = 1; id <= 100; id++) expect(all.filter((message) => message.id === id)).toHaveLength(1)
  })
})
