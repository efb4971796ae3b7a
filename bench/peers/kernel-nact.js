// The kernel scenarios on nact 7. A call is its `query`; a crash is answered by its `reset`, which makes a new state in the
// same actor; `stop` tells nobody when it is done, so a start and a stop wait for nothing.
import nact from 'nact'

const { dispatch, query, spawn, start: startSystem, stop } = nact

// Its temporary references have random numbers, so two queries in flight may rarely share one: a reply is then lost, the run
// fails after this time, and the benchmark says so.
const WITHIN_MS = 10_000

export function createLibrary({ deferred, FLOOD, held, IN_FLIGHT, SUBSCRIBERS }) {
  const system = startSystem()
  let names = 0
  const start = (receive, properties) => spawn(system, receive, `actor-${names++}`, properties)
  const call = (actor, op, value) => query(actor, (reply) => ({ op, value, reply }), WITHIN_MS)
  const sum = (state, { op, value, reply }) => {
    if (op === 'add') {
      state.total += value
    } else if (op === 'echo') {
      dispatch(reply, value)
    } else {
      dispatch(reply, state.total)
      state.total = 0
    }
    return state
  }
  const startSum = () => start(sum, { initialStateFunc: () => ({ total: 0 }) })

  return {
    tell: () => {
      const actor = startSum()
      return async (operations) => {
        let total = 0
        for (let from = 0; from < operations; from += FLOOD) {
          for (let value = from; value < Math.min(from + FLOOD, operations); value += 1)
            dispatch(actor, { op: 'add', value, reply: undefined })
          total += await call(actor, 'take', 0)
        }
        return total
      }
    },

    call: () => {
      const actor = startSum()
      return async (operations) => {
        let total = 0
        for (let value = 0; value < operations; value += 1) total += await call(actor, 'echo', value)
        return total
      }
    },

    'call-1000': () => {
      const actor = startSum()
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

    'start-stop': () => async (operations) => {
      let ended = 0
      for (; ended < operations; ended += 1) {
        const actor = startSum()
        stop(actor)
        // It stops in a task of its own: without one now and then they would pile up.
        if (ended % IN_FLIGHT === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      return ended
    },

    'ping-pong': () => {
      let hits = 0
      let done = deferred()
      const player = (_state, { left, from }, { self }) => {
        hits += 1
        if (left > 1) dispatch(from, { left: left - 1, from: self })
        else done.resolve()
      }
      const ping = start(player)
      const pong = start(player)
      return async (operations) => {
        hits = 0
        done = deferred()
        dispatch(ping, { left: operations, from: pong })
        await done.promise
        return hits
      }
    },

    'fan-out': () => {
      let received = 0
      let missing = 0
      let done = deferred()
      const subscribers = Array.from({ length: SUBSCRIBERS }, () =>
        start((_state, { value }) => {
          received += value
          missing -= 1
          if (missing === 0) done.resolve()
        }),
      )
      const hub = start((_state, message) => {
        for (const ref of subscribers) dispatch(ref, message)
      })
      return async (operations) => {
        received = 0
        for (let sent = 0; sent < operations; sent += SUBSCRIBERS) {
          missing = SUBSCRIBERS
          done = deferred()
          dispatch(hub, { value: 1 })
          await done.promise
        }
        return received
      }
    },

    crash: () => {
      let restarted = deferred()
      const actor = start(
        (_state, { op, reply }) => {
          if (op === 'crash') throw new Error('as asked')
          dispatch(reply, 1)
        },
        { initialStateFunc: () => restarted.resolve(), onCrash: (_message, _error, context) => context.reset },
      )
      return async (operations) => {
        let replies = 0
        for (let crashes = 0; crashes < operations; crashes += 1) {
          restarted = deferred()
          dispatch(actor, { op: 'crash', value: 0, reply: undefined })
          await restarted.promise
          replies += await call(actor, 'reply', 0)
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
