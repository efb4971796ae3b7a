import { createNames, createSystem, defineSupervisor, type Ref, type SystemEvent } from 'bough/runtime'
import { describe, expect, it, onTestFinished } from 'vitest'
import { storeChild } from '#actors/store'
import { durableStore } from '#storage/durable-store'
import { memoryStore } from '#storage/memory'
import type { Store } from '#storage/port'
import { durable, FakeDisk } from '../storage/support.ts'

const note = (id: string) => ({ id })

async function start(store: Store) {
  const events: SystemEvent[] = []
  const system = createSystem({ events: (event) => events.push(event) })
  onTestFinished(() => system.stop())
  const names = createNames()
  const tree = await system.start(
    defineSupervisor({ intensity: 5, period: 10_000, children: [storeChild(names, store)] }),
  )
  const process = (): Ref | undefined => names.whereis('store')?.ref
  return { system, tree, process, events }
}

describe('the store process', () => {
  it('opens the store when it starts and closes it when it is stopped', async () => {
    const disk = new FakeDisk()
    const store = durableStore({ name: 'fake', openDisk: disk.open })
    const { tree } = await start(store)
    expect(store.records('note', 5).put(note('a'))).toBe(true)
    await tree.stop('shutdown')
    expect([...disk.records.keys()]).toEqual(['note/a'])
    expect(store.records('note', 5).size).toBe(0)
  })

  it('does not start with a store that cannot be opened', async () => {
    const store: Store = { ...memoryStore(), open: () => Promise.reject(new Error('no such place')) }
    await expect(start(store)).rejects.toThrow('no such place')
  })

  it('crashes when the disk breaks, and its restart loses nothing of what was written meanwhile', async () => {
    const disk = new FakeDisk()
    const store = durableStore({ name: 'fake', openDisk: disk.open })
    const { process, events } = await start(store)
    const first = process()
    const notes = store.records<{ id: string }>('note', 5)
    notes.put(note('a'))
    await durable(store)
    disk.breakNext = 'before'
    notes.put(note('a'))
    let isTold = false
    store.whenDurable?.(() => {
      isTold = true
    })
    expect(await first?.down).toMatchObject({ code: 'full' })
    expect(isTold).toBe(false)
    notes.delete('a')
    await durable(store)
    expect([isTold, disk.records.size, disk.opened]).toEqual([true, 0, 2])
    await expect.poll(() => process()?.alive).toBe(true)
    expect(process()?.pid).not.toBe(first?.pid)
    expect(events.filter(({ type }) => type === 'crash')).toHaveLength(1)
  })

  it('leaves the store open when it is killed, so that nobody else notices', async () => {
    const disk = new FakeDisk()
    const store = durableStore({ name: 'fake', openDisk: disk.open })
    const { process } = await start(store)
    const first = process()
    const notes = store.records<{ id: string }>('note', 5)
    notes.put(note('a'))
    first?.exit('kill')
    await first?.down
    notes.put(note('b'))
    await durable(store)
    await expect.poll(() => process()?.alive).toBe(true)
    expect([notes.size, disk.records.size, disk.opened]).toEqual([2, 2, 1])
  })

  it('keeps a memory store as well', async () => {
    const store = memoryStore()
    const { process } = await start(store)
    store.records('note', 5).put(note('a'))
    process()?.exit('kill')
    await expect.poll(() => process()?.alive).toBe(true)
    expect(store.records('note', 5).size).toBe(1)
  })
})
