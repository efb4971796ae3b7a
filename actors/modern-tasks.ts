/**
 * Tasks in the form of the modern era's extension: which calls become tasks, and what may be asked of one. A tool with
 * `prepare` asks first, in the rounds of the call; then the task is made, and finds the answers.
 *
 * Spec: SEP-2663, io.modelcontextprotocol/tasks.
 */
import {
  type ErrorObject,
  hasExtension,
  type JsonObject,
  methodNotFound,
  ProtocolError,
  TASKS_EXTENSION,
} from '#protocol'
import { modernCreated, modernTaskDetails } from '#protocol/tasks'
import type { ModernRequest } from './modern-call.ts'
import type { Services } from './services.ts'
import { cancelTask, createTask, getTask, type NewTask, type TaskAnswer, updateTask } from './task-manager.ts'
import { missingTasksExtension, shouldBecomeTask } from './task-methods.ts'
import { ownerOf } from './task-record.ts'

/** The result of tasks/get, tasks/update or tasks/cancel. Rejects with a ProtocolError. */
export async function answerTaskRequest(services: Services, request: ModernRequest): Promise<JsonObject> {
  const { message, params, client, auth } = request
  if (!hasExtension(client.clientCapabilities, TASKS_EXTENSION)) throw thrown(missingTasksExtension())
  const id = String(params['taskId'])
  const owner = ownerOf(auth, undefined)
  switch (message.method) {
    case 'tasks/get':
      return modernTaskDetails(viewIn(await getTask(services, id, owner)))
    case 'tasks/update':
      viewIn(await updateTask(services, id, owner, params['inputResponses'] as JsonObject))
      return {}
    case 'tasks/cancel':
      viewIn(await cancelTask(services, id, owner))
      return {}
    default:
      throw methodNotFound(message.method)
  }
}

/** Whether a tools/call is to become a task. Throws the error -32021 for a tool that runs only as one. */
export function isTask(services: Services, { message, params, client }: ModernRequest): boolean {
  if (message.method !== 'tools/call') return false
  const kind = shouldBecomeTask(services.catalog.tools.get(String(params['name'])), client)
  if (typeof kind === 'object') throw thrown(kind)
  return kind === 'task'
}

/** Makes a task of a call; `answers` are those that the client gave before. Resolves to the result, once the task is durable. */
export async function taskOf(
  services: Services,
  { params, client, auth, watch }: ModernRequest,
  answers: NewTask['answers'],
): Promise<JsonObject> {
  const { requestState: _state, inputResponses: _responses, ...call } = params
  const name = String(params['name'])
  const owner = ownerOf(auth, undefined)
  return modernCreated(
    viewIn(
      await createTask(services, {
        name,
        params: call,
        owner,
        client,
        form: 'modern',
        auth,
        answers,
        trace: watch.traceparent,
      }),
    ),
  )
}

function viewIn(answer: TaskAnswer): Extract<TaskAnswer, { view: unknown }>['view'] {
  if ('error' in answer) throw thrown(answer.error)
  return answer.view
}

function thrown({ code, message, data }: ErrorObject): ProtocolError {
  return new ProtocolError(code, message, data)
}
