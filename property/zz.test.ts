import { createSimulation } from 'bough/testing'
import { it } from 'vitest'
import { writeFileSync } from 'node:fs'
import { live } from './server-run.ts'
it('x', async () => {
  const late = { delay: 0.1, delayMs: 60 }
  const definitions = ['session', 'requests', 'request', 'session-manager', 'metrics', 'subscriptions', 'catalog-registry', 'thread-pool']
  const given = process.env['R'] ? { replay: process.env['R'] } : { seed: Number(process.env['S']) }
  const sim = createSimulation({ ...given, chaos: process.env['C'] === '0' ? {} : { crash: 0.01, kill: 0.01, targets: definitions, max: 12 } })
  try { await live(sim, Number(process.env['S']), { toServer: late, toClient: late }, false); console.log('passed') } catch (e) { console.log((e as Error).message) }
  writeFileSync('/tmp/trace.txt', sim.trace.join('\n'))
}, 60000)
