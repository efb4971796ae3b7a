import { defineActor, type Self, task } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld } from './support.ts'

const Owner = defineActor({
  name: 'owner',
  trapExits: true,
  init: (_arg: undefined, self: Self<never>) => ({ self, received: [] as unknown[] }),
  call: { do: (_state, act: (self: Self) => unknown, self) => act(self as unknown as Self) },
  info: (state, message) => {
    state.received.push(message)
  },
})

describe('a task', () => {
  it('resolves to the value of its function and leaves nothing', async () => {
    const sim = createWorld()
    expect(await sim.run(task(sim.system, async () => 5))).toBe(5)
    expect(await sim.run(task(sim.system, () => 6))).toBe(6)
    expect(sim.system.processCount).toBe(0)
  })

  it('rejects with what its function threw, and its owner lives on', async () => {
    const sim = createWorld()
    const owner = await sim.start(Owner)
    const failed = sim.run(
      owner.call('do', (self) =>
        task(self, () => {
          throw new Error('no')
        }).catch((error: unknown) => error),
      ),
    )
    expect(await failed).toMatchObject({ message: 'no' })
    expect(owner.alive).toBe(true)
    expect(owner.info()).toMatchObject({ links: 0, monitoredBy: 0 })
  })

  it.each(['normal', 'crash', 'kill'])('has its signal aborted when its owner ends with %s', async (reason) => {
    const sim = createWorld()
    const owner = await sim.start(Owner)
    let signal: AbortSignal | undefined
    let outcome: unknown
    await sim.run(
      owner.call('do', (self) => {
        task(self, (given) => {
          signal = given
          return new Promise(() => undefined)
        }).catch((error: unknown) => {
          outcome = error
        })
      }),
    )
    await sim.settle()
    expect(signal?.aborted).toBe(false)
    if (reason === 'kill') owner.exit('kill')
    else await sim.run(owner.stop(reason))
    await sim.settle()
    expect(signal?.aborted).toBe(true)
    expect(outcome).toMatchObject({ message: expect.stringContaining('The task ended before it was done') })
    expect(sim.system.processCount).toBe(0)
  })

  it('is refused to an owner that has ended', async () => {
    const sim = createWorld()
    const owner = await sim.start(Owner)
    let kept: Self | undefined
    await sim.run(
      owner.call('do', (self) => {
        kept = self
      }),
    )
    owner.exit('kill')
    await expect(sim.run(task(kept!, () => 1))).rejects.toMatchObject({ code: 'stopped' })
  })
})
