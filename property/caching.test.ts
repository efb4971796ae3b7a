/**
 * How a cached server is held against one without a cache. 1. Generate a run of reads, calls, changes that are told, changes
 * that are not, swaps of the tool, and time that passes. 2. Run it against a server that keeps answers and against a model of
 * the values. 3. After every step: what was told to have changed is never served old, and what was not is never older than its
 * time to live.
 */

import { createServer, type Server, serve } from 'bough'
import { createSimulation, VirtualClock } from 'bough/testing'
import { memoryTransport } from 'bough/transports/memory'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sharedCache } from '#cache'
import { ADAPTIVE_FACTOR_MAX, ADAPTIVE_SHARE_MIN, adaptiveTtlMs } from '#cache/adaptive-ttl'
import { runs } from './settings.ts'

const TTL_MS = 100

type Step =
  | { readonly type: 'read' | 'call'; readonly client: number; readonly thing: number }
  | { readonly type: 'change'; readonly thing: number; readonly isTold: boolean }
  | { readonly type: 'swap' }
  | { readonly type: 'wait'; readonly ms: number }

const thing = fc.nat(2)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('read', 'call'), client: fc.nat(2), thing }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('change'), thing, isTold: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('swap') }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('wait'), ms: fc.integer({ min: 1, max: 150 }) }) },
) as fc.Arbitrary<Step>

interface World {
  readonly server: Server
  /** What each thing is worth, and the values that a reader may still be given: with the time until which. */
  readonly values: number[]
  readonly old: { readonly value: number; readonly untilMs: number }[][]
  version: number
}

function define(world: World, scope: 'public' | 'private', isLate: boolean): void {
  const { values, version } = world
  const cache = { ttlMs: TTL_MS, scope } as const
  const given = (text: string): string | Promise<string> => (isLate ? Promise.resolve(text) : text)
  world.server.resourceTemplate('thing://{id}', { cache, read: ({ id }) => given(`${values[Number(id)]}`) })
  world.server.tool('thing', {
    annotations: { readOnlyHint: true },
    cache: { ...cache, tags: ['thing://0', 'thing://1', 'thing://2'] },
    run: ({ id }: Record<string, unknown>) => given(`${version}:${values[Number(id)]}`),
  })
}

describe('a server that keeps answers', () => {
  it('answers like one that does not: never older than what it was told, nor than the time to live', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom('public', 'private'),
        fc.boolean(),
        async (steps, scope, isLate) => {
          const sim = createSimulation({ seed: 1 })
          const server = createServer({ name: 'kept', version: '1' })
          const world: World = { server, values: [0, 0, 0], old: [[], [], []], version: 0 }
          const now = (): number => sim.system.clock.now()
          define(world, scope, isLate)
          const memory = memoryTransport()
          const app = await sim.run(
            serve(server, {
              system: sim.system,
              transports: [memory.transport],
              signals: false,
              guard: false,
              logger: false,
            }),
          )
          const clients = [0, 1, 2].map(() => memory.connect())
          const waiting = new Map<string, (text: string) => void>()
          let lastId = 0
          const ask = (client: number, method: string, params: object): Promise<string> => {
            const id = `${++lastId}`
            const answer = new Promise<string>((resolve) => waiting.set(id, resolve))
            clients[client]?.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
            return sim.run(answer)
          }
          for (const [index, client] of clients.entries()) {
            client.onMessage((text) => {
              const { id, result } = JSON.parse(text) as { id?: string; result?: Record<string, { text: string }[]> }
              if (id !== undefined) waiting.get(id)?.((result?.['contents'] ?? result?.['content'])?.[0]?.text ?? '')
            })
            const clientInfo = { name: 'c', version: '1' }
            await ask(index, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
            client.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
          }
          for (const one of steps) {
            if (one.type === 'wait') await sim.advance(one.ms)
            else if (one.type === 'swap') {
              world.version++
              define(world, scope, isLate)
              await sim.settle()
            } else if (one.type === 'change') {
              const value = world.values[one.thing] ?? 0
              world.old[one.thing]?.push({ value, untilMs: now() + TTL_MS })
              world.values[one.thing] = value + 1
              if (!one.isTold) continue
              world.old[one.thing] = []
              void server.resourceUpdated(`thing://${one.thing}`)
            } else {
              const method = one.type === 'read' ? 'resources/read' : 'tools/call'
              const params =
                one.type === 'read' ? { uri: `thing://${one.thing}` } : { name: 'thing', arguments: { id: one.thing } }
              const text = await ask(one.client, method, params)
              const [version, value] = one.type === 'read' ? [world.version, text] : text.split(':')
              const allowed = (world.old[one.thing] ?? []).filter(({ untilMs }) => untilMs > now())
              expect([world.values[one.thing], ...allowed.map((old) => old.value)]).toContain(Number(value))
              expect(Number(version)).toBe(world.version)
            }
          }
          await sim.run(app.stop())
          await sim.run(sim.system.stop())
        },
      ),
      runs(60),
    )
  }, 60_000)
})

describe('a cache in memory, against a map', () => {
  it('finds under a key only what was last put there, however much else was put', () => {
    const command = fc.oneof(
      fc.record({
        op: fc.constant('set' as const),
        key: fc.nat(40),
        length: fc.nat(9_000),
        ttlMs: fc.integer({ min: 1, max: 50 }),
      }),
      fc.record({ op: fc.constantFrom('get' as const, 'delete' as const), key: fc.nat(40) }),
      fc.record({ op: fc.constant('invalidate' as const), key: fc.nat(3) }),
      fc.record({ op: fc.constant('wait' as const), key: fc.nat(20) }),
      fc.record({ op: fc.constant('sweep' as const), key: fc.constant(0) }),
    )
    fc.assert(
      fc.property(fc.array(command, { maxLength: 300 }), (commands) => {
        const clock = new VirtualClock()
        const cache = sharedCache('memory', { entries: 16, bytes: 65_536, clock })
        const model = new Map<number, { text: string; until: number; tag: number }>()
        for (const [index, one] of commands.entries()) {
          const { op, key } = one
          if (op === 'set') {
            const text = `${index}:${(index % 2 === 0 ? 'x' : '漢').repeat(one.length)}`
            const isKept = cache.set(`key ${key}`, text, { ttlMs: one.ttlMs, stamps: cache.stamps([`tag ${key % 4}`]) })
            if (isKept) model.set(key, { text, until: clock.now() + one.ttlMs, tag: key % 4 })
            else model.delete(key)
            if (isKept) expect(cache.get(`key ${key}`)).toMatchObject({ text })
          } else if (op === 'get') {
            const found = cache.get(`key ${key}`)
            const known = model.get(key)
            // It may have been pushed out, but it is never another, nor one that is over.
            if (typeof found === 'object') expect(known).toMatchObject({ text: found.text })
            if (typeof found === 'object') expect(known?.until).toBeGreaterThan(clock.now())
          } else if (op === 'delete') {
            cache.delete(`key ${key}`)
            model.delete(key)
            expect(cache.get(`key ${key}`)).toBe('absent')
          } else if (op === 'invalidate') {
            cache.invalidate(`tag ${key}`)
            for (const [held, { tag }] of model) if (tag === key) model.delete(held)
          } else if (op === 'wait') clock.goTo(clock.now() + key)
          else cache.sweep()
          const { entries, bytes, entriesMax, bytesMax } = cache.stats()
          expect(entries).toBeLessThanOrEqual(entriesMax)
          expect(entries).toBeGreaterThanOrEqual(0)
          expect(bytes).toBeLessThanOrEqual(bytesMax)
        }
      }),
      runs(200),
    )
  })
})

describe('an adaptive time to live', () => {
  const base = fc.integer({ min: 1, max: 86_400_000 })
  const past = fc.array(fc.record({ hits: fc.nat(3), isUnchanged: fc.boolean() }), { maxLength: 40 })

  it('stays whole and within its bounds, whatever came before', () => {
    fc.assert(
      fc.property(base, past, (baseMs, lives) => {
        let ttlMs = adaptiveTtlMs(baseMs, undefined)
        expect(ttlMs).toBe(baseMs)
        for (const life of lives) {
          ttlMs = adaptiveTtlMs(baseMs, { ttlMs, ...life })
          expect(Number.isInteger(ttlMs)).toBe(true)
          expect(ttlMs).toBeGreaterThanOrEqual(Math.max(1, Math.floor(baseMs * ADAPTIVE_SHARE_MIN)))
          expect(ttlMs).toBeLessThanOrEqual(baseMs * ADAPTIVE_FACTOR_MAX)
        }
      }),
      runs(500),
    )
  })

  it('never falls while nothing changes, never rises when something did, and rises only for what was asked for', () => {
    fc.assert(
      fc.property(base, past, (baseMs, lives) => {
        let ttlMs = baseMs
        for (const life of lives) {
          const next = adaptiveTtlMs(baseMs, { ttlMs, ...life })
          if (life.isUnchanged) expect(next).toBeGreaterThanOrEqual(ttlMs)
          else expect(next).toBeLessThanOrEqual(Math.max(ttlMs, 1))
          if (life.hits === 0) expect(next).toBeLessThanOrEqual(ttlMs)
          ttlMs = next
        }
      }),
      runs(500),
    )
  })
})
