// The kernel scenarios on Effect 4: an actor is a queue and a fiber that takes from it. A tell is an unsafe offer, a call
// an offer with a Deferred, a crash a defect that the actor's own loop recovers from with a new state.
import { Deferred, Effect, Fiber, Queue } from 'effect'

export function createLibrary({ deferred, FLOOD, held, IN_FLIGHT, SUBSCRIBERS }) {
  /** Starts an actor: `receive` gets the state of `init` and each message, and may return the effect to run for it. */
  const start = (init, receive) => {
    const queue = Effect.runSync(Queue.unbounded())
    const body = Effect.suspend(() => {
      const state = init(queue)
      return Effect.forever(
        Effect.flatMap(Queue.take(queue), (message) => receive(state, message) ?? Effect.void),
        { disableYield: true }, // the faster of the two: `take` suspends when nothing waits
      )
    })
    const supervised = Effect.catchCause(body, () => supervised)
    return { queue, fiber: Effect.runFork(supervised) }
  }
  const startSum = () =>
    start(
      () => ({ total: 0 }),
      (state, { op, value, reply }) => {
        if (op === 'add') {
          state.total += value
          return undefined
        }
        if (op === 'echo') return Deferred.succeed(reply, value)
        const { total } = state
        state.total = 0
        return Deferred.succeed(reply, total)
      },
    )
  const call = ({ queue }, op, value) =>
    Effect.suspend(() => {
      const reply = Deferred.makeUnsafe()
      Queue.offerUnsafe(queue, { op, value, reply })
      return Deferred.await(reply)
    })

  return {
    tell: () => {
      const actor = startSum()
      return async (operations) => {
        let total = 0
        for (let from = 0; from < operations; from += FLOOD) {
          for (let value = from; value < Math.min(from + FLOOD, operations); value += 1)
            Queue.offerUnsafe(actor.queue, { op: 'add', value, reply: undefined })
          total += await Effect.runPromise(call(actor, 'take', 0))
        }
        return total
      }
    },

    call: () => {
      const actor = startSum()
      return (operations) =>
        Effect.runPromise(
          Effect.gen(function* () {
            let total = 0
            for (let value = 0; value < operations; value += 1) total += yield* call(actor, 'echo', value)
            return total
          }),
        )
    },

    'call-1000': () => {
      const actor = startSum()
      return (operations) =>
        Effect.runPromise(
          Effect.gen(function* () {
            let total = 0
            for (let from = 0; from < operations; from += IN_FLIGHT) {
              const replies = []
              for (let value = from; value < from + IN_FLIGHT; value += 1) {
                const reply = Deferred.makeUnsafe()
                Queue.offerUnsafe(actor.queue, { op: 'echo', value, reply })
                replies.push(reply)
              }
              for (const reply of replies) total += yield* Deferred.await(reply)
            }
            return total
          }),
        )
    },

    'start-stop': () => (operations) =>
      Effect.runPromise(
        Effect.gen(function* () {
          let ended = 0
          for (; ended < operations; ended += 1) {
            const actor = startSum()
            yield* Fiber.interrupt(actor.fiber)
          }
          return ended
        }),
      ),

    'ping-pong': () => {
      let hits = 0
      let done = deferred()
      const player = () =>
        start(
          (self) => self,
          (self, { left, from }) => {
            hits += 1
            if (left > 1) Queue.offerUnsafe(from, { left: left - 1, from: self })
            else done.resolve()
          },
        )
      const ping = player()
      const pong = player()
      return async (operations) => {
        hits = 0
        done = deferred()
        Queue.offerUnsafe(ping.queue, { left: operations, from: pong.queue })
        await done.promise
        return hits
      }
    },

    'fan-out': () => {
      let received = 0
      let missing = 0
      let done = deferred()
      const subscribers = Array.from({ length: SUBSCRIBERS }, () =>
        start(
          () => undefined,
          (_state, value) => {
            received += value
            missing -= 1
            if (missing === 0) done.resolve()
          },
        ),
      )
      const hub = start(
        () => undefined,
        (_state, value) => {
          for (const { queue } of subscribers) Queue.offerUnsafe(queue, value)
        },
      )
      return async (operations) => {
        received = 0
        for (let sent = 0; sent < operations; sent += SUBSCRIBERS) {
          missing = SUBSCRIBERS
          done = deferred()
          Queue.offerUnsafe(hub.queue, 1)
          await done.promise
        }
        return received
      }
    },

    crash: () => {
      let restarted = deferred()
      const actor = start(
        () => restarted.resolve(),
        (_state, { op, reply }) => {
          if (op === 'crash') throw new Error('as asked')
          return Deferred.succeed(reply, 1)
        },
      )
      return async (operations) => {
        let replies = 0
        for (let crashes = 0; crashes < operations; crashes += 1) {
          restarted = deferred()
          Queue.offerUnsafe(actor.queue, { op: 'crash', value: 0, reply: undefined })
          await restarted.promise
          replies += await Effect.runPromise(call(actor, 'reply', 0))
        }
        return replies
      }
    },

    heap: () => (operations) => {
      const actors = new Array(operations)
      for (let index = 0; index < operations; index += 1) actors[index] = startSum()
      held.push(actors)
      return operations
    },
  }
}
