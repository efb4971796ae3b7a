import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { EventBounds } from '#storage/event-logs'
import { memoryStore } from '#storage/memory'
import type { Store } from '#storage/port'
import { sqliteStore } from '#storage/sqlite'
import { hasSqlite } from '../sqlite.ts'
import { closing, durable, tempFolder } from './support.ts'

interface Note {
  readonly id: string
  readonly text: string
  readonly tags?: readonly string[]
}

const note = (id: string, text = ''): Note => ({ id, text })

type Maker = [string, (bounds?: EventBounds) => Store]

const sqlite: Maker = ['sqlite', (bounds) => sqliteStore({ file: join(tempFolder(), 'store.db'), ...bounds })]

const makers: readonly Maker[] = [['memory', (bounds) => memoryStore(bounds)], ...(hasSqlite ? [sqlite] : [])]

describe.each(makers)('the store contract: %s', (kind, make) => {
  async function opened(bounds?: EventBounds): Promise<Store> {
    const store = closing(make(bounds))
    await store.open()
    return store
  }

  /** The store after its server was started anew: memory keeps what it has as long as it is not closed. */
  async function reopened(store: Store): Promise<Store> {
    if (kind === 'memory') return store
    await store.close()
    await store.open()
    return store
  }

  it('puts, replaces, gets, lists and deletes records', async () => {
    const store = await opened()
    const notes = store.records<Note>('note', 10)
    expect([notes.put(note('a', '1')), notes.put(note('b', '2')), notes.put(note('a', '3'))]).toEqual([
      true,
      true,
      true,
    ])
    expect([notes.delete('b'), notes.delete('b'), notes.get('b'), notes.size]).toEqual([true, false, undefined, 1])
    expect([...notes.list()]).toEqual([note('a', '3')])
    expect(store.records<Note>('note', 10)).toBe(notes)
    await reopened(store)
    expect(store.records<Note>('note', 10)).toBe(notes)
    expect([...notes.list()]).toEqual([note('a', '3')])
  })

  it('keeps kinds apart, and text of any sort as it is', async () => {
    const store = await opened()
    const one = store.records<Note>('one', 10)
    const two = store.records<Note>('two', 10)
    const odd = 'quote \' " ; DROP -- % _ \n\t\u0000 ü 漢 🌱 \u2028'
    one.put({ id: odd, text: odd, tags: ['', odd] })
    two.put(note(odd, 'other'))
    await reopened(store)
    expect(one.get(odd)).toEqual({ id: odd, text: odd, tags: ['', odd] })
    expect(two.get(odd)).toEqual(note(odd, 'other'))
    two.delete(odd)
    await reopened(store)
    expect([one.size, two.size]).toEqual([1, 0])
  })

  it('takes no new record of a kind that is full, but updates known ones; the first bound holds', async () => {
    const store = await opened()
    const notes = store.records<Note>('note', 1)
    expect([notes.put(note('a')), notes.put(note('b')), notes.put(note('a', 'x'))]).toEqual([true, false, true])
    expect(store.records<Note>('note', 5).put(note('b'))).toBe(false)
    notes.delete('a')
    expect(notes.put(note('b'))).toBe(true)
    await reopened(store)
    expect([...notes.list()]).toEqual([note('b')])
  })

  it('refuses a bound that is none', async () => {
    const store = await opened()
    expect(() => store.records('note', 0)).toThrow('The option max must be a positive integer, got 0.')
    expect(() => make({ maxEvents: -1 })).toThrow('The option maxEvents must be a positive integer, got -1.')
  })

  it('gives event ids that increase for good, also when the newest events have gone', async () => {
    const store = await opened()
    const log = store.events.open('s')
    expect([log.append('g', 'a'), log.append('p_1', 'b'), log.append('g', '')]).toEqual(['g_1', 'p_1_2', 'g_3'])
    await reopened(store)
    expect(store.events.open('s').append('g', 'd')).toBe('g_4')
    store.events.open('s').drop('g')
    await reopened(store)
    expect(store.events.open('s').append('g', 'e')).toBe('g_5')
    expect(store.events.open('s').replay('g_4')).toMatchObject({ events: [{ id: 'g_5', message: 'e' }] })
    store.events.open('s').drop('g')
    store.events.open('s').drop('p_1')
    await reopened(store)
    expect(store.events.open('s').append('g', 'f')).toBe('g_6')
  })

  it('replays what followed on the stream, as if it had never been away', async () => {
    const store = await opened()
    const log = store.events.open('s')
    for (const [stream, message] of [
      ['g', 'a'],
      ['p', 'x'],
      ['g', 'b'],
      ['g', 'c'],
    ] as const)
      log.append(stream, message)
    await reopened(store)
    const again = store.events.open('s')
    expect(again.replay('g_1')).toEqual({
      streamId: 'g',
      events: [
        { id: 'g_3', message: 'b' },
        { id: 'g_4', message: 'c' },
      ],
      gap: false,
    })
    expect(again.replay('p_2')).toEqual({ streamId: 'p', events: [], gap: false })
    expect([again.replay('g_5'), again.replay('q_1'), again.replay('g_0')]).toEqual([undefined, undefined, undefined])
  })

  it('evicts by its bounds, and knows the gaps afterwards', async () => {
    const store = await opened({ maxEvents: 3 })
    const log = store.events.open('s')
    for (const [stream, message] of [
      ['a', '1'],
      ['b', '2'],
      ['b', '3'],
      ['b', '4'],
      ['b', '5'],
    ] as const)
      log.append(stream, message)
    await reopened(store)
    const again = store.events.open('s')
    // Kept: b_3, b_4, b_5. Whoever has a_1 missed nothing; whoever had nothing of b_2 did.
    expect(again.replay('a_1')).toEqual({ streamId: 'a', events: [], gap: false })
    expect(again.replay('b_2')).toMatchObject({ gap: false, events: [{ id: 'b_3' }, { id: 'b_4' }, { id: 'b_5' }] })
    again.append('b', '6')
    await reopened(store)
    expect(store.events.open('s').replay('b_2')).toMatchObject({ gap: true })
    expect(store.events.open('s').replay('b_3')).toMatchObject({ gap: false })
  })

  it('does not keep a message over its bound, but its number', async () => {
    const store = await opened({ maxBytes: 10 })
    const log = store.events.open('s')
    log.append('a', 'x')
    log.append('a', 'x'.repeat(11))
    await reopened(store)
    expect(store.events.open('s').replay('a_1')).toEqual({ streamId: 'a', events: [], gap: true })
    expect(store.events.open('s').replay('a_2')).toEqual({ streamId: 'a', events: [], gap: false })
    expect(store.events.open('s').append('a', 'y')).toBe('a_3')
  })

  it('keeps a bound over all sessions: the log not written for longest is emptied, and says so for good', async () => {
    const store = await opened({ maxTotalBytes: 30 })
    const id = store.events.open('a').append('g', 'x'.repeat(10))
    const kept = store.events.open('b').append('g', 'y'.repeat(15))
    store.events.open('c').append('g', 'w'.repeat(10))
    await reopened(store)
    expect(store.events.open('a').replay(id)).toEqual({ streamId: 'g', events: [], gap: true })
    expect(store.events.open('b').replay(kept)).toEqual({ streamId: 'g', events: [], gap: false })
    expect(store.events.open('a').append('g', 'v')).toBe('g_2')
  })

  it('forgets a session, and what is still appended to its old log', async () => {
    const store = await opened()
    const log = store.events.open('s')
    log.append('g', 'a')
    const other = store.events.open('t').append('g', 'b')
    store.events.delete('s')
    log.append('g', 'too late')
    store.events.delete('unknown')
    await reopened(store)
    expect(store.events.open('s').replay('g_1')).toBeUndefined()
    expect(store.events.open('s').append('g', 'new')).toBe('g_1')
    expect(store.events.open('t').replay(other)).toMatchObject({ gap: false })
    await reopened(store)
    expect(store.events.open('s').append('g', 'newer')).toBe('g_2')
  })

  it('opens twice as once, and closes twice as once', async () => {
    const store = await opened()
    const notes = store.records<Note>('note', 10)
    notes.put(note('a'))
    await Promise.all([store.open(), store.open()])
    expect(notes.size).toBe(1)
    await Promise.all([store.close(), store.close()])
    await store.close()
    expect(notes.size).toBe(0)
  })

  it('promises durability at the store, at its tables and its logs, or at none of them', async () => {
    const store = await opened()
    const parts = [store, store.records<Note>('note', 1), store.events.open('s')]
    expect(parts.map((part) => typeof part.whenDurable)).toEqual(
      parts.map(() => (kind === 'memory' ? 'undefined' : 'function')),
    )
    store.events.open('s').append('g', 'a')
    await Promise.all(parts.map(durable))
  })
})
