import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '#storage/port'
import { type SqliteStoreOptions, sqliteStore } from '#storage/sqlite'
import { hasSqlite, openDatabase } from '../sqlite.ts'
import { closing, durable, rejection, tempFolder } from './support.ts'

interface Note {
  readonly id: string
  readonly text: string
}

const note = (id: string, text = ''): Note => ({ id, text })
const notesOf = (store: Store) => store.records<Note>('note', 100_000)
const hashOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')
const child = fileURLToPath(new URL('./fixtures/opener.mjs', import.meta.url))

async function opened(options: SqliteStoreOptions): Promise<Store> {
  const store = closing(sqliteStore(options))
  await store.open()
  return store
}

/** A file of ours with some notes and events in it, closed. */
async function filled(count = 500): Promise<string> {
  const file = join(tempFolder(), 'store.db')
  const store = await opened({ file })
  for (let n = 0; n < count; n += 1) {
    notesOf(store).put(note(`n${n}`, 'x'.repeat(200)))
    store.events.open(`s${n % 10}`).append('g', `message ${n}`)
  }
  await store.close()
  return file
}

/** Threads that run in this program. */
const threads = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length
const descriptors = (file: string) =>
  process.platform === 'linux'
    ? spawnSync('ls', ['-l', `/proc/${process.pid}/fd`], { encoding: 'utf8' })
        .stdout.split('\n')
        .filter((line) => line.includes(file))
    : []

describe.skipIf(!hasSqlite)('the file of a sqlite store', () => {
  it('is one, once the store is closed', async () => {
    const file = await filled()
    expect(readdirSync(join(file, '..'))).toEqual(['store.db'])
  })

  it('may be named relative to the folder that the program is in', async () => {
    const file = relative(process.cwd(), join(tempFolder(), 'store.db'))
    const store = await opened({ file })
    expect([store.name, existsSync(file)]).toEqual([`sqlite:${file}`, true])
  })

  it('is refused to a second store, in this program or another, and free after it was closed', async () => {
    const file = join(tempFolder(), 'store.db')
    const store = await opened({ file })
    const second = sqliteStore({ file })
    const error = await rejection(second.open())
    expect(error.code).toBe('locked')
    expect(error.message).toContain(`The store ${file} cannot be used: another server has it open.`)
    const other = spawnSync(process.execPath, [child, file], { encoding: 'utf8' })
    expect(other.stdout).toBe('locked\n')
    // The refusals have not loosened the lock.
    expect(spawnSync(process.execPath, [child, file], { encoding: 'utf8' }).stdout).toBe('locked\n')
    notesOf(store).put(note('a'))
    await store.close()
    await second.open()
    expect(notesOf(second).size).toBe(1)
    await second.close()
  })

  it('is free the moment a program that had it is killed', async () => {
    const file = join(tempFolder(), 'store.db')
    const holder = spawn(process.execPath, [child, file, 'hold'], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    expect((await rejection(sqliteStore({ file }).open())).code).toBe('locked')
    holder.kill('SIGKILL')
    await new Promise((resolve) => holder.once('exit', resolve))
    const store = await opened({ file })
    expect(notesOf(store).get('held')).toEqual(note('held', 'by the child'))
  })

  it.each(['text', 'a database of another program', 'a database of another program in WAL mode', 'a picture'])(
    'is left as it is when it is %s',
    async (what) => {
      const file = join(tempFolder(), 'other')
      if (what === 'text') writeFileSync(file, 'These are the notes of a person.\n'.repeat(100))
      else if (what === 'a picture') writeFileSync(file, Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a]))
      else {
        const database = openDatabase(file)
        if (what.includes('WAL')) database.pragma('journal_mode = WAL')
        database.exec('CREATE TABLE people (name TEXT); INSERT INTO people VALUES (1)')
        database.close()
      }
      const before = hashOf(file)
      const error = await rejection(sqliteStore({ file }).open())
      expect([error.code, hashOf(file)]).toEqual(['foreign', before])
      expect(error.message).toContain(file)
      expect(error.message).toContain('Nothing was changed')
    },
  )

  it('may be there and empty', async () => {
    const file = join(tempFolder(), 'empty.db')
    writeFileSync(file, '')
    const store = await opened({ file })
    expect(notesOf(store).put(note('a'))).toBe(true)
  })

  it('is left as it is when a later version wrote it', async () => {
    const file = await filled(1)
    const database = openDatabase(file)
    database.pragma('user_version = 99')
    database.close()
    const before = hashOf(file)
    const error = await rejection(sqliteStore({ file }).open())
    expect([error.code, hashOf(file)]).toEqual(['newer', before])
    expect(error.message).toContain('has format 99; this version knows formats up to 1')
  })

  it.each([
    ['at its end', (bytes: Buffer) => bytes.subarray(0, bytes.length - 20_000)],
    ['in its pages', (bytes: Buffer) => bytes.fill(0xa5, 3 * 4_096, bytes.length - 4_096)],
    ['in one page', (bytes: Buffer) => bytes.fill(0, 5 * 4_096, 6 * 4_096)],
    ['in its first page', (bytes: Buffer) => bytes.fill(0xff, 100, 4_096)],
  ])('is left as it is when it is damaged %s', async (_where, damage) => {
    const file = await filled()
    writeFileSync(file, damage(readFileSync(file)))
    const before = hashOf(file)
    const error = await rejection(sqliteStore({ file }).open())
    expect([error.code, hashOf(file)]).toEqual(['corrupt', before])
    expect(error.message).toContain(file)
  })

  it('is refused when it holds a record that is none', async () => {
    const file = await filled(1)
    const database = openDatabase(file)
    expect(database.prepare("UPDATE records SET json = '{'").run().changes).toBe(1)
    database.close()
    const error = await rejection(sqliteStore({ file }).open())
    expect(error.code).toBe('corrupt')
    expect(error.message).toContain('holds something that is no record')
    expect(descriptors(file)).toEqual([])
  })

  it('must lie in a folder that is there, and be no folder itself', async () => {
    const folder = tempFolder()
    const missing = await rejection(sqliteStore({ file: join(folder, 'no', 'store.db') }).open())
    expect(missing.code).toBe('unusable')
    expect(missing.message).toContain(`there is no folder ${join(folder, 'no')}. Create it first.`)
    mkdirSync(join(folder, 'dir'))
    expect((await rejection(sqliteStore({ file: join(folder, 'dir') }).open())).code).toBe('unusable')
  })

  it.each(['no file', 'a file', 'a read-only file'])('must be writable: a read-only folder with %s', async (what) => {
    const folder = tempFolder()
    const file = join(folder, 'store.db')
    if (what !== 'no file') copyFileSync(await filled(1), file)
    if (what !== 'no file') chmodSync(file, what === 'a file' ? 0o666 : 0o444)
    chmodSync(folder, 0o555)
    onTestFinished(() => chmodSync(folder, 0o755))
    // Permissions do not bind the superuser: as such, the program runs as nobody.
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const { stdout } = spawnSync(process.execPath, [child, file], { encoding: 'utf8', ...nobody })
    expect(stdout).toBe('unusable\n')
  })

  it('takes up 6 000 sessions, 10 000 events and 1 000 tasks, and says how long that took', async () => {
    const file = join(tempFolder(), 'store.db')
    const writer = await opened({ file })
    const pad = 'x'.repeat(400)
    for (let n = 0; n < 6_000; n += 1) writer.records<Note>('session', 10_000).put(note(`s${n}`, pad))
    for (let n = 0; n < 10_000; n += 1) writer.events.open(`s${n % 6_000}`).append('g', pad)
    for (let n = 0; n < 1_000; n += 1) writer.records<Note>('task', 10_000).put(note(`t${n}`, pad))
    await writer.close()
    const store = closing(sqliteStore({ file }))
    const startedAt = performance.now()
    await store.open()
    const tookMs = performance.now() - startedAt
    expect([store.records('session', 1).size, store.records('task', 1).size]).toEqual([6_000, 1_000])
    expect(store.events.open('s3').replay('g_1')?.events).toHaveLength(1)
    console.info(`took them up in ${Math.round(tookMs)} ms`)
  })
})

describe.skipIf(!hasSqlite)('a sqlite store that breaks', () => {
  it('is full: says so, keeps what it has in memory, and goes on once there is room', async () => {
    const file = join(tempFolder(), 'store.db')
    const store = await opened({ file, fileBytesMax: 300_000 })
    const notes = notesOf(store)
    notes.put(note('first'))
    await durable(store)
    const told: string[] = []
    for (let n = 0; n < 100; n += 1) notes.put(note(`big${n}`, 'x'.repeat(5_000)))
    store.whenDurable?.(() => told.push('big'))
    const reason = await store.broken
    expect(reason).toMatchObject({ code: 'full', message: expect.stringContaining('there is no room left') })
    expect([told, notes.size, notes.put(note('new'))]).toEqual([[], 101, false])
    // Still no room: it breaks again.
    await store.open()
    await store.broken
    for (let n = 0; n < 90; n += 1) notes.delete(`big${n}`)
    store.events.open('s').append('g', 'meanwhile')
    await store.open()
    await durable(store)
    expect(told).toEqual(['big'])
    await store.close()
    await store.open()
    expect([notes.size, notes.get('big95')?.text.length]).toEqual([11, 5_000])
    expect(store.events.open('s').replay('g_1')).toMatchObject({ gap: false })
  })

  it('refuses to go on with a file that was taken away, or that somebody else has opened meanwhile', async () => {
    const file = join(tempFolder(), 'store.db')
    const store = await opened({ file, fileBytesMax: 100_000 })
    notesOf(store).put(note('big', 'x'.repeat(200_000)))
    await store.broken
    const other = await opened({ file })
    expect((await rejection(store.open())).code).toBe('locked')
    await other.close()
    expect((await rejection(store.open())).code).toBe('replaced')
    expect((await rejection(store.close())).code).toBe('failed')
    await store.open()
    expect(notesOf(store).size).toBe(0)
  })
})

describe.skipIf(!hasSqlite)('a closed sqlite store', () => {
  it('leaves no thread and no open file behind, whether it was closed, refused or broken', async () => {
    const before = threads()
    const file = await filled(10)
    const store = sqliteStore({ file })
    for (let n = 0; n < 5; n += 1) {
      await store.open()
      const second = sqliteStore({ file })
      await rejection(second.open())
      notesOf(store).put(note('a', `${n}`))
      await store.close()
    }
    const full = sqliteStore({ file, fileBytesMax: 4_096 })
    await full.open()
    for (let n = 0; n < 100; n += 1) notesOf(full).put(note(`b${n}`, 'x'.repeat(5_000)))
    await full.broken
    await full.close().catch(() => undefined)
    expect([threads(), descriptors(file)]).toEqual([before, []])
  })

  it('is not needed for a program to end, and what is under way is finished first', async () => {
    const file = join(tempFolder(), 'store.db')
    const { status, stdout } = spawnSync(process.execPath, [child, file, 'leave'], {
      encoding: 'utf8',
      timeout: 10_000,
    })
    expect([status, stdout]).toEqual([0, 'open\n'])
    const store = await opened({ file })
    expect(notesOf(store).get('held')).toEqual(note('held', 'by the child'))
  })
})

describe('a sqlite store without better-sqlite3', () => {
  it('uses what Node has built in, or says what to install', () => {
    const folder = tempFolder()
    // Beside no node_modules, the package is not found.
    cpSync(fileURLToPath(new URL('../../dist/src/storage', import.meta.url)), folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const program = `
      import { sqliteStore } from './sqlite.js'
      const store = sqliteStore({ file: 'a.db' })
      await store.open().then(() => console.log('open'), (error) => console.log(error.code, error.message))
      await store.close()`
    writeFileSync(join(folder, 'program.js'), program)
    const { stdout } = spawnSync(process.execPath, ['program.js'], { cwd: folder, encoding: 'utf8' })
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    if (major > 22 || (major === 22 && minor >= 13)) expect(stdout).toBe('open\n')
    else {
      expect(stdout).toMatch(/^no_driver SQLite is not available in Node/)
      expect(stdout).toContain('Run "npm install better-sqlite3", or use Node 22.13 or later.')
    }
  })
})

describe('the options of a sqlite store', () => {
  it.each(['', ':memory:', 7])('refuse the file %j', (file) => {
    expect(() => sqliteStore({ file: file as string })).toThrow(
      `The option file must be the path of a file, got ${JSON.stringify(file)}.`,
    )
  })

  it.each(['fileBytesMax', 'pendingBytesMax', 'waitingMax', 'maxEvents'])('refuse %s 0', (name) => {
    expect(() => sqliteStore({ file: 'a.db', [name]: 0 })).toThrow(
      `The option ${name} must be a positive integer, got 0.`,
    )
  })
})
