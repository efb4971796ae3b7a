/**
 * A server that is killed and started again and again under a stream of calls: the client comes back by itself each time, and
 * nothing of it grows. BOUGH_RESTARTS says how often (default 5; the acceptance runs 100).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CallLost, ClientError, connect } from 'bough/client'
import { createSystem } from 'bough/runtime'
import { expect, it, onTestFinished } from 'vitest'

const RESTARTS = Number(process.env['BOUGH_RESTARTS'] ?? 5)
const root = fileURLToPath(new URL('../..', import.meta.url))

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  return port
}

async function start(port: number): Promise<ChildProcess> {
  const args = ['dist/examples/everything/main.js', '--http', `127.0.0.1:${port}`]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
  await once(child.stderr as NonNullable<typeof child.stderr>, 'data')
  return child
}

it.each(['modern', 'legacy'] as const)(
  'a client of the %s era is usable again after every restart of its server',
  async (era) => {
    const port = await freePort()
    let server = await start(port)
    const system = createSystem()
    onTestFinished(async () => {
      server.kill('SIGKILL')
      await system.stop()
    })
    const client = await connect(`http://127.0.0.1:${port}/mcp`, {
      name: 'test',
      version: '1',
      era,
      system,
      reconnect: { attempts: 1_000, minMs: 20, maxMs: 200 },
    })
    const counts = { answered: 0, lost: 0, strange: 0 }
    let isOver = false
    const stream = (async () => {
      while (!isOver) {
        try {
          await client.callTool('test_simple_text', {}, { timeout: 5_000 })
          counts.answered++
        } catch (error) {
          if (error instanceof CallLost || error instanceof ClientError) counts.lost++
          else counts.strange++
        }
        await sleep(2)
      }
    })()
    await client.ping().catch(() => client.listTools())
    const processes = system.processCount
    const backMs: number[] = []
    for (let round = 0; round < RESTARTS; round++) {
      await sleep(20)
      const gone = once(server, 'exit')
      server.kill('SIGKILL')
      await gone
      server = await start(port)
      const from = performance.now()
      for (;;) {
        try {
          await client.listTools({ isFresh: true, timeout: 2_000 })
          break
        } catch {
          await sleep(5)
        }
      }
      backMs.push(performance.now() - from)
    }
    isOver = true
    await stream
    await sleep(50)
    const sorted = backMs.toSorted((one, other) => one - other)
    console.info(
      `${era}: ${RESTARTS} restarts, calls ${JSON.stringify(counts)}, usable again after ${(sorted[sorted.length >> 1] ?? 0).toFixed(0)} ms in the median, ` +
        `${(sorted.at(-1) ?? 0).toFixed(0)} ms at worst; processes ${processes} -> ${system.processCount}`,
    )
    expect(counts.strange).toBe(0)
    expect(counts.answered).toBeGreaterThan(0)
    expect(system.processCount).toBeLessThanOrEqual(processes + 1)
    await client.close()
    expect(system.processCount).toBe(0)
  },
  60_000 + RESTARTS * 15_000,
)
