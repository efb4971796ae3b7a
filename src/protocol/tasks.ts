/**
 * Tasks on the wire: one view of a task, and the shapes that the two eras write it in. They differ in more than names: a tool's
 * result with `isError` makes a task `failed` in revision 2025-11-25 and `completed` under the extension of 2026-07-28, where
 * `failed` is kept for JSON-RPC errors and carries the error.
 *
 *     legacyTask(view)         // { taskId, status, createdAt, lastUpdatedAt, ttl, pollInterval }
 *     modernTask(view)         // { taskId, status, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs }
 *     modernTaskDetails(view)  // the same with inputRequests, result or error
 *
 * Spec: MCP 2025-11-25, basic/utilities/tasks; SEP-2663, tasks extension.
 */
import type { ErrorObject } from './errors.ts'
import type { JsonObject } from './json-rpc.ts'

/** The `_meta` key that ties a message to its task. Spec: MCP 2025-11-25, basic/utilities/tasks. */
export const RELATED_TASK = 'io.modelcontextprotocol/related-task'
/** The `_meta` key of a CreateTaskResult with words for the model. Spec: MCP 2025-11-25, basic/utilities/tasks. */
export const MODEL_IMMEDIATE_RESPONSE = 'io.modelcontextprotocol/model-immediate-response'

/** The era whose rules a task was created under. */
export type TaskForm = 'legacy' | 'modern'

/** Something that a task waits for from its client. */
export interface TaskQuestion {
  readonly method: string
  readonly params?: JsonObject
}

/** A task as somebody may see it who may see it at all. */
export interface TaskView {
  readonly id: string
  readonly form: TaskForm
  readonly status: 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled'
  readonly statusMessage?: string | undefined
  /** Milliseconds since 1970. */
  readonly createdAtMs: number
  readonly updatedAtMs: number
  /** Milliseconds from creation that the task is kept. */
  readonly ttlMs: number
  readonly pollIntervalMs: number
  /** The questions that wait for an answer, by key. */
  readonly questions: { readonly [key: string]: TaskQuestion }
  /** The neutral result of the request, once there is one. */
  readonly result?: JsonObject | undefined
  /** The error that the request ended with instead. */
  readonly error?: ErrorObject | undefined
}

/** What a server with tasks announces in revision 2025-11-25. */
export const legacyTasksCapability: JsonObject = { list: {}, cancel: {}, requests: { tools: { call: {} } } }

/** The Task of revision 2025-11-25: in a CreateTaskResult under `task`, of tasks/get, /cancel, /list and notifications. */
export function legacyTask(view: TaskView): JsonObject {
  const { id, statusMessage, ttlMs, pollIntervalMs } = view
  return {
    taskId: id,
    status: view.result?.['isError'] === true ? 'failed' : view.status,
    ...(statusMessage !== undefined && { statusMessage }),
    createdAt: timestamp(view.createdAtMs),
    lastUpdatedAt: timestamp(view.updatedAtMs),
    ttl: ttlMs,
    pollInterval: pollIntervalMs,
  }
}

/** The CreateTaskResult of revision 2025-11-25. `immediately` is told to the model while the task runs. */
export function legacyCreated(view: TaskView, immediately?: string): JsonObject {
  return {
    task: legacyTask(view),
    ...(immediately !== undefined && { _meta: { [MODEL_IMMEDIATE_RESPONSE]: immediately } }),
  }
}

/** The Task of the extension, without what belongs to its status. */
export function modernTask(view: TaskView): JsonObject {
  const { id, statusMessage, ttlMs, pollIntervalMs } = view
  return {
    taskId: id,
    status: view.result === undefined ? view.status : 'completed',
    ...(statusMessage !== undefined && { statusMessage }),
    createdAt: timestamp(view.createdAtMs),
    lastUpdatedAt: timestamp(view.updatedAtMs),
    ttlMs,
    pollIntervalMs,
  }
}

/** The CreateTaskResult of the extension. */
export function modernCreated(view: TaskView): JsonObject {
  return { resultType: 'task', ...modernTask(view) }
}

/** The DetailedTask of tasks/get and notifications/tasks: with its questions, its result or its error. */
export function modernTaskDetails(view: TaskView): JsonObject {
  const task = modernTask(view)
  if (view.result !== undefined) return { ...task, result: view.result }
  if (view.status === 'input_required') return { ...task, inputRequests: view.questions }
  return view.status === 'failed' ? { ...task, error: view.error } : task
}

/** `value` with `_meta` that ties it to a task; what `_meta` holds already stays. */
export function withRelatedTask(value: JsonObject | undefined, taskId: string): JsonObject {
  return { ...value, _meta: { ...(value?.['_meta'] as JsonObject | undefined), [RELATED_TASK]: { taskId } } }
}

/** ISO 8601 in UTC, with milliseconds. */
function timestamp(ms: number): string {
  return new Date(ms).toISOString()
}
