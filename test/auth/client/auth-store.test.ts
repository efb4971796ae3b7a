/** Stores: what they keep, for how long, and who can read it. */
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { STORE_ENTRIES_MAX } from '#auth/client/auth-store'
import { STORE_BYTES_MAX } from '#auth/client/file-auth-store'
import { type AuthStore, fileAuthStore, memoryAuthStore } from '#auth/index'

const seed = Number(process.env['BOUGH_SEED'] ?? 20_261_121)
let folder: string
let count = 0
const fresh = (): string => join(folder, `store-${++count}.json`)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bough-store-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe.each([
  ['in memory', () => memoryAuthStore()],
  ['in a file', () => fileAuthStore(fresh())],
])('a store %s', (_, make: () => AuthStore) => {
  it('is a map, whatever is done to it at once', async () => {
    const key = fc.constantFrom('a', 'b', 'client https://x', '__proto__', 'constructor')
    const step = fc.oneof(
      fc.record({ key, value: fc.dictionary(fc.constantFrom('x', 'y'), fc.string()) }),
      fc.record({ key, value: fc.constant(undefined) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const [store, model] = [make(), new Map<string, unknown>()]
        const done = steps.map(({ key, value }) => {
          if (value === undefined) model.delete(key)
          else model.set(key, value)
          return value === undefined ? store.delete(key) : store.set(key, value)
        })
        await Promise.all(done)
        for (const { key } of steps) expect(await store.get(key)).toEqual(model.get(key))
        expect(await store.get('never')).toBeUndefined()
      }),
      { seed, numRuns: 25 },
    )
  })
})

describe('a store in memory', () => {
  it(`keeps ${STORE_ENTRIES_MAX} entries, the last ones`, async () => {
    const store = memoryAuthStore()
    for (let key = 0; key <= STORE_ENTRIES_MAX; key++) await store.set(String(key), {})
    expect(await store.get('0')).toBeUndefined()
    expect(await store.get(String(STORE_ENTRIES_MAX))).toEqual({})
  })
})

describe('a store in a file', () => {
  it('is for its owner only, even where the file was open to all before', async () => {
    const path = join(folder, 'new', 'folder', 'store.json')
    await fileAuthStore(path).set('a', { b: 1 })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, 'new', 'folder'))).mode & 0o777).toBe(0o700)
    await chmod(path, 0o666)
    await fileAuthStore(path).set('c', { d: 2 })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ a: { b: 1 }, c: { d: 2 } })
    expect(await readdir(join(folder, 'new', 'folder'))).toEqual(['store.json'])
  })

  it('keeps what another store with the same file wrote meanwhile', async () => {
    const path = fresh()
    const [one, two] = [fileAuthStore(path), fileAuthStore(path)]
    await one.set('a', { by: 'one' })
    await two.set('b', { by: 'two' })
    await one.set('c', { by: 'one' })
    expect(await two.get('a')).toEqual({ by: 'one' })
    expect(await one.get('b')).toEqual({ by: 'two' })
  })

  it.each(['{"a":', '[]', '"text"', ''])('that holds %j says so, and not what it holds', async (text) => {
    const path = fresh()
    await writeFile(path, text)
    await expect(fileAuthStore(path).get('a')).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringMatching(/it is no JSON object\. Mend it, or remove it and sign in again\.$/),
    })
    expect(await readFile(path, 'utf8')).toBe(text)
  })

  it('that is too large, or a folder, is not read', async () => {
    const path = fresh()
    await writeFile(path, 'x'.repeat(STORE_BYTES_MAX + 1))
    await expect(fileAuthStore(path).get('a')).rejects.toThrow(/at most 8388608 are read/)
    await expect(fileAuthStore(folder).get('a')).rejects.toMatchObject({ code: 'store_failed' })
    await expect(fileAuthStore(folder).set('a', {})).rejects.toMatchObject({ code: 'store_failed' })
  })
})
