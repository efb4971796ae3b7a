import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '#storage/memory'
import { openStore } from '#storage/open-store'
import { hasSqlite } from '../sqlite.ts'
import { tempFolder } from './support.ts'

describe('the option store', () => {
  it('is memory unless it says otherwise', () => {
    expect([openStore(undefined).name, openStore('memory').name]).toEqual(['memory', 'memory'])
  })

  it.skipIf(!hasSqlite)('names a file, which is not touched before the store is opened', async () => {
    const file = join(tempFolder(), 'a:b.db')
    const store = openStore(`sqlite:${file}`)
    expect([store.name, existsSync(file)]).toEqual([`sqlite:${file}`, false])
    await store.open()
    expect(existsSync(file)).toBe(true)
    await store.close()
  })

  it('may be a store', () => {
    const store = memoryStore()
    expect(openStore(store)).toBe(store)
  })

  it.each(['', 'sqlite', 'sqlite:', 'redis:x', 'sqlite::memory:', 7, null, {}])('refuses %j', (option) => {
    expect(() => openStore(option as string)).toThrow(TypeError)
  })

  it('says what it may be', () => {
    expect(() => openStore('redis:x')).toThrow(
      "The option store must be 'memory', 'sqlite:<file>' or a Store, got \"redis:x\".",
    )
  })

  it.skipIf(!hasSqlite)(
    'loads neither threads nor SQLite for memory, and nothing of a package for sqlite in the main thread',
    () => {
      const url = new URL('../../dist/src/storage/open-store.js', import.meta.url).href
      const program = `
      import { openStore } from ${JSON.stringify(url)}
      openStore('memory')
      const before = process.moduleLoadList.filter((name) => /worker_threads|sqlite/.test(name)).length
      const store = openStore(${JSON.stringify(`sqlite:${join(tempFolder(), 'a.db')}`)})
      await store.open()
      const { createRequire } = await import('node:module')
      const packages = Object.keys(createRequire(import.meta.url).cache).length
      await store.close()
      console.log(JSON.stringify([before, packages]))`
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        encoding: 'utf8',
      })
      expect([stdout.trim(), stderr]).toEqual(['[0,0]', ''])
    },
  )
})
