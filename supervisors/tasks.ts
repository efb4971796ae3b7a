/**
 * Tasks outlive their sessions. The processes of running tasks answer to the manager, which alone may write: without it they are
 * ended with it and taken up again from the records. One that crashes ends its own task and no other.
 */
import type { Services } from '#actors/services'
import { taskTemplate } from '#actors/task'
import { taskManagerChild } from '#actors/task-manager'
import { type ChildSpec, child, defineSupervisor, via } from '#runtime'

const TaskRuns = defineSupervisor({
  name: 'task-runs',
  strategy: 'simple_one_for_one',
  children: [taskTemplate()],
})

const Tasks = defineSupervisor('tasks', (services: Services) => ({
  strategy: 'rest_for_one',
  intensity: 5,
  period: 10_000,
  children: [
    taskManagerChild(services),
    child(TaskRuns, undefined, { id: 'task-runs', name: via(services.names, 'task-runs') }),
  ],
}))

export const tasksChild = (services: Services): ChildSpec => child(Tasks, services, { id: 'tasks' })
