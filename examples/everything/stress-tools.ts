/** Tools that wait, crash, spin, log and change things: what a server must survive and get right under load. */
import { type Server, text } from 'bough'
import type { LogLevel } from 'bough/protocol'
import { z } from 'zod'
import { WAIT_MAX_MS, waiting, waitWithProgress } from './waiting.ts'

const levels: readonly LogLevel[] = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

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
    run: async ({ uri }) => {
      await server.resourceUpdated(uri)
      return 'touched'
    },
  })
  server.tool('whoami', {
    description: 'Who the caller is; "anonymous" without authorization',
    run: (_args, ctx) => ctx.auth?.id ?? 'anonymous',
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
