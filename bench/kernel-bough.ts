// The kernel scenarios on bough/runtime.
import { child, createSystem, defineActor, defineSupervisor, type Ref } from 'bough/runtime'
import { deferred, FLOOD, held, IN_FLIGHT, type Library, PAIRS, SUBSCRIBERS, watchEventLoop } from './kernel-library.ts'
import { waiting } from './kernel-waiting.ts'

const system = createSystem()

const Sum = defineActor({
  name: 'sum',
  version: 1,
  init: () => ({ total: 0 }),
  call: {
    echo: (_state, value: number) => value,
    take: (state) => {
      const { total } = state
      state.total = 0
      return total
    },
  },
  cast: {
    add: (state, value: number) => {
      state.total += value
    },
  },
})

export const library: Library = {
  tell: async () => {
    const actor = await system.start(Sum)
    return async (operations) => {
      let total = 0
      for (let from = 0; from < operations; from += FLOOD) {
        for (let value = from; value < Math.min(from + FLOOD, operations); value += 1) actor.cast('add', value)
        total += await actor.call('take')
      }
      return total
    }
  },

  call: async () => {
    const actor = await system.start(Sum)
    return async (operations) => {
      let total = 0
      for (let value = 0; value < operations; value += 1) total += await actor.call('echo', value)
      return total
    }
  },

  'call-1000': async () => {
    const actor = await system.start(Sum)
    return async (operations) => {
      let total = 0
      for (let from = 0; from < operations; from += IN_FLIGHT) {
        const replies: Promise<number>[] = []
        for (let value = from; value < from + IN_FLIGHT; value += 1) replies.push(actor.call('echo', value))
        for (const reply of await Promise.all(replies)) total += reply
      }
      return total
    }
  },

  'start-stop': () => async (operations) => {
    let ended = 0
    for (; ended < operations; ended += 1) {
      const actor = await system.start(Sum)
      await actor.stop()
    }
    return ended
  },

  'ping-pong': async () => {
    let hits = 0
    let done = deferred<void>()
    interface Ball {
      readonly left: number
      readonly from: Player
    }
    interface Player {
      cast(op: 'hit', ball: Ball): unknown
    }
    const Player = defineActor({
      name: 'player',
      version: 1,
      init: () => undefined,
      cast: {
        hit: (_state, ball: Ball, self) => {
          hits += 1
          if (ball.left > 1) ball.from.cast('hit', { left: ball.left - 1, from: self.ref as Player })
          else done.resolve()
        },
      },
    })
    const ping = await system.start(Player)
    const pong = await system.start(Player)
    return async (operations) => {
      hits = 0
      done = deferred()
      ping.cast('hit', { left: operations, from: pong })
      await done.promise
      return hits
    }
  },

  'fan-out': async () => {
    let received = 0
    let missing = 0
    let done = deferred<void>()
    const Subscriber = defineActor({
      name: 'subscriber',
      version: 1,
      init: () => undefined,
      cast: {
        publish: (_state, value: number) => {
          received += value
          if ((missing -= 1) === 0) done.resolve()
        },
      },
    })
    const subscribers: Ref<typeof Subscriber>[] = []
    for (let index = 0; index < SUBSCRIBERS; index += 1) subscribers.push(await system.start(Subscriber))
    const Hub = defineActor({
      name: 'hub',
      version: 1,
      init: () => undefined,
      cast: {
        publish: (_state, value: number) => {
          for (const ref of subscribers) ref.cast('publish', value)
        },
      },
    })
    const hub = await system.start(Hub)
    return async (operations) => {
      received = 0
      for (let sent = 0; sent < operations; sent += SUBSCRIBERS) {
        missing = SUBSCRIBERS
        done = deferred()
        hub.cast('publish', 1)
        await done.promise
      }
      return received
    }
  },

  crash: async () => {
    interface Fragile {
      call(op: 'reply'): Promise<number>
      cast(op: 'crash'): unknown
    }
    let restarted = deferred<Fragile>()
    const Fragile = defineActor({
      name: 'fragile',
      version: 1,
      init: (_: undefined, self) => restarted.resolve(self.ref as Fragile),
      call: { reply: () => 1 },
      cast: {
        crash: () => {
          throw new Error('as asked')
        },
      },
    })
    const Tree = defineSupervisor({
      strategy: 'one_for_one',
      intensity: 1_000_000_000, // the benchmark crashes it as often as it can
      period: 1,
      children: [child(Fragile, undefined, { id: 'fragile' })],
    })
    await system.start(Tree)
    let actor = await restarted.promise
    return async (operations) => {
      let replies = 0
      for (let crashes = 0; crashes < operations; crashes += 1) {
        restarted = deferred()
        actor.cast('crash')
        actor = await restarted.promise
        replies += await actor.call('reply')
      }
      return replies
    }
  },

  heap: () => async (operations) => {
    const actors = new Array<unknown>(operations)
    for (let index = 0; index < operations; index += 1) actors[index] = await system.start(Sum)
    held.push(actors)
    return operations
  },

  delay: async () => {
    let hits = 0
    let playing = 0
    let done = deferred<void>()
    interface Ball {
      readonly left: number
      readonly from: Player
    }
    interface Player {
      cast(op: 'hit', ball: Ball): unknown
    }
    const Player = defineActor({
      name: 'player',
      version: 1,
      init: () => undefined,
      cast: {
        hit: (_state, ball: Ball, self) => {
          hits += 1
          if (ball.left > 1) ball.from.cast('hit', { left: ball.left - 1, from: self.ref as Player })
          else if ((playing -= 1) === 0) done.resolve()
        },
      },
    })
    const players: Ref<typeof Player>[] = []
    for (let index = 0; index < 2 * PAIRS; index += 1) players.push(await system.start(Player))
    return async (operations) => {
      hits = 0
      playing = PAIRS
      done = deferred()
      const loop = watchEventLoop()
      for (let index = 0; index < PAIRS; index += 1)
        players[2 * index]!.cast('hit', { left: operations / PAIRS, from: players[2 * index + 1]! })
      await done.promise
      return { checksum: hits, ms: loop.stop() }
    }
  },

  ...waiting(system),
}
