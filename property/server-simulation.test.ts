/**
 * How it works: 1. a whole server is started in a simulation, with clients on memory connections whose messages come late;
 * 2. from a seed, clients open, ask, cancel, answer, misbehave and leave, the server's features change, and processes of the
 * tree crash and are killed; 3. every message that a client gets is checked against the laws of the protocol, and in the end
 * every request must be answered and nothing be left over.
 *
 * `BOUGH_SIM_SEEDS=1000 npx vitest run property/server-simulation.test.ts` tries a thousand seeds. A failure says its seed and the
 * shortest schedule that shows it.
 */
import { type Chaos, createSimulation, type Simulation, shrinkSchedule, type TransportFaults } from 'bough/testing'
import { describe, expect, it } from 'vitest'
import { live, liveBesideOneThatDies } from './server-run.ts'
import { World } from './server-world.ts'
import { seed as firstSeed } from './settings.ts'

/** The virtual time at which the deaths end: long after the last step, before all is looked at. */
const CALM_MS = 60_000
/** Seeds over which everything is to come up that the laws are about. */
const LOOKED_AT = 150
const SEEDS = Number(process.env['BOUGH_SIM_SEEDS'] ?? 60)
const definitions = [
  'session',
  'requests',
  'request',
  'session-manager',
  'metrics',
  'subscriptions',
  'catalog-registry',
  'thread-pool',
  'questions',
  'question',
]
const late = { delay: 0.1, delayMs: 60 }

/** Lives through a seed; on a failure, looks for the shortest schedule that shows it. */
async function check(seed: number, ends: Chaos, faults: TransportFaults, isLossy = false): Promise<void> {
  const run = (sim: Simulation): Promise<unknown> => live(sim, seed, faults, isLossy)
  const simulation = { chaos: ends, traceLinesMax: 20_000 }
  const sim = createSimulation({ ...simulation, seed })
  try {
    await run(sim)
  } catch (error) {
    const shrunk = await shrinkSchedule(run, sim.schedule, { runsMax: 200, simulation }).catch(() => undefined)
    const story =
      shrunk === undefined ? [] : [shrunk.schedule, ...shrunk.explanation.slice(0, 30), String(shrunk.error)]
    throw new Error([`seed ${seed}: ${(error as Error).message}`, ...story].join('\n'), { cause: error })
  }
}

const chaos: Chaos = { crash: 0.02, kill: 0.02, targets: definitions, max: 20, from: 1, until: CALM_MS }
const seeds = Array.from({ length: SEEDS }, (_, index) => firstSeed + index)

describe('a whole server in a simulation', () => {
  const ways = { toServer: late, toClient: late }

  it('breaks no law of the protocol, whatever clients do and whoever is killed between their messages', async () => {
    for (const seed of seeds) await check(seed, {}, ways)
  }, 900_000)

  it('breaks no law of the protocol while its processes crash and are killed at any message', async () => {
    for (const seed of seeds) await check(seed, chaos, ways)
  }, 900_000)

  it('answers nothing twice and keeps nothing when messages of its clients are lost or come twice', async () => {
    const lossy = { toServer: { drop: 0.08, duplicate: 0.04, ...late }, toClient: late }
    for (const seed of seeds) await check(seed, chaos, lossy, true)
  }, 900_000)

  it('serves everybody else as ever while the processes of one session die, again and again', async () => {
    for (const seed of seeds) await liveBesideOneThatDies(createSimulation({ seed, traceLinesMax: 0 }), seed)
  }, 900_000)
})

describe('what simulations have found', () => {
  it('a session that is killed before it reads that its client has left does not stay for ever', async () => {
    const sim = createSimulation({ seed: firstSeed, faults: ['kill session@3'] })
    const world = await World.start(sim, firstSeed, {}, false)
    const peer = world.connect()
    peer?.initialize('2025-11-25', {})
    peer?.initialized()
    await sim.advance(100)
    peer?.leave()
    await sim.advance(100)
    expect(sim.trace.some((line) => line.endsWith('fault kill session@3'))).toBe(true)
    expect(world.app.metrics()['sessions']).toBe(0)
    await sim.run(world.app.stop())
  })
})

describe('the laws', () => {
  it('are broken by a server whose answers come twice, and by one whose answers get lost', async () => {
    const play = (toClient: object): Promise<string> => {
      const run = live(createSimulation({ seed: firstSeed }), firstSeed, { toClient }, false)
      return run.then(
        () => 'no law',
        (error: Error) => error.message,
      )
    }
    expect(await play({ duplicate: 0.3 })).toContain('is answered once')
    expect(await play({ drop: 0.3 })).toContain('is answered, not 0 times')
    expect(await play({})).toBe('no law')
  })

  it('are looked at: over the seeds every kind of message comes, and every kind of process dies', async () => {
    const seen = new Set<string>()
    for (let seed = firstSeed; seed < firstSeed + LOOKED_AT; seed++) {
      const sim = createSimulation({ seed, chaos })
      const world = await live(sim, seed, { toServer: late }, false)
      for (const peer of world.peers) for (const kind of peer.seen) seen.add(kind)
      const definitionOf = new Map(
        sim.trace.flatMap((line) => [/ (\S+) start (\S+)$/.exec(line)?.slice(1) as [string, string]]).filter(Boolean),
      )
      for (const line of sim.trace) {
        const [, pid = '', kind] = / (\S+) fault (crash|kill) /.exec(line) ?? []
        if (kind !== undefined) seen.add(`${kind} ${definitionOf.get(pid)}`)
      }
    }
    const expected = [
      'elicitation/create',
      'sampling/createMessage',
      'notifications/progress',
      'notifications/message',
      'notifications/cancelled',
      'notifications/tools/list_changed',
      'notifications/resources/updated',
      ...['initialize', 'ping', 'tools/call', 'resources/read', 'prompts/get', 'completion/complete'].map(
        (method) => `answer to ${method}`,
      ),
      ...['initialize', 'tools/call', 'resources/read', 'nonsense/method'].map((method) => `error to ${method}`),
      ...['session', 'request', 'requests', 'subscriptions'].flatMap((name) => [`crash ${name}`, `kill ${name}`]),
      'crash question',
    ]
    expect(expected.filter((kind) => !seen.has(kind))).toEqual([])
  })
})
