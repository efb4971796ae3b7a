import { describe, expect, it } from 'vitest'
import { spawnChild } from './child.ts'
import { HttpClient } from './http-client.ts'

/** Bytes that the heap may have grown after as many faults as in the warm-up round and four times as many. */
const GROWTH_MAX_BYTES = 2 * 1024 * 1024

async function stats(client: HttpClient) {
  return JSON.parse((await client.call('stats')).result.content[0].text) as Record<string, number> & {
    heapUsed: number
  }
}

async function inParallel(count: number, width: number, one: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < count) await one(next++)
  }
  await Promise.all(Array.from({ length: width }, lane))
}

describe('a session whose tools throw, hang and leak', () => {
  it('disturbs no other session, and leaves no memory behind', { timeout: 60_000 }, async () => {
    const child = spawnChild('http')
    const url = await child.line(0)
    const [bad, good] = [await HttpClient.open(url), await HttpClient.open(url)]
    let answered = 0
    const round = (count: number) =>
      Promise.all([
        inParallel(count, 8, async (n) => {
          const { result } = await bad.call(['throws', 'hangs', 'leaks'][n % 3] ?? '')
          expect(result.isError ?? false).toBe(n % 3 !== 2)
        }),
        inParallel(count, 8, async (n) => {
          expect((await good.call('echo', { n })).result.content[0].text).toBe(`${n}`)
          answered++
        }),
      ])
    await round(1_000)
    const before = await stats(good)
    await round(1_000)
    const after = await stats(good)
    expect(answered).toBe(2_000)
    const grown = after.heapUsed - before.heapUsed
    console.info(`heap ${before.heapUsed} -> ${after.heapUsed} bytes (${grown})`)
    expect(grown).toBeLessThan(GROWTH_MAX_BYTES)
    // The two sessions, and the request that counts.
    expect([after['sessions'], after['processes']]).toEqual([2, before['processes']])
    expect(child.program.exitCode).toBeNull()
  })
})
