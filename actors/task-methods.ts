/**
 * Tasks in the form of revision 2025-11-25, as requests of a session: a tools/call with `params.task`, and tasks/get, /result,
 * /cancel, /list. A client that waits in tasks/result is asked there what its task wants to know.
 *
 * Spec: MCP 2025-11-25, basic/utilities/tasks.
 */
import type { ClientInfo } from '#features/context'
import type { Tool } from '#features/tool'
import {
  ErrorCode,
  type ErrorObject,
  has,
  hasExtension,
  invalidParams,
  isObject,
  type JsonObject,
  methodNotFound,
  methodRow,
  missingClientCapability,
  ProtocolError,
  TASKS_EXTENSION,
  toErrorObject,
} from '#protocol'
import { legacyCreated, legacyTask, type TaskView, withRelatedTask } from '#protocol/tasks'
import type { Ref } from '#runtime'
import type { RequestJob } from './request.ts'
import type { Asked, Question, Requester } from './requester.ts'
import { awaitTask, cancelTask, createTask, getTask, listTasks, type TaskAnswer } from './task-manager.ts'
import { ownerOf } from './task-record.ts'

/** Whether a session's request is one of these. A `task` that the server announced nothing for is ignored, as the specification asks. */
export function isTaskRequest({ services, session, client, method, params }: RequestJob): boolean {
  if (session === undefined) return false
  if (method.startsWith('tasks/')) return true
  if (method !== 'tools/call' || !isObject(params['task'])) return false
  const isKnown = methodRow('tasks/result', client.protocolVersion) !== undefined
  return isKnown && has(services.capabilities(), 'tasks.requests.tools.call')
}

/** The result of such a request, made in the process `ref`. Throws a ProtocolError. */
export async function answerTaskRequest(job: RequestJob, ref: Ref): Promise<JsonObject> {
  const { services, session, auth, params, requester } = job
  const owner = ownerOf(auth, session?.id)
  const id = String(params['taskId'])
  switch (job.method) {
    case 'tools/call':
      return create(job, owner)
    case 'tasks/get':
      return legacyTask(viewIn(await getTask(services, id, owner)))
    case 'tasks/cancel':
      return legacyTask(viewIn(await cancelTask(services, id, owner, true)))
    case 'tasks/result': {
      const view = viewIn(await awaitTask(services, id, owner, ref, relating(requester, id)))
      if (view.result === undefined) throw faultOf(view)
      return withRelatedTask(view.result, id)
    }
    case 'tasks/list': {
      const page = await listTasks(services, owner, params['cursor'], services.limits.pageSize)
      if ('error' in page) throw thrown(page.error)
      const { views, nextCursor } = page
      return { tasks: views.map(legacyTask), ...(nextCursor !== undefined && { nextCursor }) }
    }
    default:
      throw methodNotFound(job.method)
  }
}

async function create(
  { services, session, auth, client, params, watch }: RequestJob,
  owner: string,
): Promise<JsonObject> {
  const name = String(params['name'])
  const tool = services.catalog.tools.get(name)
  if (tool === undefined) throw invalidParams(`Unknown tool: ${name}. tools/list names those there are.`)
  const { taskSupport } = tool.entity.execution ?? {}
  if (taskSupport !== 'optional' && taskSupport !== 'required')
    throw new ProtocolError(
      ErrorCode.MethodNotFound,
      `Tool "${name}" does not run as a task: call it without the parameter "task".`,
    )
  const { task, ...call } = params
  const ttlMs = isObject(task) && typeof task['ttl'] === 'number' ? task['ttl'] : undefined
  const wish = {
    name,
    params: call,
    owner,
    client,
    form: 'legacy',
    auth,
    sessionId: session?.id,
    ttlMs,
    trace: watch.traceparent,
  } as const
  return legacyCreated(viewIn(await createTask(services, wish)), tool.taskMessage)
}

/** The requester of tasks/result, whose questions are the task's. */
function relating(requester: Requester, taskId: string): Requester {
  return {
    started: (ref) => requester.started(ref),
    answer: (result) => requester.answer(result),
    refuse: (error) => requester.refuse(error),
    // What a task reports says already which it is of.
    notify: (method, params) => requester.notify(method, params),
    log: (level, text) => requester.log(level, text),
    ask: (question: Question): Promise<Asked> =>
      requester.ask({ ...question, params: withRelatedTask(question.params as JsonObject | undefined, taskId) }),
    closeStream: (retryMs) => requester.closeStream(retryMs),
  }
}

function viewIn(answer: TaskAnswer): TaskView {
  if ('error' in answer) throw thrown(answer.error)
  return answer.view
}

/** The error that the request behind a task ended with. */
function faultOf({ error, id, status }: TaskView): ProtocolError {
  return thrown(error ?? { code: ErrorCode.InternalError, message: `The task ${id} is ${status} and has no result.` })
}

function thrown({
  code,
  message,
  data,
}: {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}): ProtocolError {
  return new ProtocolError(code, message, data)
}

/**
 * What a tools/call of the modern era becomes: a task where the tool runs as one and the client declared the extension, else a
 * plain call; an error where the tool runs only as a task. The server alone decides: a `task` in the params counts for nothing.
 * Spec: SEP-2663, capability negotiation, polymorphic results.
 */
export function shouldBecomeTask(tool: Tool | undefined, client: ClientInfo): 'task' | 'call' | ErrorObject {
  const support = tool?.entity.execution?.taskSupport
  if (support !== 'optional' && support !== 'required') return 'call'
  if (hasExtension(client.clientCapabilities, TASKS_EXTENSION)) return 'task'
  return support === 'optional' ? 'call' : missingTasksExtension()
}

/** -32021: what tasks/* and subscriptions to tasks are answered with by a server whose client lacks the extension. */
export function missingTasksExtension(): ErrorObject {
  return toErrorObject(missingClientCapability({ extensions: { [TASKS_EXTENSION]: {} } }))
}
