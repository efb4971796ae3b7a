/** The life of a client's connection, phase by phase. */
import { connectionMachine, firstConnectionPhase, nextConnectionPhase } from 'bough/lifecycles'
import { describe, expect, it } from 'vitest'
import { createActor } from 'xstate'

const events = ['probe', 'modern', 'legacy', 'initialized', 'lost', 'give_up', 'close'] as const

describe('a connection', () => {
  it('begins by asking which era the server is of', () => {
    expect(firstConnectionPhase).toBe('probing')
  })

  it.each([
    ['probing', 'modern', 'operating'],
    ['probing', 'legacy', 'initializing'],
    ['initializing', 'initialized', 'operating'],
    ['operating', 'lost', 'reconnecting'],
    ['reconnecting', 'probe', 'probing'],
    ['reconnecting', 'legacy', 'initializing'],
    ['reconnecting', 'give_up', 'failed'],
    ['failed', 'probe', 'probing'],
    ['operating', 'close', 'closed'],
  ] as const)('goes from %s on %s to %s', (phase, event, expected) => {
    expect(nextConnectionPhase(phase, event)).toBe(expected)
  })

  it.each([
    ['operating', 'initialized'],
    ['operating', 'legacy'],
    ['reconnecting', 'modern'],
    ['failed', 'initialized'],
  ] as const)('does not allow in %s what is not for it: %s', (phase, event) => {
    expect(nextConnectionPhase(phase, event)).toBeUndefined()
  })

  it('is closed for good', () => {
    for (const event of events) expect(nextConnectionPhase('closed', event)).toBeUndefined()
  })

  it('is the machine that the table was made of', () => {
    const actor = createActor(connectionMachine).start()
    for (const type of ['legacy', 'initialized', 'lost', 'legacy', 'give_up', 'probe', 'modern', 'close'])
      actor.send({ type })
    expect(actor.getSnapshot()).toMatchObject({ value: 'closed', status: 'done' })
  })
})
