/** Tools that make trouble, to see that the server stays up: they crash, they are slow, they never yield. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from 'bough'
import { z } from 'zod'

const WAIT_MAX_MS = 60_000
const STEPS = 10

const waiting = z.object({
  ms: z.number().min(0).max(WAIT_MAX_MS).default(5_000).describe('How long, in milliseconds'),
})

export function addTrouble(server: Server): void {
  server.tool('crash', {
    description: 'Fails: throws at once, rejects later, or leaves behind an error that nobody waits for',
    input: z.object({ how: z.enum(['throw', 'reject', 'leak']).default('throw') }),
    run: async ({ how }) => {
      if (how === 'throw') throw new Error('This tool crashed, as it was asked to')
      if (how === 'leak') {
        setTimeout(() => {
          throw new Error('This error was thrown where nobody could catch it')
        }, 0)
        void Promise.reject(new Error('This promise was rejected, and nobody waits for it'))
        return 'Two errors were left behind. If you can read this and call the next tool, they did no harm.'
      }
      await sleep(50)
      throw new Error('This tool crashed a moment later, as it was asked to')
    },
  })
  server.tool('slow', {
    description: 'Takes its time, reports progress, and can be cancelled',
    input: waiting,
    timeout: 2 * WAIT_MAX_MS,
    run: async ({ ms }, ctx) => {
      for (let step = 1; step <= STEPS; step++) {
        await sleep(ms / STEPS, undefined, { signal: ctx.signal })
        ctx.progress(step, STEPS)
      }
      return `Done after ${ms} ms`
    },
  })
  server.tool('spin', {
    description: 'Keeps a thread busy without a pause; meanwhile everything else is answered, and it can be cancelled',
    input: waiting,
    isolate: 'thread',
    timeout: 2 * WAIT_MAX_MS,
    // Its source is sent to a thread: it may use globals, and nothing of this file.
    run: ({ ms }) => {
      const end = performance.now() + ms
      let turns = 0
      while (performance.now() < end) turns++
      return `Turned round ${turns} times in ${ms} ms`
    },
  })
}
