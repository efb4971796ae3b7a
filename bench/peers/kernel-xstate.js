// The kernel scenarios on xstate 5: actors of `fromTransition`. Its `send` handles the message at once, so a tell is no
// queue, and a call is an event that carries its reply. It has no restart: the crash is observed and a new actor created.
import { createActor, fromTransition } from 'xstate'

export function createLibrary({ deferred, FLOOD, held, IN_FLIGHT, SUBSCRIBERS }) {
  const sum = fromTransition(
    (state, { type, value, reply }) => {
      if (type === 'add') return { total: state.total + value }
      if (type === 'echo') {
        reply(value)
        return state
      }
      reply(state.total)
      return { total: 0 }
    },
    { total: 0 },
  )
  const start = (logic, input) => createActor(logic, { input }).start()
  const call = (actor, type, value) => new Promise((reply) => actor.send({ type, value, reply }))

  return {
    tell: () => {
      const actor = start(sum)
      return async (operations) => {
        let total = 0
        for (let from = 0; from < operations; from += FLOOD) {
          for (let value = from; value < Math.min(from + FLOOD, operations); value += 1)
            actor.send({ type: 'add', value })
          total += await call(actor, 'take', 0)
        }
        return total
      }
    },

    call: () => {
      const actor = start(sum)
      return async (operations) => {
        let total = 0
        for (let value = 0; value < operations; value += 1) total += await call(actor, 'echo', value)
        return total
      }
    },

    'call-1000': () => {
      const actor = start(sum)
      return async (operations) => {
        let total = 0
        for (let from = 0; from < operations; from += IN_FLIGHT) {
          const replies = []
          for (let value = from; value < from + IN_FLIGHT; value += 1) replies.push(call(actor, 'echo', value))
          for (const reply of await Promise.all(replies)) total += reply
        }
        return total
      }
    },

    'start-stop': () => (operations) => {
      let ended = 0
      for (; ended < operations; ended += 1) start(sum).stop()
      return ended
    },

    'ping-pong': () => {
      let hits = 0
      let done = deferred()
      const player = fromTransition((state, { left, from }, { self }) => {
        hits += 1
        if (left > 1) from.send({ type: 'hit', left: left - 1, from: self })
        else done.resolve()
        return state
      }, undefined)
      const ping = start(player)
      const pong = start(player)
      return async (operations) => {
        hits = 0
        done = deferred()
        ping.send({ type: 'hit', left: operations, from: pong })
        await done.promise
        return hits
      }
    },

    'fan-out': () => {
      let received = 0
      const subscriber = fromTransition((state, { value }) => {
        received += value
        return state
      }, undefined)
      const subscribers = Array.from({ length: SUBSCRIBERS }, () => start(subscriber))
      const hub = start(
        fromTransition((state, event) => {
          for (const ref of subscribers) ref.send(event)
          return state
        }, undefined),
      )
      return (operations) => {
        received = 0
        for (let sent = 0; sent < operations; sent += SUBSCRIBERS) hub.send({ type: 'publish', value: 1 })
        return received
      }
    },

    crash: () => {
      let actor
      const fragile = fromTransition((state, { type, reply }) => {
        if (type === 'crash') throw new Error('as asked')
        reply(1)
        return state
      }, undefined)
      const restart = () => {
        actor = createActor(fragile)
        actor.subscribe({ error: restart })
        actor.start()
      }
      restart()
      return async (operations) => {
        let replies = 0
        for (let crashes = 0; crashes < operations; crashes += 1) {
          actor.send({ type: 'crash' })
          replies += await call(actor, 'reply', 0)
        }
        return replies
      }
    },

    heap: () => (operations) => {
      const actors = new Array(operations)
      for (let index = 0; index < operations; index += 1) actors[index] = start(sum)
      held.push(actors)
      return operations
    },
  }
}
