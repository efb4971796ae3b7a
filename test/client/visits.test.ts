/** Requests that need a page to be visited first, and a client that sees to it. Spec: MCP 2025-11-25, client/elicitation. */
import { createServer, type Server, urlElicitationRequired } from 'bough'
import type { ConnectOptions } from 'bough/client'
import { describe, expect, it } from 'vitest'
import { type World, world } from './support.ts'

type Elicitation = NonNullable<NonNullable<ConnectOptions['handlers']>['elicitation']>

const capabilities = { elicitation: { form: true, url: true } }
const pages = ['e-1', 'e-2']

/** A server whose tool runs only for those who have visited its pages. */
function gated(): Server & { readonly visited: Set<string>; ran: number; refused: number } {
  const server = Object.assign(createServer({ name: 'test', version: '1' }), {
    visited: new Set<string>(),
    ran: 0,
    refused: 0,
  })
  server.tool('guarded', {
    run: () => {
      const missing = pages.filter((id) => !server.visited.has(id))
      if (missing.length > 0) {
        server.refused++
        const what = (elicitationId: string) => ({ elicitationId, url: `https://example.com/${elicitationId}` })
        throw urlElicitationRequired(missing.map((id) => ({ ...what(id), message: `Visit ${id}` })))
      }
      server.ran++
      return 'done'
    },
  })
  return server
}

type Gated = ReturnType<typeof gated>

function visit(server: Gated, id: string): void {
  server.visited.add(id)
  server.elicitationComplete(id)
}

async function met(elicitation: Elicitation, options: ConnectOptions = {}) {
  const server = gated()
  const here: World = await world(server)
  const client = await here.connect({ era: 'legacy', handlers: { elicitation }, capabilities, ...options })
  const begin = (more: object = {}) => {
    const outcome = client.callTool('guarded', {}, more).then(
      ({ content }) => content,
      (error: unknown) => error,
    )
    return outcome
  }
  return { server, here, client, begin }
}

const done = [{ type: 'text', text: 'done' }]

describe('a request that needs pages to be visited', () => {
  it('is sent again when the handler accepted them all and all were completed', async () => {
    const asked: unknown[] = []
    const { server, here, begin } = await met((request) => {
      asked.push(request)
      return { action: 'accept' }
    })
    const outcome = begin()
    await here.sim.advance(100)
    // Each in a process of its own: in no order.
    expect(asked).toHaveLength(2)
    expect(asked).toEqual(
      expect.arrayContaining(
        pages.map((id) => ({
          mode: 'url',
          elicitationId: id,
          url: `https://example.com/${id}`,
          message: `Visit ${id}`,
        })),
      ),
    )
    visit(server, 'e-1')
    await here.sim.advance(100)
    expect(server.refused).toBe(1)
    visit(server, 'e-2')
    expect(await here.sim.run(outcome)).toEqual(done)
    expect([server.refused, server.ran]).toEqual([1, 1])
  })

  it('counts a page that was completed before the handler said that the user goes there', async () => {
    const server: { here?: Gated } = {}
    const { here, begin, ...rest } = await met((request) => {
      if (request.mode === 'url' && server.here !== undefined) visit(server.here, request.elicitationId ?? '')
      return new Promise((resolve) => void here.sim.system.timers.start(1_000, () => resolve({ action: 'accept' })))
    })
    server.here = rest.server
    const before = here.sim.clock.now()
    expect(await here.sim.run(begin())).toEqual(done)
    expect(here.sim.clock.now() - before).toBeLessThan(2_000)
  })

  it('is refused when one of them is declined', async () => {
    const { server, here, begin } = await met((request) => ({
      action: request.mode === 'url' && request.elicitationId === 'e-2' ? 'decline' : 'accept',
    }))
    expect(await here.sim.run(begin())).toMatchObject({ code: -32042, mayHaveRun: false })
    expect(server.refused).toBe(1)
  })

  it('is refused when the handler fails', async () => {
    const { here, begin } = await met(() => Promise.reject(new Error('no browser')))
    expect(await here.sim.run(begin())).toMatchObject({ code: -32042 })
  })

  it.each([
    ['there is no handler', { handlers: {} }],
    ['pages were not announced', { capabilities: { elicitation: { form: true } } }],
  ])('is refused at once when %s', async (_why, options) => {
    const asked: unknown[] = []
    const { here, begin } = await met((request) => {
      asked.push(request)
      return { action: 'accept' }
    }, options)
    expect(await here.sim.run(begin())).toMatchObject({ code: -32042, data: { elicitations: [{}, {}] } })
    expect(asked).toEqual([])
  })

  it('is sent again after a while although nobody said that the pages were completed, and not for ever', async () => {
    const { server, here, begin } = await met(() => ({ action: 'accept' }), { handlerTimeout: 1_000 })
    expect(await here.sim.run(begin())).toMatchObject({ code: -32042 })
    expect(server.refused).toBe(4)
    const again = begin()
    await here.sim.advance(100)
    // What told of it was lost.
    for (const id of pages) server.visited.add(id)
    expect(await here.sim.run(again)).toEqual(done)
  })

  it('is given up with its signal', async () => {
    const { server, here, begin } = await met(() => ({ action: 'accept' }))
    const control = new AbortController()
    const outcome = begin({ signal: control.signal })
    await here.sim.advance(100)
    control.abort('enough')
    expect(await here.sim.run(outcome)).toMatchObject({ code: 'cancelled', cause: 'enough', mayHaveRun: false })
    expect(server.refused).toBe(1)
  })

  it('is over when the client closes', async () => {
    const { here, client, begin } = await met(() => ({ action: 'accept' }))
    const outcome = begin()
    await here.sim.advance(100)
    await here.sim.run(client.close())
    expect(await here.sim.run(outcome)).toMatchObject({ code: 'closed' })
  })
})

describe('the lists of a server that had none of that kind', () => {
  it('are told of in the modern era as soon as there are some', async () => {
    const server = createServer({ name: 'test', version: '1' })
    const here = await world(server)
    const client = await here.connect({ era: 'modern' })
    const lists: string[] = []
    client.onListChanged((kind) => lists.push(kind))
    await here.sim.advance(100)
    server.tool('one', { run: () => '' })
    server.prompt('one', { get: () => 'x' })
    server.resource('test://one', { read: () => 'x' })
    await here.sim.advance(1_000)
    expect(lists.sort()).toEqual(['prompts', 'resources', 'tools'])
    expect(await here.sim.run(client.listPrompts())).toHaveLength(1)
  })
})
