// The kernel scenarios on the bare kernel.
import { type BareActor, BareKernel, type Behaviour } from './bare-kernel.ts'
import { deferred, FLOOD, held, IN_FLIGHT, type Library, PAIRS, SUBSCRIBERS, watchEventLoop } from './kernel-library.ts'

const kernel = new BareKernel()

type Sum = { total: number }
type SumMessage = { op: 'add' | 'take' | 'echo'; value: number }

const sum: Behaviour<Sum, SumMessage> = {
  init: () => ({ total: 0 }),
  receive: (state, { op, value }) => {
    if (op === 'add') {
      state.total += value
      return undefined
    }
    if (op === 'echo') return value
    const { total } = state
    state.total = 0
    return total
  },
}

type Ball = { left: number; from: BareActor<Ball> }

export const library: Library = {
  tell: async () => {
    const actor = await kernel.start(sum)
    return async (operations) => {
      let total = 0
      for (let from = 0; from < operations; from += FLOOD) {
        for (let value = from; value < Math.min(from + FLOOD, operations); value += 1) actor.tell({ op: 'add', value })
        total += (await actor.call({ op: 'take', value: 0 })) as number
      }
      return total
    }
  },

  call: async () => {
    const actor = await kernel.start(sum)
    return async (operations) => {
      let total = 0
      for (let value = 0; value < operations; value += 1) total += (await actor.call({ op: 'echo', value })) as number
      return total
    }
  },

  'call-1000': async () => {
    const actor = await kernel.start(sum)
    return async (operations) => {
      let total = 0
      for (let from = 0; from < operations; from += IN_FLIGHT) {
        const replies: Promise<unknown>[] = []
        for (let value = from; value < from + IN_FLIGHT; value += 1) replies.push(actor.call({ op: 'echo', value }))
        for (const reply of await Promise.all(replies)) total += reply as number
      }
      return total
    }
  },

  'start-stop': () => async (operations) => {
    let ended = 0
    for (; ended < operations; ended += 1) {
      const actor = await kernel.start(sum)
      await actor.stop()
    }
    return ended
  },

  'ping-pong': async () => {
    let hits = 0
    let done = deferred<void>()
    const player: Behaviour<{ self: BareActor<Ball> }, Ball> = {
      init: (self) => ({ self }),
      receive: (state, { left, from }) => {
        hits += 1
        if (left > 1) from.tell({ left: left - 1, from: state.self })
        else done.resolve()
      },
    }
    const ping = await kernel.start(player)
    const pong = await kernel.start(player)
    return async (operations) => {
      hits = 0
      done = deferred()
      ping.tell({ left: operations, from: pong })
      await done.promise
      return hits
    }
  },

  'fan-out': async () => {
    let received = 0
    let missing = 0
    let done = deferred<void>()
    const subscriber: Behaviour<undefined, number> = {
      init: () => undefined,
      receive: (_state, value) => {
        received += value
        if ((missing -= 1) === 0) done.resolve()
      },
    }
    const subscribers: BareActor<number>[] = []
    for (let index = 0; index < SUBSCRIBERS; index += 1) subscribers.push(await kernel.start(subscriber))
    const hub = await kernel.start<undefined, number>({
      init: () => undefined,
      receive: (_state, value) => {
        for (const ref of subscribers) ref.tell(value)
      },
    })
    return async (operations) => {
      received = 0
      for (let sent = 0; sent < operations; sent += SUBSCRIBERS) {
        missing = SUBSCRIBERS
        done = deferred()
        hub.tell(1)
        await done.promise
      }
      return received
    }
  },

  crash: async () => {
    let restarted = deferred<BareActor<string>>()
    const fragile: Behaviour<undefined, string> = {
      init: (self) => restarted.resolve(self) as undefined,
      receive: (_state, message) => {
        if (message === 'crash') throw new Error('as asked')
        return 1
      },
    }
    const start = (): Promise<BareActor<string>> => kernel.start(fragile, () => void start())
    let actor = await start()
    return async (operations) => {
      let replies = 0
      for (let crashes = 0; crashes < operations; crashes += 1) {
        restarted = deferred()
        actor.tell('crash')
        actor = await restarted.promise
        replies += (await actor.call('reply')) as number
      }
      return replies
    }
  },

  heap: () => async (operations) => {
    const actors = new Array<unknown>(operations)
    for (let index = 0; index < operations; index += 1) actors[index] = await kernel.start(sum)
    held.push(actors)
    return operations
  },

  delay: async () => {
    let hits = 0
    let playing = 0
    let done = deferred<void>()
    const player: Behaviour<{ self: BareActor<Ball> }, Ball> = {
      init: (self) => ({ self }),
      receive: (state, { left, from }) => {
        hits += 1
        if (left > 1) from.tell({ left: left - 1, from: state.self })
        else if ((playing -= 1) === 0) done.resolve()
      },
    }
    const players: BareActor<Ball>[] = []
    for (let index = 0; index < 2 * PAIRS; index += 1) players.push(await kernel.start(player))
    return async (operations) => {
      hits = 0
      playing = PAIRS
      done = deferred()
      const loop = watchEventLoop()
      for (let index = 0; index < PAIRS; index += 1)
        players[2 * index]!.tell({ left: operations / PAIRS, from: players[2 * index + 1]! })
      await done.promise
      return { checksum: hits, ms: loop.stop() }
    }
  },
}
