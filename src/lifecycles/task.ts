/**
 * The life of an MCP task, as an xstate machine:
 *
 *     working --requireInput--> input_required --provideInput--> working
 *     working, input_required --complete | fail | cancel--> completed | failed | cancelled, for good
 *
 * A task is working from the moment it exists; `start` says that somebody has begun with it, which changes nothing but the
 * message. Every event may carry a `statusMessage`; one without it keeps none, since the old message told of the old status.
 * The machine is asked once, when this module loads: a task manager reads the table, and an idle task holds one word.
 *
 * Spec: MCP 2025-11-25, basic/utilities/tasks, task status lifecycle.
 */
import { assign, setup } from 'xstate'
import { compileTable } from './table.ts'

const statuses = ['working', 'input_required', 'completed', 'failed', 'cancelled'] as const
const events = ['start', 'requireInput', 'provideInput', 'complete', 'fail', 'cancel'] as const

export type TaskStatus = (typeof statuses)[number]
export type TaskEventType = (typeof events)[number]

/** What happens to a task, with words for people. */
export interface TaskEvent {
  readonly type: TaskEventType
  readonly statusMessage?: string | undefined
}

const said = { actions: 'say' } as const
const ends = {
  complete: { target: 'completed', ...said },
  fail: { target: 'failed', ...said },
  cancel: { target: 'cancelled', ...said },
} as const

export const taskMachine = setup({
  types: {
    context: {} as { readonly statusMessage?: string | undefined },
    events: {} as TaskEvent,
    output: {} as { readonly statusMessage?: string | undefined },
  },
  actions: { say: assign({ statusMessage: ({ event }) => event.statusMessage }) },
}).createMachine({
  id: 'task',
  context: {},
  initial: 'working',
  output: ({ context }) => context,
  states: {
    working: {
      on: { start: { target: 'working', ...said }, requireInput: { target: 'input_required', ...said }, ...ends },
    },
    input_required: { on: { provideInput: { target: 'working', ...said }, ...ends } },
    completed: { type: 'final' },
    failed: { type: 'final' },
    cancelled: { type: 'final' },
  },
})

const table = compileTable(taskMachine, statuses, events)

/** The status that a task begins in. */
export const firstTaskStatus: TaskStatus = 'working'

/** The status after `event`, or undefined when a task in `status` does not allow it: a terminal status allows nothing. */
export function nextTaskStatus(status: TaskStatus, event: TaskEventType): TaskStatus | undefined {
  return table.get(status)?.get(event)
}

/** True for completed, failed and cancelled: such a task never changes again. */
export function isTerminal(status: TaskStatus): boolean {
  return table.get(status)?.size === 0
}
