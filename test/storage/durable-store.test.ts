import { describe, expect, it } from 'vitest'
import { type DurableBounds, durableStore } from '#storage/durable-store'
import { StorageError } from '#storage/errors'
import type { Store } from '#storage/port'
import { durable, FakeDisk, rejection, turn } from './support.ts'

interface Note {
  readonly id: string
  readonly text: string
}

const note = (id: string, text = ''): Note => ({ id, text })

async function start(disk: FakeDisk, bounds: DurableBounds = {}) {
  const store = durableStore({ name: 'fake', openDisk: disk.open, ...bounds })
  await store.open()
  return { store, notes: store.records<Note>('note', 1_000), log: store.events.open('s') }
}

/** Notes each name when it is told. */
function told(store: Store): { readonly names: string[]; readonly when: (name: string) => void } {
  const names: string[] = []
  return { names, when: (name) => store.whenDurable?.(() => names.push(name)) }
}

describe('a durable store', () => {
  it('commits what a turn wrote as one transaction', async () => {
    const disk = new FakeDisk()
    const { store, notes, log } = await start(disk)
    notes.put(note('a', '1'))
    notes.put(note('b'))
    notes.put(note('a', '2'))
    log.append('g', 'x')
    await durable(store)
    expect(disk.commits).toHaveLength(1)
    expect(disk.commits[0]).toMatchObject({
      records: ['note', 'a', '{"id":"a","text":"2"}', 'note', 'b', expect.any(String)],
    })
    expect(disk.commits[0]?.events).toEqual(['s', 1, 'g', 0, 'x'])
  })

  it('commits what arrived while a commit ran as one more, and tells in order', async () => {
    const disk = new FakeDisk()
    const { store, notes } = await start(disk)
    const { names, when } = told(store)
    disk.isFast = false
    notes.put(note('a'))
    when('a')
    await turn()
    for (const id of ['b', 'c', 'd']) {
      notes.put(note(id))
      when(id)
      await turn()
    }
    when('nothing new')
    expect(names).toEqual([])
    disk.release()
    await turn()
    expect(names).toEqual(['a'])
    disk.release()
    await turn()
    expect(names).toEqual(['a', 'b', 'c', 'd', 'nothing new'])
    expect(disk.commits).toHaveLength(2)
    expect(disk.isBusy).toBe(false)
  })

  it('calls back at once when nothing is outstanding, but never before those that were asked earlier', async () => {
    const disk = new FakeDisk()
    const { store, notes } = await start(disk)
    const { names, when } = told(store)
    when('at once')
    expect(names).toEqual(['at once'])
    notes.put(note('a'))
    store.whenDurable?.(() => {
      names.push('first')
      when('nested')
      expect(names.at(-1)).toBe('first')
    })
    when('second')
    await durable(store)
    expect(names).toEqual(['at once', 'first', 'second', 'nested'])
  })

  it('calls back also when what was written has gone again before it was committed', async () => {
    const disk = new FakeDisk()
    const { store, notes } = await start(disk)
    const { names, when } = told(store)
    notes.put(note('a'))
    when('a')
    notes.delete('a')
    await turn()
    expect([names, disk.commits.length]).toEqual([['a'], 0])
  })

  it('keeps the order also when what came during a commit has gone again before its end', async () => {
    const disk = new FakeDisk()
    const { store, notes } = await start(disk)
    const { names, when } = told(store)
    disk.isFast = false
    notes.put(note('a'))
    when('first')
    await turn()
    notes.put(note('b'))
    when('second')
    notes.delete('b')
    when('third')
    disk.release()
    await turn()
    expect([names, disk.commits.length]).toEqual([['first', 'second', 'third'], 1])
  })

  it('lets a callback that throws disturb no other', async () => {
    const disk = new FakeDisk()
    const { store, notes } = await start(disk)
    const strays: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (error) => strays.push(error))
    notes.put(note('a'))
    store.whenDurable?.(() => {
      throw new Error('mine')
    })
    await durable(store)
    await turn()
    for (const listener of listeners) process.on('uncaughtException', listener)
    expect(strays).toEqual([expect.objectContaining({ message: 'mine' })])
  })

  it('does not let what is pending outgrow the mirror when the disk stands still', async () => {
    const disk = new FakeDisk()
    const { store, notes, log } = await start(disk, { maxEvents: 10 })
    disk.isFast = false
    notes.put(note('first'))
    await turn()
    for (let n = 0; n < 5_000; n += 1) {
      notes.put(note('same', `${n}`))
      notes.put(note(`n${n}`))
      notes.delete(`n${n}`)
      log.append('g', `${n}`)
      const gone = store.events.open(`t${n}`)
      gone.append('g', 'x')
      store.events.delete(`t${n}`)
    }
    disk.release()
    await turn()
    disk.release()
    await turn()
    const last = disk.commits.at(-1)
    expect(last?.records).toEqual(['note', 'same', '{"id":"same","text":"4999"}'])
    expect([last?.events.length, last?.evicted.length, last?.deleted.length, last?.cleared.length]).toEqual([
      50, 0, 0, 0,
    ])
    expect(last?.marks).toEqual(['s', 5_000, 4_990])
  })

  it('refuses new records while the disk is too far behind, but updates known ones', async () => {
    const disk = new FakeDisk()
    const { notes } = await start(disk, { pendingBytesMax: 100 })
    disk.isFast = false
    expect(notes.put(note('a', 'x'.repeat(200)))).toBe(true)
    expect([notes.put(note('b')), notes.put(note('a', 'y'))]).toEqual([false, true])
    expect(notes.put(note('b'))).toBe(true)
  })

  it('throws when too many wait for the disk', async () => {
    const disk = new FakeDisk()
    const { store, notes } = await start(disk, { waitingMax: 2 })
    disk.isFast = false
    notes.put(note('a'))
    const { when } = told(store)
    when('1')
    when('2')
    expect(() => when('3')).toThrow(StorageError)
    expect(() => when('3')).toThrow('2 callers wait until the store fake has written')
    await turn()
    disk.release()
    await turn()
    expect(() => when('4')).not.toThrow()
  })

  it('changes nothing when a record is no JSON', async () => {
    const { notes } = await start(new FakeDisk())
    const circular: Record<string, unknown> = { id: 'a' }
    circular['self'] = circular
    expect(() => notes.put(circular as unknown as Note)).toThrow(TypeError)
    expect(notes.size).toBe(0)
  })

  it('writes what is pending before it closes, tells, and then keeps nothing until it is opened again', async () => {
    const disk = new FakeDisk()
    const { store, notes, log } = await start(disk)
    const { names, when } = told(store)
    notes.put(note('a'))
    log.append('g', 'x')
    when('a')
    const closed = store.close()
    expect(notes.put(note('late'))).toBe(false)
    when('late')
    await closed
    expect([names, notes.size, notes.put(note('later'))]).toEqual([['a'], 0, false])
    expect(log.append('g', 'later')).toBe('g_2')
    await store.open()
    expect([...notes.list()]).toEqual([note('a')])
    expect(log.replay('g_1')).toEqual({ streamId: 'g', events: [], gap: false })
    expect(log.append('g', 'y')).toBe('g_3')
    await durable(store)
    expect([...disk.events.get('s')!.keys()]).toEqual([1, 3])
  })

  it('opens after it has closed, when both are asked at once', async () => {
    const disk = new FakeDisk()
    const { store, notes } = await start(disk)
    notes.put(note('a'))
    const closing = store.close()
    await Promise.all([closing, store.open()])
    expect([notes.size, disk.opened]).toEqual([1, 2])
  })

  it('trims what was written under wider bounds, on the disk too', async () => {
    const disk = new FakeDisk()
    const { store, log } = await start(disk)
    for (let n = 1; n <= 5; n += 1) log.append('g', `${n}`)
    await store.close()
    const narrow = await start(disk, { maxEvents: 2 })
    expect(narrow.log.replay('g_1')).toMatchObject({ gap: true, events: [{ id: 'g_4' }, { id: 'g_5' }] })
    await durable(narrow.store)
    expect([...disk.events.get('s')!.keys()]).toEqual([4, 5])
  })

  it('stays closed when the disk does not open, and opens when it does', async () => {
    const disk = new FakeDisk()
    let isBad = true
    const store = durableStore({
      name: 'fake',
      openDisk: (load, token) => (isBad ? Promise.reject(new StorageError('locked', 'taken')) : disk.open(load, token)),
    })
    expect((await rejection(store.open())).code).toBe('locked')
    isBad = false
    await store.open()
    expect(store.records<Note>('note', 1).put(note('a'))).toBe(true)
  })
})

describe.each(['before', 'after'] as const)('a durable store whose commit fails %s it was done', (moment) => {
  async function broken() {
    const disk = new FakeDisk()
    const world = await start(disk)
    const teller = told(world.store)
    world.notes.put(note('old'))
    world.notes.put(note('gone'))
    await durable(world.store)
    disk.breakNext = moment
    world.notes.put(note('a'))
    world.notes.delete('gone')
    world.log.append('g', 'x')
    teller.when('a')
    const reason = await world.store.broken
    return { disk, reason, ...world, ...teller }
  }

  it('says so, tells nobody, and goes on from memory without taking new records', async () => {
    const { reason, names, notes, log, when } = await broken()
    expect(reason).toMatchObject({ name: 'StorageError', code: 'full' })
    expect([notes.put(note('b')), notes.put(note('a', '2')), notes.get('a')?.text]).toEqual([false, true, '2'])
    expect(log.append('g', 'y')).toBe('g_2')
    when('later')
    await turn()
    expect(names).toEqual([])
  })

  it('loses nothing when it is opened again, loads nothing, and then tells', async () => {
    const { disk, store, notes, log, names, when } = await broken()
    notes.put(note('a', '2'))
    notes.delete('old')
    log.append('g', 'y')
    when('later')
    await store.open()
    await durable(store)
    expect(names).toEqual(['a', 'later'])
    expect([...disk.records]).toEqual([['note/a', '{"id":"a","text":"2"}']])
    expect([...disk.events.get('s')!.keys()]).toEqual([1, 2])
    expect(notes.put(note('b'))).toBe(true)
    await store.close()
    await store.open()
    expect([...notes.list()].map(({ id }) => id)).toEqual(['a', 'b'])
  })

  it('forgets a session on the disk that may have been committed and was forgotten meanwhile', async () => {
    const { disk, store } = await broken()
    store.events.delete('s')
    await store.open()
    await durable(store)
    expect(disk.events.has('s')).toBe(false)
  })

  it('forgets a session that was forgotten while the commit that failed was under way', async () => {
    const disk = new FakeDisk()
    const { store, log } = await start(disk)
    log.append('g', 'x')
    await durable(store)
    disk.isFast = false
    log.append('g', 'y')
    await turn()
    store.events.delete('s')
    store.events.open('s').append('p', 'new')
    disk.breakNext = moment
    disk.release()
    await store.broken
    disk.isFast = true
    await store.open()
    await durable(store)
    expect([...disk.events.get('s')!]).toEqual([[1, ['p', 0, 'new']]])
  })

  it('breaks again with a new promise when the disk fails again', async () => {
    const { disk, store, names } = await broken()
    disk.breakNext = moment
    const first = store.broken
    await store.open()
    expect(store.broken).not.toBe(first)
    await store.broken
    expect(names).toEqual([])
    await store.open()
    await durable(store)
    expect(names).toEqual(['a'])
  })

  it('refuses to go on where somebody else has been, until it is closed', async () => {
    const { disk, store, notes, names } = await broken()
    disk.takeOver()
    expect((await rejection(store.open())).code).toBe('replaced')
    expect((await rejection(store.open())).code).toBe('replaced')
    expect(notes.get('a')).toEqual(note('a'))
    const error = await rejection(store.close())
    expect(error.message).toBe('The store fake was closed while it was broken: No room left.')
    await store.open()
    expect(notes.get('old')).toEqual(note('old'))
    expect(names).toEqual([])
  })

  it('rejects its close when the last commit fails, and lets go all the same', async () => {
    const disk = new FakeDisk()
    const { store, notes } = await start(disk)
    disk.breakNext = moment
    notes.put(note('a'))
    expect((await rejection(store.close())).code).toBe('failed')
    await store.close()
    await store.open()
    expect(notes.size).toBe(moment === 'before' ? 0 : 1)
  })
})

describe('a durable store whose disk ends by itself', () => {
  it('says so though nothing was being written', async () => {
    const disk = new FakeDisk()
    const { store, notes } = await start(disk)
    disk.lose()
    expect(await store.broken).toMatchObject({ code: 'failed' })
    expect(notes.put(note('a'))).toBe(false)
    await store.open()
    expect(notes.put(note('a'))).toBe(true)
  })
})
