import { describe, expect, it } from 'vitest'
import { spawnChild } from './child.ts'
import { HttpClient } from './http-client.ts'

const ABANDONED = 1_000
/** Long enough to open them all before the first is gone, on a busy machine too. */
const IDLE_MS = 6_000
const IDLE = 5_000
/** Bytes that may be left after all abandoned sessions have gone: pools of buffers, compiled code. */
const LEFT_MAX_BYTES = 1024 * 1024
/** Bytes of heap that one idle session may hold. */
const SESSION_MAX_BYTES = 8 * 1024

async function stats(client: HttpClient) {
  return JSON.parse((await client.call('stats')).result.content[0].text) as Record<string, number> & {
    heapUsed: number
  }
}

async function abandon(url: string, count: number): Promise<void> {
  const clientInfo = { name: 'test', version: '1' }
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo },
  })
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  let left = count
  const lane = async () => {
    while (left-- > 0) {
      const answer = await fetch(url, { method: 'POST', headers, body })
      expect(answer.status).toBe(200)
      await answer.text()
    }
  }
  await Promise.all(Array.from({ length: 16 }, lane))
}

describe('sessions that nobody ends', () => {
  it('are gone after the idle time, with their processes and their memory', { timeout: 60_000 }, async () => {
    const url = await spawnChild('http', { sessions: { idleMs: IDLE_MS } }).line(0)
    const client = await HttpClient.open(url)
    // A stream keeps the one session that counts.
    await client.listen()
    await abandon(url, 200)
    await expect.poll(async () => (await stats(client))['sessions'], { timeout: IDLE_MS + 10_000 }).toBe(1)
    const before = await stats(client)
    await abandon(url, ABANDONED)
    const open = await stats(client)
    // How many of them are gone already depends on the machine; that they were there is counted below.
    expect(open['sessions']).toBeGreaterThan(1)
    await expect.poll(async () => (await stats(client))['sessions'], { timeout: IDLE_MS + 10_000 }).toBe(1)
    const after = await stats(client)
    console.info(
      `${ABANDONED} sessions: heap ${before.heapUsed} -> ${open.heapUsed} -> ${after.heapUsed} bytes, processes ${before['processes']} -> ${open['processes']} -> ${after['processes']}`,
    )
    expect(after['processes']).toBe(before['processes'])
    expect(after.heapUsed - before.heapUsed).toBeLessThan(LEFT_MAX_BYTES)
    expect(after['sessions_expired']).toBe(200 + ABANDONED)
  })

  it('hold little memory while they wait', { timeout: 60_000 }, async () => {
    const url = await spawnChild('http').line(0)
    const client = await HttpClient.open(url)
    await abandon(url, 100)
    const before = await stats(client)
    await abandon(url, IDLE)
    const after = await stats(client)
    const each = (after.heapUsed - before.heapUsed) / IDLE
    console.info(`${IDLE} idle sessions: ${Math.round(each)} bytes of heap each, rss ${after['rss']}`)
    expect(after['sessions']).toBe(IDLE + 101)
    expect(each).toBeLessThan(SESSION_MAX_BYTES)
  })
})
