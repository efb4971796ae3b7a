/**
 * The two shared caches behind their port: one matrix for what both promise, then what is each one's own. Time is a clock that
 * the test moves; the folder of LMDB is made for the file and removed after it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { VirtualClock } from 'bough/testing'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { type CachedText, type CacheReader, openCache, type SharedCache, sharedCache } from '#cache'

const folder = mkdtempSync(join(tmpdir(), 'bough-cache-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0

const made = {
  memory: (clock: VirtualClock, bounds: object) => sharedCache('memory', { clock, ...bounds }),
  lmdb: (clock: VirtualClock, bounds: object) =>
    sharedCache(`lmdb:${join(folder, String(folders++))}`, { clock, ...bounds }),
}

async function start(
  kind: keyof typeof made,
  bounds: object = {},
): Promise<{ cache: SharedCache; clock: VirtualClock }> {
  const clock = new VirtualClock()
  const cache = made[kind](clock, bounds)
  await cache.open()
  onTestFinished(async () => cache.close())
  return { cache, clock }
}

const textIn = (found: ReturnType<CacheReader['get']>): string => (typeof found === 'string' ? found : found.text)

describe.each(['memory', 'lmdb'] as const)('a shared cache, %s', (kind) => {
  it('gives back what was put: any text under any key, with its time and stamps', async () => {
    const { cache, clock } = await start(kind)
    const stamps = cache.stamps(['a', 'b'])
    for (const text of ['', '{}', 'é', '漢字 🙂', '\u0000', 'x'.repeat(70_000), '漢'.repeat(30_000)]) {
      for (const key of ['k', 'ключ', 'a'.repeat(2_000), `${'a'.repeat(2_000)}b`]) {
        expect(cache.set(key, `${text} ${key}`, { ttlMs: 10, stamps })).toBe(true)
        expect(cache.get(key)).toEqual({ text: `${text} ${key}`, ttlMs: 10, storedAt: clock.wallNow(), stamps })
      }
    }
    expect(cache.stats().entries).toBe(4)
  })

  it('has no text that is absent, removed, too old, or older than a change of one of its tags', async () => {
    const { cache, clock } = await start(kind)
    expect(cache.get('a')).toBe('absent')
    cache.set('a', '1', { ttlMs: 10, stamps: cache.stamps(['x', 'y']) })
    clock.goTo(9.5)
    expect(textIn(cache.get('a'))).toBe('1')
    clock.goTo(10)
    expect(cache.get('a')).toBe('expired')
    cache.set('a', '2', { ttlMs: 10, stamps: cache.stamps(['x', 'y']) })
    cache.invalidate('z')
    expect(textIn(cache.get('a'))).toBe('2')
    cache.invalidate('y')
    expect(cache.get('a')).toBe('invalidated')
    cache.set('a', '3', { ttlMs: 10, stamps: [] })
    cache.delete('a')
    expect(cache.get('a')).toBe('absent')
  })

  it('never serves what was being made while a tag of it changed', async () => {
    const { cache } = await start(kind)
    const stamps = cache.stamps(['orders'])
    cache.invalidate('orders')
    cache.set('report', 'old', { ttlMs: 1_000, stamps })
    expect(cache.get('report')).toBe('invalidated')
    expect(cache.isCurrent(stamps)).toBe(false)
  })

  it('takes a text for too old when the clock went back', async () => {
    const { cache, clock } = await start(kind)
    cache.set('a', '1', { ttlMs: 1_000, stamps: [], storedAt: clock.wallNow() + 1 })
    expect(cache.get('a')).toBe('expired')
  })

  it('refuses one text that is too large, and then has none under its key', async () => {
    const { cache } = await start(kind, { bytes: 65_536, entries: 64 })
    cache.set('a', 'small', { ttlMs: 1_000, stamps: [] })
    expect(cache.set('a', 'x'.repeat(40_000), { ttlMs: 1_000, stamps: [] })).toBe(false)
    expect(cache.get('a')).toBe('absent')
  })

  it('keeps its bounds, and forgets what is too old', async () => {
    const { cache, clock } = await start(kind, { entries: 256, bytes: 1_048_576 })
    for (let index = 0; index < 2_000; index++) cache.set(`k${index}`, 'x'.repeat(index), { ttlMs: 100, stamps: [] })
    const { entries, bytes, entriesMax, bytesMax } = cache.stats()
    expect(entries).toBeLessThanOrEqual(entriesMax)
    expect(bytes).toBeLessThanOrEqual(bytesMax)
    expect(entries).toBeGreaterThan(64)
    clock.goTo(1_000)
    let swept = 0
    for (let round = 0; round < 4; round++) swept += cache.sweep()
    expect(swept).toBe(entries)
    expect(cache.stats().entries).toBe(0)
  })

  it('is read and invalidated from another thread while its owner writes, without a message', async () => {
    const cache = made[kind](new VirtualClock(), { bytes: 262_144, entries: 256 })
    await cache.open()
    onTestFinished(async () => cache.close())
    const filled = new SharedArrayBuffer(8)
    // Every text says which key it belongs to, from its first character to its last.
    const put = (index: number): void => {
      const key = `key ${index % 50}`
      cache.set(key, `${key}|`.repeat(100 + (index % 400)), { ttlMs: 1e12, stamps: cache.stamps(['t']) })
    }
    for (let index = 0; index < 50; index++) put(index)
    const reader = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads')
       import(workerData.module).then(async ({ openCache }) => {
         const cache = await openCache(workerData.handle, { clock: { wallNow: () => workerData.now } })
         const state = new Int32Array(workerData.filled)
         let found = 0, torn = 0
         while (Atomics.load(state, 0) === 0 || found === 0) {
           for (let index = 0; index < 50; index++) {
             const key = 'key ' + index
             const entry = cache.get(key)
             if (typeof entry === 'string') continue
             found++
             if (entry.text.replaceAll(key + '|', '') !== '') torn++
           }
           // LMDB shows what others wrote from the next turn on.
           await new Promise((resolve) => setImmediate(resolve))
         }
         cache.invalidate('t')
         parentPort.postMessage({ found, torn })
       })`,
      {
        eval: true,
        execArgv: [],
        workerData: {
          module: new URL('../../dist/src/cache/index.js', import.meta.url).href,
          handle: cache.handle,
          now: new VirtualClock().wallNow(),
          filled,
        },
      },
    )
    onTestFinished(async () => void (await reader.terminate()))
    const told = once(reader, 'message')
    await once(reader, 'online')
    for (let index = 0; index < 3_000; index++) {
      put(index)
      if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    Atomics.store(new Int32Array(filled), 0, 1)
    const [{ found, torn }] = (await told) as [{ found: number; torn: number }]
    expect(found).toBeGreaterThan(0)
    expect(torn).toBe(0)
    expect(cache.get('key 49')).toBe('invalidated')
  }, 30_000)
})

describe('a cache in memory', () => {
  it('gives nothing that its owner has begun to overwrite, whatever is still there', () => {
    const cache = sharedCache('memory', { bytes: 65_536, entries: 64, clock: new VirtualClock() })
    cache.set('a', 'whole', { ttlMs: 1_000, stamps: [] })
    expect(textIn(cache.get('a'))).toBe('whole')
    const { buffer } = cache.handle as { readonly buffer: SharedArrayBuffer }
    // The owner, in the middle of a write: the place is taken, nothing stands there yet. The third number is how far it got.
    Atomics.add(new Int32Array(buffer), 3, 65_536 / 16)
    expect(cache.get('a')).toBe('absent')
  })

  it('is not opened from memory that holds none', async () => {
    await expect(openCache({ kind: 'memory', buffer: new SharedArrayBuffer(1_024) })).rejects.toThrow(/holds no cache/)
  })
})

describe('a cache in a folder', () => {
  it('is shared by processes: each reads what the other keeps, and heeds what it invalidates', async () => {
    const path = join(folder, 'shared')
    const cache = sharedCache(`lmdb:${path}`)
    await cache.open()
    onTestFinished(async () => cache.close())
    cache.set('mine', 'from here', { ttlMs: 60_000, stamps: cache.stamps(['t']) })
    const program = `
      const { sharedCache } = await import(${JSON.stringify(new URL('../../dist/src/cache/index.js', import.meta.url).href)})
      const cache = sharedCache(${JSON.stringify(`lmdb:${path}`)})
      await cache.open()
      console.log(cache.get('mine').text)
      cache.set('theirs', 'from there', { ttlMs: 60_000, stamps: cache.stamps(['u']) })
      cache.invalidate('t')
      await cache.close()`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    expect(await once(child, 'close')).toEqual([0, null])
    expect(printed.trim()).toBe('from here')
    expect((cache.get('theirs') as CachedText).text).toBe('from there')
    expect(cache.get('mine')).toBe('invalidated')
  }, 30_000)

  it('is found again by the next program, and finds nothing while it is closed', async () => {
    const path = join(folder, 'again')
    const first = sharedCache(`lmdb:${path}`)
    await first.open()
    first.set('a', '1', { ttlMs: 60_000, stamps: first.stamps(['t']) })
    await first.close()
    expect(first.get('a')).toBe('absent')
    expect(first.set('a', '2', { ttlMs: 60_000, stamps: [] })).toBe(false)
    expect(() => first.invalidate('t')).toThrow(/is not open/)
    const second = sharedCache(`lmdb:${path}`)
    await second.open()
    expect(textIn(second.get('a'))).toBe('1')
    await second.close()
  })

  it('says what to do when it cannot be opened', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    const cache = sharedCache(`lmdb:${file}/cache`)
    await expect(cache.open()).rejects.toThrow(/The cache in .+ cannot be opened: .+ Look at the folder/)
  })

  it.each(['redis', 'lmdb:', 7])('is named by a folder, not by %j', (where) => {
    expect(() => sharedCache(where as 'memory')).toThrow(/must be 'memory', 'lmdb:<folder>' or a SharedCache/)
  })
})
