/**
 * How it works: 1. generate changes of records and event logs, and the accidents between them: commits that fail before or after
 * they were done, closings, new openings; 2. do the changes to a durable store and to a memory store, the model; 3. after each
 * accident and at the end everything that can be asked has the same answer. First over a disk in memory, which fails on demand,
 * then over real files. A failing run prints its seed; BOUGH_SEED repeats it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { durableStore } from '#storage/durable-store'
import { memoryStore } from '#storage/memory'
import type { Store } from '#storage/port'
import { sqliteStore } from '#storage/sqlite'
import { hasSqlite } from '../test/sqlite.ts'
import { durable, FakeDisk } from '../test/storage/support.ts'
import { runs } from './settings.ts'

const bounds = { maxEvents: 4, maxBytes: 60 }
const RECORDS_MAX = 3
const kinds = ['a', 'b']
const ids = ['1', '2', '3', '4']
const sessions = ['s', 't']
const streams = ['g', 'p', 'q']

interface Row {
  readonly id: string
  readonly text: string
}

type Change =
  | { readonly type: 'put'; readonly kind: string; readonly id: string; readonly text: string }
  | { readonly type: 'delete'; readonly kind: string; readonly id: string }
  | { readonly type: 'append'; readonly session: string; readonly stream: string; readonly message: string }
  | { readonly type: 'drop'; readonly session: string; readonly stream: string }
  | { readonly type: 'forget'; readonly session: string }
/** `pause` lets a commit begin; the next changes fall into the one after it. */
type Accident = 'pause' | 'settle' | 'reopen' | 'start anew' | 'fail before' | 'fail after'
type Step = Change | { readonly type: 'accident'; readonly what: Accident }

const from = (values: readonly string[]) => fc.constantFrom(...values)
const text = fc.string({ maxLength: 25, unit: 'grapheme' })

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('put' as const), kind: from(kinds), id: from(ids), text }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), kind: from(kinds), id: from(ids) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('append' as const),
      session: from(sessions),
      stream: from(streams),
      message: text,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('drop' as const), session: from(sessions), stream: from(streams) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('forget' as const), session: from(sessions) }) },
)

const steps = (...accidents: Accident[]): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 5, arbitrary: change },
      {
        weight: 1,
        arbitrary: fc.record({ type: fc.constant('accident' as const), what: fc.constantFrom(...accidents) }),
      },
    ),
    { maxLength: 80 },
  )

/** Does a change; returns what the store answers. */
function make(store: Store, one: Change): unknown {
  const records = (kind: string) => store.records<Row>(kind, RECORDS_MAX)
  switch (one.type) {
    case 'put':
      return records(one.kind).put({ id: one.id, text: one.text })
    case 'delete':
      return records(one.kind).delete(one.id)
    case 'append':
      return store.events.open(one.session).append(one.stream, one.message)
    case 'drop':
      return store.events.open(one.session).drop(one.stream)
    case 'forget':
      return store.events.delete(one.session)
  }
}

/** Everything that can be asked of a store. */
function seen(store: Store): unknown {
  return {
    records: kinds.map((kind) =>
      [...store.records<Row>(kind, RECORDS_MAX).list()].sort((one, other) => one.id.localeCompare(other.id)),
    ),
    replays: sessions.flatMap((session) =>
      streams.flatMap((stream) =>
        Array.from({ length: 82 }, (_, number) => store.events.open(session).replay(`${stream}_${number}`)),
      ),
    ),
  }
}

/** Numbers whose message has gone and that are not the last of their stream: of no use to anybody. */
function leftovers(disk: FakeDisk): unknown[] {
  return [...disk.events].flatMap(([session, rows]) => {
    const isLast = (number: number, stream: string) =>
      [...rows].every(([other, [otherStream]]) => otherStream !== stream || other <= number)
    return [...rows]
      .filter(([number, [stream, , message]]) => message === null && !isLast(number, stream))
      .map(([number]) => [session, number])
  })
}

async function reopen(store: Store): Promise<void> {
  await store.close()
  await store.open()
}

describe('a durable store', () => {
  it('answers as a memory store does, whatever its disk does: nothing is lost, doubled or out of order', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps('pause', 'settle', 'reopen', 'start anew', 'fail before', 'fail after'),
        async (sequence) => {
          const disk = new FakeDisk()
          const model = memoryStore(bounds)
          const start = () => durableStore({ name: 'fake', openDisk: disk.open, ...bounds })
          let store = start()
          await store.open()
          const told: number[] = []
          let asked = 0
          let isBroken = false
          const settle = async (): Promise<void> => {
            await store.open()
            isBroken = false
            await durable(store)
            expect(told).toEqual(Array.from({ length: asked }, (_, n) => n))
          }
          for (const step of sequence) {
            if (step.type !== 'accident') {
              const answer = make(store, step)
              // A broken store takes no new records: the model is not asked either.
              if (!(isBroken && step.type === 'put' && answer === false)) expect(make(model, step)).toEqual(answer)
              const number = asked++
              store.whenDurable?.(() => told.push(number))
            } else if (step.what === 'pause') await Promise.resolve()
            else if (step.what === 'settle') await settle()
            else if (step.what === 'fail before' || step.what === 'fail after') {
              if (isBroken) continue
              disk.breakNext = step.what === 'fail before' ? 'before' : 'after'
              store.events.open('z').append('z', '')
              await store.broken
              isBroken = true
            } else {
              await settle()
              if (step.what === 'reopen') await reopen(store)
              else {
                // As after a kill: what the disk has is all there is.
                store = start()
                await store.open()
              }
              expect(seen(store)).toEqual(seen(model))
            }
          }
          await settle()
          expect(seen(store)).toEqual(seen(model))
          await reopen(store)
          expect(seen(store)).toEqual(seen(model))
          expect(leftovers(disk)).toEqual([])
        },
      ),
      runs(300),
    )
  })

  it.skipIf(!hasSqlite)(
    'answers as a memory store does over a real file that is closed and opened again',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'bough-property-'))
      let count = 0
      try {
        await fc.assert(
          fc.asyncProperty(steps('pause', 'settle', 'reopen'), async (sequence) => {
            const model = memoryStore(bounds)
            const store = sqliteStore({ file: join(folder, `${count++}.db`), ...bounds })
            await store.open()
            for (const step of sequence) {
              if (step.type !== 'accident') expect(make(store, step)).toEqual(make(model, step))
              else if (step.what === 'settle') await durable(store)
              else if (step.what === 'pause') await Promise.resolve()
              else {
                await reopen(store)
                expect(seen(store)).toEqual(seen(model))
              }
            }
            await reopen(store)
            expect(seen(store)).toEqual(seen(model))
            await store.close()
          }),
          runs(12),
        )
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
    120_000,
  )
})
