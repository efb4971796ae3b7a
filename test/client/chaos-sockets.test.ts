/**
 * How it works: 1. a seed decides when the connection between a client and its server is cut or goes dead, over real sockets;
 * 2. calls are made meanwhile, of tools that may be repeated and of one that must not; 3. every call was settled, none ran twice
 * that must not, none ran that was said not to have, and when the cutting is over the client works as before.
 *
 * What chaos.test.ts proves in virtual time is not proved again here; this is about what real sockets do.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { createServer, serve } from 'bough'
import { type ClientError, type ConnectOptions, connect } from 'bough/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRandom } from '#testing'
import { cuttable } from './cuttable.ts'
import { SEED } from './support.ts'

const CALLS = 120
const WORKERS = 4

const options: ConnectOptions = {
  timeout: 20_000,
  reconnect: { attempts: 1_000, minMs: 5, maxMs: 50 },
  ws: { heartbeatMs: 200 },
  handlers: { elicitation: () => ({ action: 'accept', content: {} }) },
}

async function live(transport: 'ws' | 'tcp', era: 'legacy' | 'modern'): Promise<string[]> {
  const random = createRandom(SEED)
  const ran = new Map<number, number>()
  const count = (n: unknown): void => void ran.set(Number(n), (ran.get(Number(n)) ?? 0) + 1)
  const server = createServer({ name: 'test', version: '1' })
  server.tool('writes', {
    run: ({ n }) => {
      count(n)
      return 'done'
    },
  })
  server.tool('reads', { annotations: { readOnlyHint: true }, run: () => 'read' })
  server.tool('asks', {
    run: async ({ n }, ctx) => {
      await ctx.elicit({ message: 'Sure?', requestedSchema: { type: 'object', properties: {} } })
      count(n)
      return 'done'
    },
  })
  const app = await serve(server, { [transport]: { port: 0 }, logger: false, signals: false, guard: false })
  onTestFinished(() => app.stop())
  const { port } = new URL(app.url)
  const way = await cuttable(Number(port))
  const client = await connect(app.url.replace(`:${port}`, `:${way.port}`), { era, ...options })
  onTestFinished(() => client.close())
  await client.listTools()
  const wrong: string[] = []
  const outcomes = new Set<string>()
  const make = async (n: number): Promise<void> => {
    const name = ['writes', 'reads', 'asks'][n % 3] ?? ''
    const isWrite = name !== 'reads'
    const error = await client.callTool(name, { n }).then(
      () => undefined,
      (reason: ClientError) => reason,
    )
    outcomes.add(error === undefined ? 'a result' : error.name)
    const runs = ran.get(n) ?? 0
    if (isWrite && runs > 1) wrong.push(`${name} ${n} ran ${runs} times`)
    if (isWrite && error === undefined && runs !== 1) wrong.push(`${name} ${n} resolved after ${runs} runs`)
    if (error !== undefined && !error.mayHaveRun && runs > 0) wrong.push(`${name} ${n} ran, and was said not to`)
    if (error !== undefined && error.name !== 'CallLost') wrong.push(`${name} ${n}: ${error.stack}`)
  }
  let working = WORKERS
  let next = 0
  const work = async (): Promise<void> => {
    while (next < CALLS) await make(next++)
    working--
  }
  const workers = Array.from({ length: WORKERS }, work)
  while (working > 0) {
    await pause(random.next() * 60)
    // Only WebSocket notices a connection that is dead.
    if (transport === 'ws' && random.next() < 0.2) way.freeze()
    else way.cut()
  }
  await Promise.all(workers)
  // A list is asked for again when its answer is lost: behind it the connection is well.
  await client.listTools({ isFresh: true })
  const last = await client.callTool('asks', { n: CALLS })
  if (last.isError === true) wrong.push('the last call failed')
  if (way.made < 2) wrong.push('nothing was cut')
  if (!outcomes.has('a result')) wrong.push('nothing ever worked')
  return wrong
}

const cases = (['ws', 'tcp'] as const).flatMap((transport) =>
  (['legacy', 'modern'] as const).map((era) => [transport, era] as const),
)

describe.each(cases)('a client over %s in the %s era, whose connection is cut again and again', (transport, era) => {
  it('settles every call once, and repeats none that must not be', async () => {
    expect(await live(transport, era)).toEqual([])
  }, 60_000)
})
