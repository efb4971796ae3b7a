/** The proxy and the pool before real programs: one that crashes in the middle of calls, again and again, one that never answers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from 'bough'
import { connect, pool } from 'bough/client'
import { proxy } from 'bough/proxy'
import { memoryTransport } from 'bough/transports/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryClientTransport } from '#transports/client-memory'

/** A server of the legacy era: `crash` ends it, `hang` is never answered, `echo` is. */
const program = `
import { createInterface } from 'node:readline'
const tools = ['echo', 'crash', 'hang'].map((name) => ({ name, inputSchema: { type: 'object' } }))
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n')
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  if (method === 'initialize') {
    const serverInfo = { name: 'frail', version: '1' }
    say({ id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } })
  } else if (method === 'tools/list') say({ id, result: { tools } })
  else if (method === 'ping') say({ id, result: {} })
  else if (params?.name === 'crash') process.exit(1)
  else if (params?.name === 'echo') say({ id, result: { content: [{ type: 'text', text: String(process.pid) }] } })
  else if (method !== 'tools/call') say({ id, error: { code: -32601, message: 'no' } })
})
`

let folder = ''
let target = { command: '', args: [''] }

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bough-'))
  writeFileSync(join(folder, 'frail.mjs'), program)
  target = { command: process.execPath, args: [join(folder, 'frail.mjs')] }
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a program that crashes', () => {
  it('is started again by its pool, and gone when that is closed', async () => {
    const options = { reconnect: { minMs: 1, maxMs: 5 } }
    const frail = await pool({ target, size: 2, options })
    const pids = new Set<number>()
    const echo = async (): Promise<void> => {
      const { content } = await frail.callTool('echo')
      pids.add(Number((content[0] as { text: string }).text))
    }
    // It resolves with the first connection; the other one is on its way.
    await expect.poll(() => frail.stats().connections).toBe(2)
    await Promise.all([echo(), echo()])
    expect(pids.size).toBe(2)
    for (let count = 0; count < 3; count++) {
      await expect(frail.callTool('crash')).rejects.toMatchObject({ code: 'lost', mayHaveRun: true })
      await Promise.all([echo(), echo()])
    }
    expect(pids.size).toBeGreaterThan(2)
    await frail.close()
    expect([...pids].filter(isAlive)).toEqual([])
  }, 30_000)

  it('behind a proxy takes only its own calls with it, and so does one that hangs', async () => {
    const all = await proxy(
      {
        frail: { target, options: { reconnect: { minMs: 1, maxMs: 5 } } },
        stuck: { target, breaker: { failures: 1, resetMs: 60_000 }, health: false },
      },
      { timeout: 300, startTimeout: 20_000 },
    )
    const memory = memoryTransport()
    const app = await serve(all, { transports: [memory.transport], logger: false, signals: false, guard: false })
    const client = await connect({ transport: memoryClientTransport(memory) })
    try {
      expect((await client.listTools()).length).toBe(6)
      const hanging = client.callTool('stuck__hang')
      const crashed = await client.callTool('frail__crash')
      expect(crashed).toMatchObject({
        isError: true,
        _meta: { 'bough/upstream': { name: 'frail', code: 'lost', mayHaveRun: true } },
      })
      expect(await client.callTool('frail__echo')).not.toHaveProperty('isError')
      expect(await hanging).toMatchObject({ isError: true, _meta: { 'bough/upstream': { code: 'timeout' } } })
      expect(await client.callTool('stuck__echo')).toMatchObject({
        _meta: { 'bough/upstream': { code: 'circuit_open' } },
      })
      expect(await client.callTool('frail__echo')).not.toHaveProperty('isError')
    } finally {
      await client.close()
      await app.stop()
      await all.close()
    }
  }, 30_000)
})
