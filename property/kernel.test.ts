/**
 * How it works: 1. generate a seed and a script of sends, bonds, ends and pauses among a few processes; 2. play it in a
 * simulation until nothing moves; 3. look at what everybody saw. The structures are compared with plain arrays instead.
 */
import { defineActor, type From, type Overflow, type Ref, type Self } from 'bough/runtime'
import { createSimulation, VirtualClock } from 'bough/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Timer, Timers } from '#runtime/timers'
import { Ring } from '#structures/ring'
import { runs } from './settings.ts'

type Seen =
  | { readonly type: 'note'; readonly from: number; readonly count: number }
  | { readonly type: 'DOWN' | 'EXIT'; readonly ref: Ref; readonly reason: unknown; readonly monitor?: number }

interface PuppetState {
  readonly seen: Seen[]
  readonly asked: From[]
  hasEnded: boolean
  /** Handled after the end: must stay 0. */
  late: number
}

/** Does in its own process what the script says, and writes down what it gets. */
const Puppet = defineActor({
  name: 'puppet',
  init: (options: { state: PuppetState; trap: boolean }, self: Self<never>) => {
    self.trapExits(options.trap)
    return options.state
  },
  call: {
    do: (state, act: (self: Self) => unknown, self) => {
      if (state.hasEnded) state.late++
      return act(self as unknown as Self)
    },
    doLater: async (state, act: (self: Self) => unknown, self) => {
      await Promise.resolve()
      if (state.hasEnded) state.late++
      return act(self as unknown as Self)
    },
    keep: (state, _arg: undefined, self) => {
      state.asked.push(self.from)
      return self.noreply
    },
    hang: () => new Promise<never>(() => undefined),
  },
  info: (state, message) => {
    if (state.hasEnded) state.late++
    state.seen.push(message as Seen)
  },
  terminate: (state, _reason, self) => {
    state.hasEnded = true
    return new Promise<void>((resolve) => {
      self.system.timers.start(self.random() < 0.5 ? 0 : 3, resolve)
    })
  },
})

function newState(): PuppetState {
  return { seen: [], asked: [], hasEnded: false, late: 0 }
}

const COUNT = 4
const anyIndex = fc.nat(COUNT - 1)
const anyPause = fc.constantFrom(0, 0, 0, 1, 5)

async function createPuppets(seed: number, trap: (index: number) => boolean, overflow?: Overflow, bounded = COUNT) {
  const sim = createSimulation({ seed, traceLinesMax: 0 })
  const puppets = []
  for (let index = 0; index < COUNT; index++) {
    const state = newState()
    const mailbox = overflow === undefined || index >= bounded ? {} : { mailbox: { capacity: 2, overflow } }
    const ref = await sim.run(sim.system.start(Puppet, { state, trap: trap(index) }, mailbox))
    puppets.push({ ref, state })
  }
  return { sim, puppets }
}

/** Lets a puppet act in its process; what comes of it is seen elsewhere. */
function act(ref: Ref<typeof Puppet>, what: (self: Self) => unknown): void {
  void ref.call('do', what, { timeout: Number.POSITIVE_INFINITY }).catch(() => undefined)
}

function endBy(ref: Ref<typeof Puppet>, how: 'kill' | 'exit' | 'stop' | 'throw'): void {
  if (how === 'kill') ref.exit('kill')
  else if (how === 'exit') ref.exit('boom')
  else if (how === 'stop') void ref.stop('normal').catch(() => undefined)
  else
    act(ref, () => {
      throw 'thrown'
    })
}
const anyEnd = fc.constantFrom('kill', 'exit', 'stop', 'throw' as const)

describe('monitors and links', () => {
  it('every monitor that is not undone gets exactly one DOWN when its target ends, one that is undone gets none', async () => {
    const anyStep = fc.oneof(
      fc.record({ do: fc.constant('monitor' as const), a: anyIndex, b: anyIndex, waitMs: anyPause }),
      fc.record({ do: fc.constant('demonitor' as const), a: anyIndex, b: anyIndex, waitMs: anyPause }),
      fc.record({ do: fc.constant('link' as const), a: anyIndex, b: anyIndex, waitMs: anyPause }),
      fc.record({ do: fc.constant('unlink' as const), a: anyIndex, b: anyIndex, waitMs: anyPause }),
      fc.record({ do: fc.constant('end' as const), a: anyIndex, b: anyIndex, how: anyEnd, waitMs: anyPause }),
    )
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(anyStep, { maxLength: 40 }), async (seed, steps) => {
        const { sim, puppets } = await createPuppets(seed, () => true)
        const monitors: { owner: number; target: number; id: number; isUndone: boolean }[] = []
        for (const step of steps) {
          const [a, b] = [puppets[step.a]!, puppets[step.b]!]
          if (step.do === 'monitor')
            act(a.ref, (self) => {
              monitors.push({ owner: step.a, target: step.b, id: self.monitor(b.ref), isUndone: false })
            })
          else if (step.do === 'demonitor')
            act(a.ref, (self) => {
              const one = monitors.find((other) => other.owner === step.a && other.target === step.b && !other.isUndone)
              // One whose DOWN was seen is not undone any more.
              if (one === undefined || a.state.seen.some((seen) => seen.type === 'DOWN' && seen.monitor === one.id))
                return
              one.isUndone = true
              self.demonitor(one.id)
            })
          else if (step.do === 'link') act(a.ref, (self) => self.link(b.ref))
          else if (step.do === 'unlink')
            act(a.ref, (self) => {
              self.unlink(b.ref)
              // From here on no EXIT of that link may come, unless linked anew; noted as a mark.
              a.state.seen.push({ type: 'note', from: step.b, count: -1 })
            })
          else endBy(b.ref, step.how)
          if (step.waitMs > 0) await sim.advance(step.waitMs)
        }
        await sim.advance(100)
        for (const one of monitors) {
          const { ref, state } = puppets[one.owner]!
          const target = puppets[one.target]!.ref
          const downs = state.seen.filter((seen) => seen.type === 'DOWN' && seen.monitor === one.id)
          if (one.isUndone) expect(downs).toHaveLength(0)
          else if (ref.alive) expect(downs).toHaveLength(target.alive ? 0 : 1)
          else expect(downs.length).toBeLessThanOrEqual(1)
          for (const down of downs) expect(down).toMatchObject({ ref: target })
        }
        for (const { ref, state } of puppets) {
          expect(state.late).toBe(0)
          const open = monitors.filter(
            (one) => puppets[one.owner]!.ref === ref && !one.isUndone && puppets[one.target]!.ref.alive,
          )
          if (ref.alive) expect(ref.info()?.monitors).toBe(open.length)
        }
      }),
      runs(200),
    )
  }, 60_000)
})

describe('order', () => {
  it('messages of one sender arrive in order, and DOWN and EXIT after the last of them', async () => {
    const anyStep = fc.record({
      from: fc.integer({ min: 1, max: COUNT - 1 }),
      burst: fc.integer({ min: 1, max: 4 }),
      waitMs: anyPause,
    })
    const anyOverflow = fc.constantFrom<Overflow | undefined>(undefined, 'suspend', 'reject', 'dropOldest')
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        anyOverflow,
        fc.array(anyStep, { maxLength: 20 }),
        anyEnd,
        async (seed, overflow, steps, how) => {
          const { sim, puppets } = await createPuppets(seed, (index) => index === 0, overflow, 1)
          const reader = puppets[0]!
          for (const { ref } of puppets.slice(1)) {
            await sim.run(
              reader.ref.call('do', (self) => {
                self.link(ref)
                self.monitor(ref)
              }),
            )
          }
          const sent = new Array<number>(COUNT).fill(0)
          for (const { from, burst, waitMs } of steps) {
            act(puppets[from]!.ref, () => {
              for (let index = 0; index < burst; index++)
                void reader.ref.send({ type: 'note', from, count: sent[from]!++ })
            })
            if (waitMs > 0) await sim.advance(waitMs)
          }
          for (const { ref } of puppets.slice(1)) endBy(ref, how)
          await sim.advance(100)
          for (let from = 1; from < COUNT; from++) {
            const { ref } = puppets[from]!
            const seen = reader.state.seen.filter((one) => (one.type === 'note' ? one.from === from : one.ref === ref))
            const counts = seen.flatMap((one) => (one.type === 'note' ? one.count : []))
            expect(counts).toEqual([...counts].sort((left, right) => left - right))
            if (overflow === undefined || overflow === 'suspend') expect(counts).toHaveLength(sent[from]!)
            // The news of the end is the last that is heard of it, once each.
            expect(
              seen
                .slice(counts.length)
                .map((one) => one.type)
                .sort(),
            ).toEqual(['DOWN', 'EXIT'])
          }
        },
      ),
      runs(200),
    )
  }, 60_000)
})

describe('calls', () => {
  it('every call settles exactly once, whatever becomes of its target, and leaves no timer', async () => {
    const anyStep = fc.oneof(
      fc.record({
        do: fc.constantFrom('call', 'callLater', 'keep', 'undef', 'answer' as const),
        a: anyIndex,
        timeout: fc.constantFrom(1, 10, 1_000),
        waitMs: anyPause,
      }),
      fc.record({ do: fc.constant('hang' as const), a: anyIndex, timeout: fc.constantFrom(1, 10), waitMs: anyPause }),
      fc.record({ do: fc.constant('end' as const), a: anyIndex, how: anyEnd, waitMs: anyPause }),
    )
    const anyOverflow = fc.constantFrom<Overflow | undefined>(undefined, undefined, 'suspend', 'reject', 'dropOldest')
    await fc.assert(
      fc.asyncProperty(fc.nat(), anyOverflow, fc.array(anyStep, { maxLength: 30 }), async (seed, overflow, steps) => {
        const { sim, puppets } = await createPuppets(seed, (index) => index % 2 === 0, overflow)
        const settled: number[] = []
        let answered = 0
        let kept = 0
        const note = (call: Promise<unknown>): void => {
          const index = settled.push(0) - 1
          call.then(
            (value) => {
              settled[index]!++
              if (value === 'answer') kept++
            },
            () => settled[index]!++,
          )
        }
        for (const step of steps) {
          const { ref, state } = puppets[step.a]!
          if (step.do === 'end') endBy(ref, step.how)
          else if (step.do === 'answer') {
            for (const from of state.asked) if (from.reply('answer')) answered++
          } else {
            const options = { timeout: step.timeout }
            if (step.do === 'call') note(ref.call('do', () => 1, options))
            else if (step.do === 'callLater') note(ref.call('doLater', () => 1, options))
            else if (step.do === 'keep') note(ref.call('keep', undefined, options))
            else if (step.do === 'hang') note(ref.call('hang', undefined, options))
            else note(ref.call('nothing' as 'hang', undefined, options))
          }
          if (step.waitMs > 0) await sim.advance(step.waitMs)
        }
        await sim.advance(10_000)
        expect(settled.every((times) => times === 1)).toBe(true)
        expect(kept, 'a reply that was taken is a reply that came').toBe(answered)
        expect(sim.system.timers.size).toBe(0)
        expect(
          puppets.reduce((late, { state }) => late + state.late, 0),
          'nothing is handled after terminate',
        ).toBe(0)
        for (const { ref } of puppets) ref.exit('kill')
        expect(sim.system.processCount).toBe(0)
      }),
      runs(200),
    )
  }, 60_000)
})

describe('timers', () => {
  it('fire as a sorted list would, through any starts, cancels and passing of time', () => {
    const anyStep = fc.oneof(
      fc.record({ do: fc.constant('start' as const), ms: fc.nat(50) }),
      fc.record({ do: fc.constant('cancel' as const), which: fc.nat() }),
      fc.record({ do: fc.constant('pass' as const), ms: fc.nat(30) }),
    )
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 200 }), (steps) => {
        const clock = new VirtualClock()
        const timers = new Timers(clock)
        const fired: string[] = []
        const expected: string[] = []
        const all: Timer[] = []
        let list: { readonly index: number; readonly at: number }[] = []
        const pass = (ms: number): void => {
          const end = clock.now() + ms
          const due = list
            .filter((one) => one.at <= end)
            .sort((left, right) => left.at - right.at || left.index - right.index)
          expected.push(...due.map((one) => `${one.index}@${one.at}`))
          list = list.filter((one) => one.at > end)
          while (clock.nextDeadline <= end) clock.fireNext()
          clock.goTo(end)
        }
        for (const step of steps) {
          if (step.do === 'start') {
            const index = all.length
            all.push(timers.start(step.ms, () => fired.push(`${index}@${clock.now()}`)))
            list.push({ index, at: clock.now() + step.ms })
          } else if (step.do === 'cancel' && all.length > 0) {
            const index = step.which % all.length
            expect(timers.cancel(all[index]!)).toBe(list.some((one) => one.index === index))
            list = list.filter((one) => one.index !== index)
          } else if (step.do === 'pass') pass(step.ms)
          expect(timers.size).toBe(list.length)
          expect(fired).toEqual(expected)
        }
        pass(1_000)
        expect(fired).toEqual(expected)
        expect(clock.nextDeadline).toBe(Number.POSITIVE_INFINITY)
      }),
      runs(300),
    )
  })
})

describe('a ring', () => {
  it('is an array with push, shift, look and removal from the middle', () => {
    const anyStep = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('push' as const), place: fc.constant(0) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('shift' as const), place: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('at', 'removeAt'), place: fc.nat(20) }) },
    )
    fc.assert(
      fc.property(fc.nat(20), fc.array(anyStep, { maxLength: 300 }), (capacity, steps) => {
        const ring = new Ring<number>(capacity)
        const array: number[] = []
        let next = 0
        for (const step of steps) {
          if (step.do === 'push') {
            ring.push(next)
            array.push(next++)
          } else if (step.do === 'shift') expect(ring.shift()).toBe(array.shift())
          else if (step.do === 'at') expect(ring.at(step.place)).toBe(array[step.place])
          else expect(ring.removeAt(step.place)).toBe(array.splice(step.place, 1)[0])
          expect(ring.length).toBe(array.length)
        }
        expect(Array.from({ length: array.length }, () => ring.shift())).toEqual(array)
      }),
      runs(500),
    )
  })
})
