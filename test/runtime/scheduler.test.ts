import { createScheduler, createSystem, defineActor, type Ref, sys } from 'bough/runtime'
import { describe, expect, it } from 'vitest'

const Player = defineActor({
  name: 'player',
  init: () => ({ other: undefined as Ref | undefined, hits: 0 }),
  cast: {
    meet: (state, other: Ref) => {
      state.other = other
    },
    hit: (state) => {
      state.hits++
      state.other?.cast('hit')
    },
  },
  call: { hits: (state) => state.hits },
})

describe('64 pairs of processes that feed each other without end', () => {
  it('starve neither immediates nor timers nor control requests nor each other', async () => {
    const system = createSystem()
    const players: Ref<typeof Player>[] = []
    for (let pair = 0; pair < 64; pair++) {
      const [a, b] = [await system.start(Player), await system.start(Player)]
      a.cast('meet', b as unknown as Ref)
      b.cast('meet', a as unknown as Ref)
      a.cast('hit')
      players.push(a, b)
    }
    let immediates = 0
    let timers = 0
    const countImmediate = (): void => {
      immediates++
      if (immediates < 50 || timers < 5) setImmediate(countImmediate)
    }
    const countTimer = (): void => {
      timers++
      if (timers < 5) setTimeout(countTimer, 1)
    }
    setImmediate(countImmediate)
    setTimeout(countTimer, 1)
    // The test ends by these events alone: were they starved, it would time out.
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (immediates >= 50 && timers >= 5) resolve()
        else setImmediate(look)
      }
      look()
    })
    expect(await sys.getState(players[0]!)).toBeDefined()
    const hits = await Promise.all(players.map((player) => player.call('hits')))
    expect(Math.min(...hits)).toBeGreaterThan(0)
    expect(Math.max(...hits)).toBeLessThan(20 * Math.min(...hits) + 1_000)
    await system.stop()
  })
})

describe('the scheduler', () => {
  it('lets the event loop in after the budget of one macrotask, though replies are microtasks', async () => {
    const system = createSystem({ scheduler: createScheduler({ messagesPerTurn: 64 }) })
    const a = await system.start(Player)
    let isOver = false
    setImmediate(() => {
      isOver = true
    })
    let calls = 0
    while (!isOver) {
      await a.call('hits')
      if (++calls > 10_000) break
    }
    expect(isOver).toBe(true)
    await system.stop()
  })

  it("gives each process at most its share before the next one's turn", async () => {
    const order: string[] = []
    const Noter = defineActor({
      name: 'noter',
      init: (name: string) => name,
      info: (name) => {
        order.push(name)
      },
    })
    const system = createSystem({
      scheduler: createScheduler({ messagesPerActor: 2, turnMs: Number.POSITIVE_INFINITY }),
    })
    const [a, b] = [await system.start(Noter, 'a'), await system.start(Noter, 'b')]
    for (let index = 0; index < 5; index++) {
      a.send(index)
      b.send(index)
    }
    await new Promise((resolve) => setImmediate(resolve))
    expect(order.join('')).toBe('aabbaabbab')
    await system.stop()
  })

  it('does not hold the program open when nothing is left to do', async () => {
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const system = createSystem()
    const a = await system.start(Player)
    await a.call('hits')
    await a.stop()
    expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length).toBe(before)
  })
})
