import {
  firstTaskStatus,
  fromMachine,
  isTerminal,
  nextTaskStatus,
  type TaskStatus,
  taskMachine,
} from 'bough/lifecycles'
import { describe, expect, it } from 'vitest'
import { createWorld } from './support.ts'

const events = ['start', 'requireInput', 'provideInput', 'complete', 'fail', 'cancel'] as const

/** Spec: MCP 2025-11-25, basic/utilities/tasks: what each status may become. */
const legal: Readonly<Record<TaskStatus, readonly (TaskStatus | undefined)[]>> = {
  working: ['working', 'input_required', undefined, 'completed', 'failed', 'cancelled'],
  input_required: [undefined, undefined, 'working', 'completed', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
}

describe('the life of a task', () => {
  it('begins in working', () => {
    expect(firstTaskStatus).toBe('working')
  })

  it.each(Object.keys(legal) as TaskStatus[])('from %s goes only where the specification lets it', (status) => {
    expect(events.map((event) => nextTaskStatus(status, event))).toEqual(events.map((_, place) => legal[status][place]))
  })

  it('is over in completed, failed and cancelled, for good', () => {
    expect((Object.keys(legal) as TaskStatus[]).filter(isTerminal)).toEqual(['completed', 'failed', 'cancelled'])
  })

  it('as a process keeps the last message, and ends with it', async () => {
    const sim = createWorld()
    const task = await sim.start(fromMachine(taskMachine, { name: 'task' }))
    task.cast('event', { type: 'requireInput', statusMessage: 'Which city?' })
    expect(await sim.run(task.call('snapshot'))).toMatchObject({
      value: 'input_required',
      context: { statusMessage: 'Which city?' },
    })
    const working = await sim.run(task.call('event', { type: 'provideInput' }))
    expect(working).toMatchObject({ value: 'working', context: { statusMessage: undefined } })
    const last = await sim.run(task.call('event', { type: 'fail', statusMessage: 'No such city' }))
    expect(last).toMatchObject({ value: 'failed', status: 'done', output: { statusMessage: 'No such city' } })
    expect(task.alive).toBe(false)
  })
})
