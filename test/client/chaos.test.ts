/**
 * How it works: 1. a seed decides which of the client's processes are crashed and killed, when the link breaks and which messages
 * are lost; 2. a client calls, reads and subscribes meanwhile; 3. when the chaos is over, what was promised is looked at: every
 * call was settled, none ran twice that must not, none ran that was said not to have, and changes are still heard.
 *
 * `BOUGH_SEED` sets the first seed, `BOUGH_RUNS` how many there are.
 */
import { createServer, serve } from 'bough'
import { type ClientError, connect } from 'bough/client'
import { createSimulation } from 'bough/testing'
import { memoryTransport } from 'bough/transports/memory'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryClientTransport } from '#transports/client-memory'
import type { ClientTransport, LinkFailure } from '#transports/client-port'
import { SEED } from './support.ts'

const CHAOS_MS = 20_000
const CALLS = 30

interface Chances {
  readonly break: number
  readonly drop: number
}

/** The same transport, on a link that breaks and loses messages by chance while the chaos lasts. */
function unreliable(
  transport: ClientTransport,
  isChaos: () => boolean,
  random: () => number,
  chances: Chances,
): ClientTransport {
  return {
    ...transport,
    open: async (receiver) => {
      let isOver = false
      const end = (failure: LinkFailure): void => {
        if (isOver) return
        isOver = true
        receiver.closed(failure)
      }
      const link = await transport.open({
        message: (text) => {
          if (!isOver && !(isChaos() && random() < chances.drop)) receiver.message(text)
        },
        failed: (ids, failure) => {
          if (!isOver) receiver.failed(ids, failure)
        },
        closed: end,
      })
      return {
        send: (message) => {
          if (isOver) return false
          const fate = isChaos() ? random() : 1
          if (fate < chances.drop) {
            seen.add('a message was lost')
            return true
          }
          const isSent = link.send(message)
          if (fate < chances.drop + chances.break) {
            seen.add('a link broke')
            void link.close()
            queueMicrotask(() => end({ kind: 'broken', message: 'It broke.', mayHaveRun: true }))
          }
          return isSent
        },
        abandon: (id) => link.abandon(id),
        listen: () => link.listen(),
        close: () => link.close(),
      }
    },
  }
}

/** What happened in any run: chaos that never comes proves nothing. */
const seen = new Set<string>()

async function live(seed: number, era: 'legacy' | 'modern'): Promise<string[]> {
  const wrong: string[] = []
  const sim = createSimulation({
    seed,
    chaos: {
      crash: 0.01,
      kill: 0.01,
      targets: ['client-connection', 'client-subscriptions', 'client-questions'],
      until: CHAOS_MS,
      max: 8,
    },
    events: (event) => {
      if (event.type === 'crash') seen.add(`${event.definition} crashed`)
    },
  })
  const ran = new Map<number, number>()
  const server = createServer({ name: 'test', version: '1' })
  server.tool('writes', {
    run: ({ n }) => {
      ran.set(Number(n), (ran.get(Number(n)) ?? 0) + 1)
      return 'done'
    },
  })
  server.tool('asks', {
    run: async ({ n }, ctx) => {
      const answer = await ctx.elicit({ message: 'Sure?', requestedSchema: { type: 'object', properties: {} } })
      ran.set(Number(n), (ran.get(Number(n)) ?? 0) + 1)
      return answer.action
    },
  })
  server.tool('reads', { annotations: { readOnlyHint: true }, run: () => 'read' })
  server.resource('test://text', { read: () => 'some text' })
  const memory = memoryTransport()
  const serving = serve(server, {
    system: sim.system,
    transports: [memory.transport],
    signals: false,
    guard: false,
    logger: false,
  })
  const app = await sim.run(serving)
  const before = sim.system.processCount
  const isChaos = (): boolean => sim.clock.now() < CHAOS_MS
  const transport = unreliable(memoryClientTransport(memory), isChaos, () => sim.random.next(), {
    break: 0.04,
    drop: 0.02,
  })
  const options = {
    system: sim.system,
    era,
    timeout: 3_000,
    connectTimeout: 2_000,
    reconnect: { attempts: 100, minMs: 20, maxMs: 500 },
    handlers: { elicitation: () => ({ action: 'accept', content: {} }) as const },
  }
  let client: Awaited<ReturnType<typeof connect>> | undefined
  // The first connection is not made again by itself.
  for (let tries = 0; client === undefined && tries < 50; tries++) {
    client = await sim.run(connect({ transport }, options).catch(() => undefined))
  }
  if (client === undefined) return ['never connected']
  const here = client
  await sim.run(here.listTools().catch(() => []))
  const updates: string[] = []
  const lists: string[] = []
  here.onListChanged((kind) => lists.push(kind))
  const subscribed = (async () => {
    for (let tries = 0; tries < 50; tries++) {
      const stop = await here
        .subscribe('test://text', ({ uri, isCatchUp }) => {
          if (isCatchUp) seen.add('a catch-up')
          updates.push(uri)
        })
        .catch(() => undefined)
      if (stop !== undefined) return true
    }
    return false
  })()
  let settled = 0
  const outcomes = new Map<number, { readonly value?: unknown; readonly error?: ClientError }>()
  const make: (() => Promise<unknown>)[] = []
  for (let n = 0; n < CALLS; n++) {
    const call = [
      () => here.callTool('writes', { n }),
      () => here.callTool('reads'),
      () => here.readResource('test://text'),
      () => here.callTool('asks', { n }),
      () => here.listTools(),
    ][n % 5] as () => Promise<unknown>
    make.push(call)
  }
  const calls = make.map(async (call, n) => {
    await new Promise<void>((resolve) => void sim.system.timers.start((n * CHAOS_MS) / CALLS, () => resolve()))
    await call().then(
      (value) => outcomes.set(n, { value }),
      (error: ClientError) => outcomes.set(n, { error }),
    )
    settled++
  })
  await sim.advance(CHAOS_MS)
  await sim.run(Promise.all(calls))
  if (settled !== CALLS) wrong.push(`${CALLS - settled} calls were never settled`)
  for (const [n, { value, error }] of outcomes) {
    const runs = ran.get(n) ?? 0
    if (n % 5 === 0 && runs > 1) wrong.push(`call ${n} ran ${runs} times`)
    if (n % 5 === 0 && value !== undefined && runs !== 1) wrong.push(`call ${n} resolved after ${runs} runs`)
    if (error !== undefined && error.mayHaveRun !== true && runs > 0)
      wrong.push(`call ${n} ran and was said not to: ${error.message}`)
    seen.add(error === undefined ? 'a result' : `${error.code}, ${error.mayHaveRun ? 'may have run' : 'did not run'}`)
    if (error !== undefined && error.name !== 'ClientError' && error.name !== 'CallLost')
      wrong.push(`call ${n}: ${error.stack}`)
  }
  if (!(await sim.run(subscribed))) wrong.push('never subscribed')
  await sim.advance(30_000)
  updates.length = 0
  lists.length = 0
  server.tool('another', { run: () => '' })
  server.resourceUpdated('test://text')
  await sim.advance(1_000)
  if (updates.length !== 1) wrong.push(`${updates.length} updates were heard at the end`)
  if (lists.length !== 1) wrong.push(`${lists.length} changes of lists were heard at the end`)
  if ((await sim.run(here.listTools())).length !== 4) wrong.push('the list at the end is wrong')
  await sim.run(here.close())
  await sim.advance(2_000_000)
  if (sim.system.processCount !== before) wrong.push(`${sim.system.processCount - before} processes were left`)
  await sim.run(app.stop())
  return wrong
}

describe.each(['legacy', 'modern'] as const)('a client of the %s era in chaos', (era) => {
  it('settles every call once, repeats none that must not be, and hears of changes to the end', async () => {
    const numRuns = Number(process.env['BOUGH_RUNS'] ?? 40)
    const law = fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      expect(await live(seed, era)).toEqual([])
    })
    await fc.assert(law, { seed: SEED, numRuns, endOnFailure: true })
  }, 120_000)
})

it('was chaos', () => {
  const expected = [
    'a link broke',
    'a message was lost',
    'client-connection crashed',
    'client-subscriptions crashed',
    'a result',
    'lost, may have run',
    'timeout, may have run',
    'a catch-up',
  ]
  expect(
    expected.filter((one) => !seen.has(one)),
    [...seen].join('; '),
  ).toEqual([])
})
