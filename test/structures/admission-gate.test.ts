import { describe, expect, it } from 'vitest'
import { AdmissionGate, type GateSettings, STARTING_MIN, type Waiting } from '#structures/admission-gate'

const settings: GateSettings = {
  inFlightMax: 10,
  queuedMax: 5,
  startingMax: 2,
  queueTargetMs: 500,
  queueMaxMs: 5_000,
}

function make(change: Partial<GateSettings> = {}) {
  const clock = { now: 0 }
  const gate = new AdmissionGate({ ...settings, ...change }, () => clock.now)
  const log: string[] = []
  const work = (name: string, hasSomebody = true): Waiting & { isWanted: boolean } => ({
    isWanted: true,
    begin: () => {
      log.push(name)
      return hasSomebody
    },
    shed: () => void log.push(`shed ${name}`),
  })
  return { clock, gate, log, work }
}

describe('the admission gate', () => {
  it('lets a few begin at once and the others in the order in which they came', () => {
    const { gate, log, work } = make()
    expect([gate.tryEnter(), gate.tryEnter(), gate.tryEnter()]).toEqual([true, true, false])
    expect(gate.wait(work('a'))).toBeUndefined()
    expect(gate.wait(work('b'))).toBeUndefined()
    gate.settle()
    expect(log).toEqual(['a'])
    gate.settle()
    expect(log).toEqual(['a', 'b'])
    expect([gate.inFlight, gate.starting, gate.queued]).toEqual([4, 2, 0])
  })

  it('lets nobody pass who comes later while others wait', () => {
    const { gate, log, work } = make({ startingMax: 1 })
    gate.tryEnter()
    gate.wait(work('a'))
    gate.settle()
    expect([gate.tryEnter(), log]).toEqual([false, ['a']])
  })

  it('counts what waits for something else as in flight and no longer as beginning', () => {
    const { gate, work } = make({ inFlightMax: 3 })
    for (let n = 0; n < 3; n++) {
      expect(gate.tryEnter()).toBe(true)
      gate.settle()
    }
    expect([gate.tryEnter(), gate.wait(work('a'))]).toEqual([false, 'in_flight'])
    gate.leave()
    expect(gate.tryEnter()).toBe(true)
  })

  it('refuses what finds the queue full', () => {
    const { gate, work } = make({ startingMax: 1, queuedMax: 1 })
    gate.tryEnter()
    expect([gate.wait(work('a')), gate.wait(work('b'))]).toEqual([undefined, 'queue_full'])
  })

  it('refuses newcomers while the oldest has waited too long, and takes them again when it has begun', () => {
    const { clock, gate, work } = make({ startingMax: 1 })
    gate.tryEnter()
    gate.wait(work('a'))
    clock.now = 501
    expect(gate.wait(work('b'))).toBe('queue_slow')
    gate.settle()
    expect(gate.wait(work('b'))).toBeUndefined()
  })

  it('refuses newcomers that would wait too long at the pace of those before them', () => {
    const { clock, gate, work } = make({ startingMax: 1, queuedMax: 100 })
    gate.tryEnter()
    for (let n = 0; n < 40; n++) {
      gate.wait(work('one'))
      gate.wait(work('other'))
      for (const ms of [200, 200]) {
        clock.now += ms
        gate.settle()
        gate.leave()
      }
    }
    expect(gate.queued).toBe(0)
    const taken = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => gate.wait(work(name)))
    expect(taken.slice(0, 2)).toEqual([undefined, undefined])
    expect(taken.at(-1)).toBe('queue_slow')
  })

  it('sheds what has waited longer than anybody waits for an answer, and forgets what is not wanted any more', () => {
    const { clock, gate, log, work } = make({ startingMax: 1 })
    gate.tryEnter()
    const unwanted = work('unwanted')
    gate.wait(work('old'))
    gate.wait(unwanted)
    clock.now = 400
    gate.wait(work('young'))
    unwanted.isWanted = false
    clock.now = 5_100
    gate.settle()
    expect(log).toEqual(['shed old', 'young'])
  })

  it('gives the place to the next when there is nobody left to begin', () => {
    const { gate, log, work } = make({ startingMax: 1 })
    gate.tryEnter()
    gate.wait(work('gone', false))
    gate.wait(work('there'))
    gate.settle()
    gate.leave()
    expect(log).toEqual(['gone', 'there'])
    expect([gate.inFlight, gate.starting]).toEqual([1, 1])
  })

  it.each([
    [0.1, 64],
    [5, 10],
    [100, STARTING_MIN],
  ])('lets as many begin at once as take about 50 ms together: each %d ms, %d', (ms, most) => {
    const { clock, gate, work } = make({ startingMax: 64, queuedMax: 1_000, queueMaxMs: 1e9, queueTargetMs: 1e9 })
    while (gate.tryEnter()) gate.leave()
    for (let n = 0; n < 300; n++) gate.wait(work('a'))
    for (let n = 0; n < 280; n++) {
      clock.now += ms
      gate.settle()
      gate.leave()
    }
    expect(Math.abs(gate.startingMax - most)).toBeLessThanOrEqual(1)
  })
})
