/** How a client finds out which era a server is of: every answer a server may give to the first request. */
import { type ConnectOptions, connect } from 'bough/client'
import { describe, expect, it } from 'vitest'
import type { LinkFailure } from '#transports/client-port'
import { discovered, initialized, type Script, type ScriptedLink, scripted, simulation, type Wire } from './support.ts'

type Reply = (message: Wire, link: ScriptedLink) => void

/** A server that answers each method as told, and others not at all. */
const answering =
  (replies: Readonly<Record<string, Reply>>): Script =>
  (message, link) =>
    replies[message.method ?? '']?.(message, link)

const legacy: Reply = (message, link) => link.result(message, initialized)
const modern: Reply = (message, link) => link.result(message, discovered)
const status =
  (code: number, body = '', failure: Partial<LinkFailure> = {}): Reply =>
  (message, link) =>
    link.fail(message, {
      kind: code === 401 ? 'unauthorized' : 'status',
      status: code,
      body,
      mayHaveRun: false,
      ...failure,
    })
const refusing =
  (code: number, data?: unknown): Reply =>
  (message, link) =>
    link.error(message, code, 'no', data)
const modernError = (data: object): string =>
  JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32022, message: 'no', data } })

async function met(
  name: string,
  replies: Readonly<Record<string, Reply>>,
  options: ConnectOptions = {},
  fallback?: Script,
) {
  const sim = simulation()
  const { transport, links } = scripted(answering(replies), name)
  const second = fallback === undefined ? undefined : scripted(fallback, 'sse')
  const connecting = connect(
    { transport, ...(second !== undefined && { fallback: second.transport }) },
    { system: sim.system, ...options },
  )
  const outcome = await sim.run(
    connecting.then(
      (client) => ({ client }),
      (error: unknown) => ({ error }),
    ),
  )
  return { sim, links, fallbackLinks: second?.links ?? [], ...outcome }
}

const era = (outcome: object): string | undefined =>
  'client' in outcome ? (outcome.client as { server: { era: string } }).server.era : undefined

describe.each(['http', 'stdio'])('over %s, a server that answers server/discover', (name) => {
  it('with a result is modern', async () => {
    const outcome = await met(name, { 'server/discover': modern })
    expect(era(outcome)).toBe('modern')
    expect(outcome.links[0]?.sent).toHaveLength(1)
  })

  it.each([-32601, -32602, -32600, -32000, 1])('with the error %i is legacy', async (code) => {
    const outcome = await met(name, { 'server/discover': refusing(code), initialize: legacy })
    expect(era(outcome)).toBe('legacy')
    expect(outcome.links).toHaveLength(1)
    expect(outcome.links[0]?.sent.map(({ method }) => method)).toEqual([
      'server/discover',
      'initialize',
      'notifications/initialized',
    ])
    expect(outcome.links[0]?.isListening).toBe(true)
  })

  it('with a result that is none of discovery is legacy', async () => {
    const outcome = await met(name, {
      'server/discover': (message, link) => link.result(message, {}),
      initialize: legacy,
    })
    expect(era(outcome)).toBe('legacy')
  })

  it('with an error of the modern era is modern, and is never asked to initialize', async () => {
    const outcome = await met(name, {
      'server/discover': refusing(-32022, { supported: ['2031-01-01'] }),
      initialize: legacy,
    })
    expect(outcome).toMatchObject({ error: { code: 'unsupported_version' } })
    expect(outcome.links[0]?.sent.map(({ method }) => method)).toEqual(['server/discover'])
  })

  it('with a modern error that names a version both have is asked again in that version, but not for ever', async () => {
    const refuse = refusing(-32022, { supported: ['2026-07-28'] })
    let asked = 0
    const discover: Reply = (message, link) => (++asked === 1 ? refuse(message, link) : modern(message, link))
    expect(era(await met(name, { 'server/discover': discover }))).toBe('modern')
    const outcome = await met(name, { 'server/discover': refuse })
    expect(outcome).toMatchObject({ error: { code: 'unsupported_version' } })
    expect(outcome.links[0]?.sent).toHaveLength(4)
  })

  it('with a modern error that names legacy versions alone is initialized', async () => {
    const replies = { 'server/discover': refusing(-32022, { supported: ['2025-06-18'] }), initialize: legacy }
    expect(era(await met(name, replies))).toBe('legacy')
  })

  it('with versions of the legacy era alone is initialized', async () => {
    const discover: Reply = (message, link) =>
      link.result(message, { ...discovered, supportedVersions: ['2025-11-25'] })
    expect(era(await met(name, { 'server/discover': discover, initialize: legacy }))).toBe('legacy')
  })

  it('is not asked at all by a client of the legacy era', async () => {
    const outcome = await met(name, { initialize: legacy }, { era: 'legacy' })
    expect(outcome.links[0]?.sent.map(({ method }) => method)).toEqual(['initialize', 'notifications/initialized'])
  })

  it('is not initialized by a client of the modern era', async () => {
    const outcome = await met(name, { 'server/discover': refusing(-32601), initialize: legacy }, { era: 'modern' })
    expect(outcome).toMatchObject({ error: { code: 'unsupported_version', message: /legacy era/ } })
    expect(outcome.sim.system.processCount).toBe(0)
  })

  it('and offers a version in initialize that the client does not know is left', async () => {
    const initialize: Reply = (message, link) => link.result(message, { ...initialized, protocolVersion: '1999-01-01' })
    const outcome = await met(name, { 'server/discover': refusing(-32601), initialize })
    expect(outcome).toMatchObject({ error: { code: 'unsupported_version', message: /1999-01-01/ } })
    expect(outcome.links[0]?.isClosed).toBe(true)
  })
})

describe('over stdio, a server that', () => {
  it('says nothing to the probe is legacy', async () => {
    const outcome = await met('stdio', { initialize: legacy }, { probeTimeout: 500 })
    expect(era(outcome)).toBe('legacy')
    expect(outcome.sim.clock.now()).toBe(500)
  })

  it('ends on the probe is started anew and initialized', async () => {
    const outcome = await met('stdio', { 'server/discover': (_message, link) => link.break(), initialize: legacy })
    expect(era(outcome)).toBe('legacy')
    expect(outcome.links).toHaveLength(2)
    expect(outcome.links[1]?.sent[0]?.method).toBe('initialize')
  })

  it('ends whatever it is told is given up', async () => {
    const outcome = await met('stdio', {
      'server/discover': (_message, link) => link.break(),
      initialize: (_message, link) => link.break({ message: 'It broke again.' }),
    })
    expect(outcome).toMatchObject({ error: { name: 'CallLost', message: /broke again/ } })
  })

  it('says nothing at all is given up in time', async () => {
    const outcome = await met('stdio', {}, { probeTimeout: 500, connectTimeout: 1_000 })
    expect(outcome).toMatchObject({ error: { code: 'timeout' } })
    expect(outcome.sim.clock.now()).toBe(1_500)
    expect(outcome.sim.system.processCount).toBe(0)
  })
})

describe('over HTTP, a server that answers the probe', () => {
  it.each([400, 404, 405, 415, 500])('with the bare status %i is legacy', async (code) => {
    expect(era(await met('http', { 'server/discover': status(code), initialize: legacy }))).toBe('legacy')
  })

  it('with 400 and an error that is not of the modern era is legacy', async () => {
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: null,
      error: { code: -32000, message: 'Bad Request: no session' },
    })
    expect(era(await met('http', { 'server/discover': status(400, body), initialize: legacy }))).toBe('legacy')
  })

  it('with 400 and a modern error in the body is modern', async () => {
    const body = modernError({ supported: ['2031-01-01'] })
    const outcome = await met('http', { 'server/discover': status(400, body), initialize: legacy })
    expect(outcome).toMatchObject({ error: { code: 'unsupported_version' } })
  })

  it('with 401 is told to the caller, and nothing else is tried', async () => {
    const outcome = await met('http', { 'server/discover': status(401), initialize: legacy })
    expect(outcome).toMatchObject({ error: { code: 'unauthorized', data: { status: 401 } } })
    expect(outcome.links[0]?.sent).toHaveLength(1)
  })

  it('with 503 says nothing of its era', async () => {
    const outcome = await met('http', { 'server/discover': status(503), initialize: legacy })
    expect(outcome).toMatchObject({ error: { code: 'status' } })
  })

  it('and refuses initialize too is spoken to over the older transport', async () => {
    const sse = answering({
      initialize: (message, link) => link.result(message, { ...initialized, protocolVersion: '2024-11-05' }),
    })
    const replies = { 'server/discover': status(404), initialize: status(405) }
    const outcome = await met('http', replies, {}, sse)
    expect(outcome).toMatchObject({ client: { server: { protocolVersion: '2024-11-05' } } })
    expect(outcome.links[0]?.isClosed).toBe(true)
    expect(outcome.fallbackLinks[0]?.sent[0]?.method).toBe('initialize')
  })

  it('and refuses initialize with a modern error is not', async () => {
    const replies = {
      'server/discover': status(404),
      initialize: status(400, modernError({ supported: ['2026-07-28'] })),
    }
    const outcome = await met('http', replies, {}, () => undefined)
    expect(outcome).toMatchObject({ error: { code: -32022 } })
    expect(outcome.fallbackLinks).toHaveLength(0)
  })

  it('sends the headers that repeat what its requests say', async () => {
    const outcome = await met('http', {
      'server/discover': modern,
      'resources/read': (message, link) => link.result(message, { contents: [] }),
    })
    if (!('client' in outcome)) throw outcome.error
    await outcome.sim.run(outcome.client.readResource('test://x'))
    expect(outcome.links[0]?.outgoing.map(({ headers }) => headers)).toEqual([
      { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'server/discover' },
      { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'resources/read', 'Mcp-Name': 'test://x' },
    ])
  })

  it('sends a legacy server the version that was agreed on, once it was', async () => {
    const outcome = await met('http', {
      'server/discover': refusing(-32601),
      initialize: legacy,
      ping: (message, link) => link.result(message, {}),
    })
    if (!('client' in outcome)) throw outcome.error
    await outcome.sim.run(outcome.client.ping())
    expect(outcome.links[0]?.outgoing.slice(1).map(({ headers }) => headers)).toEqual([
      {},
      { 'MCP-Protocol-Version': '2025-11-25' },
      { 'MCP-Protocol-Version': '2025-11-25' },
    ])
  })
})
