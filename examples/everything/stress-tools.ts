/** Tools that wait, crash, spin, log and change things: what a server must survive and get right under load. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Server, text } from 'bough'
import type { LogLevel } from 'bough/protocol'
import { z } from 'zod'

/** Longest wait or spin of one call. */
const WAIT_MAX_MS = 600_000

const PROGRESS_EVERY_MS = 50

const levels: readonly LogLevel[] = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

const waiting = z.object({ ms: z.number().min(0).max(WAIT_MAX_MS).describe('How long, in milliseconds') })

export function addStressTools(server: Server): void {
  let abortedCount = 0
  server.tool('slow', {
    description: 'Sleeps, reports progress every 50 ms, can be cancelled, and returns "done"',
    input: waiting,
    timeout: WAIT_MAX_MS + 10_000,
    run: async ({ ms }, ctx) => {
      try {
        await waitWithProgress(ms, ctx.signal, (step, steps) => ctx.progress(step, steps))
      } catch (error) {
        if (ctx.signal.aborted) abortedCount++
        throw error
      }
      return 'done'
    },
  })
  server.tool('aborted_count', {
    description: 'How many calls of "slow" were aborted since the process started',
    run: () => String(abortedCount),
  })
  server.tool('crash', {
    description: 'Throws outside of its promise, leaves a rejected promise behind, and throws inside',
    run: () => {
      setTimeout(() => {
        throw new Error('crash: thrown outside of the promise')
      }, 0)
      void Promise.reject(new Error('crash: rejected, and nobody waits for it'))
      throw new Error('crash: thrown inside')
    },
  })
  server.tool('spin', {
    description: 'Keeps a thread of its own busy, without a pause, and returns "spun"',
    input: waiting,
    isolate: 'thread',
    timeout: WAIT_MAX_MS + 10_000,
    // Its source is sent to a thread: it may use globals, and nothing of this file.
    run: ({ ms }) => {
      const end = performance.now() + ms
      while (performance.now() < end);
      return 'spun'
    },
  })
  server.tool('log_all', {
    description: "Sends one log message at each of the eight levels, rising, whose data is the level's name",
    run: (_args, ctx) => {
      for (const level of levels) ctx.log(level, level)
      return 'logged'
    },
  })
  server.tool('touch', {
    description: 'Tells the subscribers of a resource that it was updated',
    input: z.object({ uri: z.string() }),
    run: ({ uri }) => {
      server.resourceUpdated(uri)
      return 'touched'
    },
  })
  server.tool('whoami', {
    description: 'Who the caller is; "anonymous" without authorization',
    run: (_args, ctx) => (typeof ctx.auth === 'string' ? ctx.auth : 'anonymous'),
  })
}

/** Tools that change the lists, so that clients hear of it. */
export function addChangingTools(server: Server): void {
  let toolChanges = 0
  server.tool('test_trigger_tool_change', {
    description: 'Replaces the tool "test_changing_tool", so that the list of tools changes',
    run: () => {
      const version = ++toolChanges
      server.tool('test_changing_tool', {
        description: `Version ${version} of a tool that changes`,
        run: () => `version ${version}`,
      })
      return [text('The list of tools changed')]
    },
  })
  server.tool('test_changing_tool', {
    description: 'Version 0 of a tool that changes',
    run: () => 'version 0',
  })
  let promptChanges = 0
  server.tool('test_trigger_prompt_change', {
    description: 'Replaces the prompt "test_changing_prompt", so that the list of prompts changes',
    run: () => {
      const version = ++promptChanges
      server.prompt('test_changing_prompt', {
        description: `Version ${version} of a prompt that changes`,
        get: () => `version ${version}`,
      })
      return [text('The list of prompts changed')]
    },
  })
  server.prompt('test_changing_prompt', {
    description: 'Version 0 of a prompt that changes',
    get: () => 'version 0',
  })
}

/** Waits `ms`; calls `report` at every full 50 ms with 1, 2, 3, ... of floor(ms / 50). Rejects when `signal` aborts. */
async function waitWithProgress(
  ms: number,
  signal: AbortSignal,
  report: (step: number, steps: number) => void,
): Promise<void> {
  const startedAt = performance.now()
  // A late timer shortens the next wait, so that many steps together take as long as they should.
  const until = (atMs: number) => sleep(Math.max(0, startedAt + atMs - performance.now()), undefined, { signal })
  const steps = Math.floor(ms / PROGRESS_EVERY_MS)
  for (let step = 1; step <= steps; step++) {
    await until(step * PROGRESS_EVERY_MS)
    report(step, steps)
  }
  await until(ms)
}
