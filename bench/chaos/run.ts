// One scenario from start to verdict: a server with a store on disk, clients that call it, a ledger of what it promised; then the
// faults, then a look at what is left.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { chaosProxy, createRandom } from 'bough/testing'
import { freePort } from '../child.ts'
import { ServerChild } from './child.ts'
import { ChaosClient } from './client.ts'
import { Ledger } from './ledger.ts'
import type { Scenario } from './scenarios.ts'

/** Milliseconds within which everybody must be served again. */
export const RECOVERY_MS_MAX = 5_000
const WARM_UP_MS = 500
const HURT = 3
const OTHERS = 3
/** Milliseconds that are waited for a recovery before it is given up. */
const GIVE_UP_MS = 20_000
const LOOK_MS = 10

export interface Outcome {
  readonly scenario: string
  readonly injected: string
  readonly ok: number
  readonly failedHurt: number
  readonly failedOthers: number
  readonly promises: number
  readonly lost: readonly string[]
  readonly crashes: number
  readonly recoveryMs: number
  /** What broke a law; empty when none did. */
  readonly broken: readonly string[]
  /** Some of the failures in words. */
  readonly notes: readonly string[]
}

export async function runScenario(scenario: Scenario, seconds: number, seed: number): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'bough-chaos-'))
  const file = join(folder, 'store.db')
  const random = createRandom(seed)
  const server = new ServerChild({ port: await freePort(), store: `sqlite:${file}`, seed })
  const broken: string[] = []
  await server.start()
  const proxy = await chaosProxy({ port: server.settings.port, seed })
  try {
    const { through, tool } = scenario
    const hurtUrl = through === 'proxy' ? `http://127.0.0.1:${proxy.port}/mcp` : server.url
    const isFresh = through === 'fresh connections'
    const hurt = Array.from({ length: HURT }, (_, index) => new ChaosClient(`hurt ${index}`, hurtUrl, isFresh))
    const others = Array.from({ length: OTHERS }, (_, index) => new ChaosClient(`other ${index}`, server.url))
    const all = [...hurt, ...others]
    const ledger = new Ledger(server.url)
    await Promise.all([ledger.open(), ...all.map((client) => client.open())])
    const loops = [...hurt.map((client) => client.loop(tool)), ...others.map((client) => client.loop())]
    await sleep(WARM_UP_MS)
    const world = { server, proxy, hurt, seconds, random: () => random.next(), file }
    const injected = await scenario.run(world).catch((error: unknown) => {
      broken.push(error instanceof Error ? error.message : String(error))
      return 'not all of it'
    })
    const overAt = performance.now()
    for (const client of all) client.mark()
    while (all.some((one) => one.okSinceMark === undefined) && performance.now() - overAt < GIVE_UP_MS)
      await sleep(LOOK_MS)
    const recoveryMs = Math.max(...all.map(({ okSinceMark }) => (okSinceMark ?? Number.POSITIVE_INFINITY) - overAt))
    const { promises } = ledger
    const lost = await ledger.lost()
    for (const client of all) client.stop()
    await Promise.all(loops)
    const sum = (some: readonly ChaosClient[], key: 'ok' | 'failed'): number => some.reduce((n, one) => n + one[key], 0)
    // Where all are hurt nobody is another; where nobody is, all are.
    const [struck, spared] = { some: [hurt, others], all: [all, []], nobody: [[], all] }[scenario.hurts]
    const failedOthers = sum(spared ?? [], 'failed')
    if (server.crashes > 0) broken.push(`the server crashed ${server.crashes} times (${server.lastEnd})`)
    if (failedOthers > 0) broken.push(`${failedOthers} calls of others failed`)
    if (lost.length > 0) broken.push(`${lost.length} promises were lost`)
    if (promises === 0) broken.push('nothing was promised, so nothing could be lost')
    if (recoveryMs > RECOVERY_MS_MAX) broken.push(`recovery took ${Math.round(recoveryMs)} ms`)
    return {
      scenario: scenario.name,
      injected,
      ok: sum(all, 'ok'),
      failedHurt: sum(struck ?? [], 'failed'),
      failedOthers,
      promises,
      lost,
      crashes: server.crashes,
      recoveryMs,
      broken,
      notes: [...new Set(all.flatMap(({ name, reasons }) => reasons.map((reason) => `${name}: ${reason}`)))],
    }
  } finally {
    await proxy.close()
    await server.end('SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
}
