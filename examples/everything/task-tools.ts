/** Tools that run as tasks: long ones, failing ones, ones that ask while they run, and one that asks before it is a task. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode, ProtocolError, type Server } from 'bough'
import type { ElicitResult } from 'bough/protocol'
import { z } from 'zod'
import { WAIT_MAX_MS, waiting, waitWithProgress } from './waiting.ts'

/** Longest run of one task, in ms. */
const TASK_TIMEOUT_MS = WAIT_MAX_MS + 10_000

export function addTaskTools(server: Server): void {
  server.tool('taskable', {
    description: 'Sleeps, reports progress, and returns "done", or fails if it is told to; may run as a task',
    input: waiting.extend({ fail: z.boolean().optional() }),
    task: 'optional',
    timeout: TASK_TIMEOUT_MS,
    run: async ({ ms, fail }, ctx) => {
      await waitWithProgress(ms, ctx.signal, (step, steps) => ctx.progress(step, steps))
      return fail === true ? { content: [{ type: 'text', text: 'failed' }], isError: true } : 'done'
    },
  })
  server.tool('task_only', {
    description: 'Sleeps and returns "done"; runs as a task only',
    input: waiting,
    task: 'required',
    timeout: TASK_TIMEOUT_MS,
    run: async ({ ms }, ctx) => {
      await sleep(ms, undefined, { signal: ctx.signal })
      return 'done'
    },
  })
  server.tool('task_elicit', {
    description: 'Asks the user for a yes or no while it runs, and returns "ok=true" or "ok=false"',
    task: 'optional',
    timeout: TASK_TIMEOUT_MS,
    run: async (_args, ctx) => {
      const { action, content } = await ctx.elicit(yesOrNo('Is it all right?', 'ok'))
      return `ok=${action === 'accept' && content?.['ok'] === true}`
    },
  })
  addExtensionTools(server)
}

/** The tools of the conformance scenarios for the tasks extension. */
function addExtensionTools(server: Server): void {
  server.tool('greet', {
    description: 'Greets at once; never a task',
    input: z.object({ name: z.string() }),
    run: ({ name }) => `Hello, ${name}!`,
  })
  server.tool('slow_compute', {
    description: 'Computes for some seconds',
    input: z.object({
      seconds: z
        .number()
        .min(0)
        .max(WAIT_MAX_MS / 1_000),
      label: z.string().optional(),
    }),
    task: 'optional',
    timeout: TASK_TIMEOUT_MS,
    run: async ({ seconds, label }, ctx) => {
      await sleep(seconds * 1_000, undefined, { signal: ctx.signal })
      return `Computed ${label ?? 'it'} for ${seconds} s`
    },
  })
  server.tool('failing_job', {
    description: 'Fails after a while, with a result that says so; runs as a task only',
    task: 'required',
    run: async (_args, ctx) => {
      await sleep(100, undefined, { signal: ctx.signal })
      return { content: [{ type: 'text', text: 'The job failed, as it always does' }], isError: true }
    },
  })
  server.tool('protocol_error_job', {
    description: 'Ends with a JSON-RPC error',
    task: 'optional',
    run: () => {
      throw new ProtocolError(ErrorCode.InternalError, 'The job broke the protocol, as it always does')
    },
  })
  server.tool('confirm_delete', {
    description: 'Asks whether to delete a file while it runs (it deletes nothing)',
    input: z.object({ filename: z.string() }),
    task: 'optional',
    timeout: TASK_TIMEOUT_MS,
    run: async ({ filename }, ctx) => {
      const { action, content } = await ctx.elicit(yesOrNo(`Delete ${filename}?`, 'confirm'))
      return action === 'accept' && content?.['confirm'] === true ? `Deleted ${filename}` : `Kept ${filename}`
    },
  })
  server.tool('multi_input', {
    description: 'Asks two questions at once while it runs',
    task: 'optional',
    timeout: TASK_TIMEOUT_MS,
    run: async (_args, ctx) => {
      const answers = await Promise.all([
        ctx.elicit(nameForm('What is the first name?')),
        ctx.elicit(nameForm('What is the second name?')),
      ])
      return answers.map(named).join(' and ')
    },
  })
  server.tool('test_tool_with_task', {
    description: 'Asks for a name before it is a task; runs as a task only',
    task: 'required',
    prepare: (_args, ctx) => ctx.elicit(nameForm('What is your name?'), { key: 'user_name' }),
    run: async (_args, ctx) =>
      `Hello, ${named(await ctx.elicit(nameForm('What is your name?'), { key: 'user_name' }))}!`,
  })
}

function yesOrNo(message: string, name: string) {
  return { message, requestedSchema: { type: 'object', properties: { [name]: { type: 'boolean' } }, required: [name] } }
}

function nameForm(message: string) {
  return { message, requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } }
}

function named({ action, content }: ElicitResult): string {
  return action === 'accept' ? String(content?.['name']) : `(${action})`
}
