// The least a message can cost in JavaScript: pushed on an array, taken off in a loop, given to a function.
import { FLOOD, type Library, SUBSCRIBERS } from './kernel-library.ts'

interface Message {
  readonly to: (value: number) => void
  readonly value: number
}

/** Handles the queue, and what the handlers append to it, in order. */
function drain(queue: Message[]): void {
  for (let at = 0; at < queue.length; at += 1) {
    const message = queue[at]!
    message.to(message.value)
  }
}

export const library: Library = {
  tell: () => (operations) => {
    let total = 0
    const to = (value: number) => {
      total += value
    }
    for (let from = 0; from < operations; from += FLOOD) {
      const queue: Message[] = []
      for (let value = from; value < Math.min(from + FLOOD, operations); value += 1) queue.push({ to, value })
      drain(queue)
    }
    return total
  },

  call: () => async (operations) => {
    const answer = async (value: number) => value
    let total = 0
    for (let value = 0; value < operations; value += 1) total += await answer(value)
    return total
  },

  'ping-pong': () => (operations) => {
    let hits = 0
    let queue: Message[] = []
    const hit = (to: () => (value: number) => void) => (left: number) => {
      hits += 1
      if (left > 1) queue.push({ to: to(), value: left - 1 })
    }
    const ping: (value: number) => void = hit(() => pong)
    const pong: (value: number) => void = hit(() => ping)
    for (let left = operations; left > 0; left -= FLOOD) {
      queue = [{ to: ping, value: Math.min(left, FLOOD) }]
      drain(queue)
    }
    return hits
  },

  'fan-out': () => {
    let received = 0
    const subscribers = Array.from({ length: SUBSCRIBERS }, () => (value: number) => {
      received += value
    })
    return (operations) => {
      received = 0
      for (let sent = 0; sent < operations; sent += SUBSCRIBERS) {
        drain(subscribers.map((to) => ({ to, value: 1 })))
      }
      return received
    }
  },
}
