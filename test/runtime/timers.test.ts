import { VirtualClock } from 'bough/testing'
import { describe, expect, it } from 'vitest'
import { Timers } from '#runtime/timers'

function setup(): {
  clock: VirtualClock
  timers: Timers
  fired: string[]
  start: (name: string, ms: number) => ReturnType<Timers['start']>
} {
  const clock = new VirtualClock()
  const timers = new Timers(clock)
  const fired: string[] = []
  return { clock, timers, fired, start: (name, ms) => timers.start(ms, () => fired.push(`${name}@${clock.now()}`)) }
}

function runUntil(clock: VirtualClock, time: number): void {
  while (clock.nextDeadline <= time) clock.fireNext()
  clock.goTo(time)
}

describe('timers', () => {
  it('fire in order of their deadlines, whatever the order of their starts', () => {
    const { clock, fired, start } = setup()
    start('c', 30)
    start('a', 10)
    start('b', 20)
    runUntil(clock, 25)
    expect(fired).toEqual(['a@10', 'b@20'])
    runUntil(clock, 30)
    expect(fired).toEqual(['a@10', 'b@20', 'c@30'])
  })

  it('with one deadline fire in order of their starts', () => {
    const { clock, fired, start } = setup()
    for (const name of ['a', 'b', 'c', 'd', 'e']) start(name, 5)
    runUntil(clock, 5)
    expect(fired.join(' ')).toBe('a@5 b@5 c@5 d@5 e@5')
  })

  it('that are cancelled leave at once, fire never, and cancel only once', () => {
    const { clock, timers, fired, start } = setup()
    const one = start('one', 10)
    start('two', 20)
    expect(timers.cancel(one)).toBe(true)
    expect(timers.cancel(one)).toBe(false)
    expect(timers.size).toBe(1)
    runUntil(clock, 100)
    expect(fired).toEqual(['two@20'])
    expect(timers.size).toBe(0)
  })

  it('leave no timer of the clock behind when the last one is cancelled', () => {
    const { clock, timers, start } = setup()
    timers.cancel(start('only', 10))
    expect(clock.nextDeadline).toBe(Number.POSITIVE_INFINITY)
  })

  it('can be started and cancelled from a callback', () => {
    const { clock, timers, fired, start } = setup()
    const late = start('late', 20)
    timers.start(10, () => {
      timers.cancel(late)
      start('next', 0)
    })
    runUntil(clock, 50)
    expect(fired).toEqual(['next@10'])
  })

  it('treat a negative delay as none and Infinity as never', () => {
    const { clock, fired, start } = setup()
    start('never', Number.POSITIVE_INFINITY)
    start('now', -5)
    runUntil(clock, 1e12)
    expect(fired).toEqual(['now@0'])
  })

  it('refuse a delay that is not a number', () => {
    const { timers } = setup()
    expect(() => timers.start(Number.NaN, () => undefined)).toThrow(
      'A delay must be a number of milliseconds, got NaN.',
    )
    expect(timers.size).toBe(0)
  })
})
