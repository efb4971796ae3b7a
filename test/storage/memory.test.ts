import { describe, expect, it } from 'vitest'
import { memoryEventLog, memoryEventStore, memorySessionStore } from '#storage/memory'
import type { SessionRecord } from '#storage/port'

describe('memory event log', () => {
  it('gives ids that encode the stream and are unique in the session', () => {
    const log = memoryEventLog()
    expect([log.append('get', 'a'), log.append('p_1', 'b'), log.append('get', 'c')]).toEqual([
      'get_1',
      'p_1_2',
      'get_3',
    ])
  })

  it('replays only the events of the same stream after the id, oldest first', () => {
    const log = memoryEventLog()
    const first = log.append('get', 'a')
    log.append('p_1', 'x')
    log.append('get', 'b')
    const last = log.append('get', 'c')
    expect(log.replay(first)).toEqual({
      streamId: 'get',
      events: [
        { id: 'get_3', message: 'b' },
        { id: 'get_4', message: 'c' },
      ],
      gap: false,
    })
    expect(log.replay(last)).toEqual({ streamId: 'get', events: [], gap: false })
  })

  it('knows no id that it never gave', () => {
    const log = memoryEventLog()
    expect(log.replay('get_1')).toBeUndefined()
    log.append('get', 'a')
    for (const id of ['get_2', 'get_0', 'get_-1', 'get_01', 'get', '', '_', 'other_1', 'get_1e3', 'get_ 1']) {
      expect(log.replay(id), id).toBeUndefined()
    }
  })

  it('evicts the oldest event when the count is passed, and reports the gap of that stream only', () => {
    const log = memoryEventLog({ maxEvents: 3 })
    const a1 = log.append('a', '1')
    log.append('a', '2')
    const b1 = log.append('b', '3')
    log.append('a', '4')
    log.append('b', '5')
    // Kept: b_3, a_4, b_5.
    expect(log.replay(a1)).toMatchObject({ gap: true, events: [{ id: 'a_4' }] })
    expect(log.replay('a_2')).toMatchObject({ gap: false, events: [{ id: 'a_4' }] })
    expect(log.replay(b1)).toMatchObject({ gap: false, events: [{ id: 'b_5' }] })
  })

  it('evicts by bytes of UTF-8, and does not keep a message that is larger than the bound', () => {
    const log = memoryEventLog({ maxBytes: 10 })
    const first = log.append('a', 'xxxx')
    log.append('a', 'üüü')
    expect(log.replay(first)).toMatchObject({ gap: false, events: [{ message: 'üüü' }] })
    log.append('a', 'x')
    expect(log.replay(first)).toMatchObject({ gap: false, events: [{ id: 'a_2' }, { id: 'a_3' }] })
    log.append('a', 'x'.repeat(11))
    expect(log.replay('a_3')).toEqual({ streamId: 'a', events: [], gap: true })
    expect(log.replay('a_4')).toEqual({ streamId: 'a', events: [], gap: false })
  })

  it('reports a gap for a stream that was forgotten with its last event, and goes on numbering it', () => {
    const log = memoryEventLog({ maxEvents: 2 })
    const old = log.append('old', '1')
    for (let n = 0; n < 5; n += 1) log.append(`s${n}`, 'x')
    expect(log.replay(old)).toMatchObject({ events: [], gap: true })
    expect(log.append('old', '2')).toBe('old_7')
    expect(log.replay(old)).toMatchObject({ events: [{ id: 'old_7' }], gap: true })
  })

  it('forgets a dropped stream and keeps the others', () => {
    const log = memoryEventLog()
    const a = log.append('a', '1')
    const b = log.append('b', '2')
    log.append('b', '3')
    log.drop('a')
    log.drop('unknown')
    expect(log.replay(a)).toBeUndefined()
    expect(log.replay(b)).toMatchObject({ gap: false, events: [{ id: 'b_3' }] })
  })

  it('agrees with a plain model over hundreds of appends and replays', () => {
    const log = memoryEventLog({ maxEvents: 50, maxBytes: 400 })
    const model: { id: string; stream: string; message: string }[] = []
    const evicted = new Set<string>()
    const given: { id: string; stream: string }[] = []
    let state = 7
    const next = (n: number) => (state = (state * 48_271) % 2_147_483_647) % n
    for (let step = 0; step < 600; step += 1) {
      const stream = `s${next(4)}`
      const message = 'x'.repeat(next(30))
      const id = log.append(stream, message)
      model.push({ id, stream, message })
      given.push({ id, stream })
      while (model.length > 50 || model.reduce((sum, event) => sum + event.message.length, 0) > 400) {
        evicted.add(model.shift()!.id)
      }
      const asked = given[Math.max(0, given.length - 1 - next(80))]!
      const sequence = (id: string) => Number(id.split('_')[1])
      const later = given.filter((event) => event.stream === asked.stream && sequence(event.id) > sequence(asked.id))
      const kept = model.filter((event) => later.some((one) => one.id === event.id))
      expect(log.replay(asked.id)).toEqual({
        streamId: asked.stream,
        events: kept.map(({ id, message }) => ({ id, message })),
        gap: later.some((event) => evicted.has(event.id)),
      })
    }
  })

  it('keeps the log of a session until the session is deleted', () => {
    const store = memoryEventStore()
    const id = store.open('one').append('a', '1')
    expect(store.open('one').replay(id)).toBeDefined()
    expect(store.open('two').replay(id)).toBeUndefined()
    store.delete('one')
    expect(store.open('one').replay(id)).toBeUndefined()
    expect(store.open('one').whenDurable).toBeUndefined()
  })

  it('refuses bounds that are no bounds', () => {
    expect(() => memoryEventStore({ maxEvents: 0 })).toThrow('The option maxEvents must be a positive integer, got 0.')
  })
})

describe('memory event store', () => {
  it('keeps a bound over all sessions: the log not written for longest is emptied, and says so', () => {
    const store = memoryEventStore({ maxTotalBytes: 30 })
    const [first, second, third] = [store.open('a'), store.open('b'), store.open('c')]
    const id = first.append('g', 'x'.repeat(10))
    second.append('g', 'y'.repeat(10))
    const kept = second.append('g', 'z')
    third.append('g', 'w'.repeat(10))
    expect(first.replay(id)).toEqual({ streamId: 'g', events: [], gap: true })
    expect(second.replay(kept)).toEqual({ streamId: 'g', events: [], gap: false })
    const again = first.append('g', 'v')
    expect(first.replay(again)).toEqual({ streamId: 'g', events: [], gap: false })
  })

  it('gives the bytes of an ended session back', () => {
    const store = memoryEventStore({ maxTotalBytes: 30 })
    const first = store.open('a')
    const id = first.append('g', 'x'.repeat(20))
    store.open('b').append('g', 'y'.repeat(9))
    store.delete('b')
    store.open('c').append('g', 'z'.repeat(9))
    expect(first.replay(id)).toMatchObject({ gap: false })
  })
})

describe('memory session store', () => {
  const record = (id: string): SessionRecord => ({
    id,
    protocolVersion: '2025-11-25',
    clientInfo: { name: 'test', version: '1' },
    clientCapabilities: {},
    logLevel: undefined,
    subscriptions: [],
    initialized: false,
    lastActiveAt: 0,
  })

  it('puts, replaces, gets, lists and deletes', () => {
    const store = memorySessionStore()
    store.put(record('a'))
    store.put({ ...record('a'), initialized: true })
    store.put(record('b'))
    expect(store.get('a')?.initialized).toBe(true)
    expect([...store.list()].map(({ id }) => id)).toEqual(['a', 'b'])
    expect([store.delete('a'), store.delete('a'), store.get('a'), store.size]).toEqual([true, false, undefined, 1])
  })

  it('takes no new session when it is full, but still updates known ones', () => {
    const store = memorySessionStore({ maxSessions: 1 })
    expect([store.put(record('a')), store.put(record('b')), store.put(record('a'))]).toEqual([true, false, true])
  })
})
