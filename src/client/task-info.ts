/** A task as the client sees it, whichever era wrote it. Spec: MCP 2025-11-25, basic/utilities/tasks; SEP-2663. */
import { isObject, type JsonObject } from '#protocol'
import { clientError } from './errors.ts'

export type TaskState = 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled'

export interface TaskInfo {
  readonly id: string
  readonly status: TaskState
  readonly statusMessage?: string
  /** ISO 8601, as the server wrote them. */
  readonly createdAt?: string
  readonly lastUpdatedAt?: string
  /** Milliseconds from creation that the server keeps the task; null for no end. */
  readonly ttlMs: number | null
  /** Milliseconds between two looks, as the server wishes. */
  readonly pollIntervalMs?: number
}

/** What belongs to the status, in the modern era. */
export interface TaskDetail {
  readonly info: TaskInfo
  readonly inputRequests?: JsonObject
  readonly result?: JsonObject
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

const states: readonly unknown[] = ['working', 'input_required', 'completed', 'failed', 'cancelled']

/** Reads a Task of either era. Throws `ClientError` 'invalid' for what is none. */
export function taskDetailOf(value: unknown): TaskDetail {
  if (!isObject(value) || typeof value['taskId'] !== 'string' || !states.includes(value['status'])) {
    throw clientError(
      'invalid',
      `The server sent a task without an id or a known status: ${JSON.stringify(value)}.`,
      true,
    )
  }
  const { taskId, status, statusMessage, createdAt, lastUpdatedAt, inputRequests, result, error } = value
  const ttlMs = value['ttlMs'] ?? value['ttl']
  const pollIntervalMs = value['pollIntervalMs'] ?? value['pollInterval']
  return {
    info: {
      id: taskId,
      status: status as TaskState,
      ...(typeof statusMessage === 'string' && { statusMessage }),
      ...(typeof createdAt === 'string' && { createdAt }),
      ...(typeof lastUpdatedAt === 'string' && { lastUpdatedAt }),
      ttlMs: typeof ttlMs === 'number' ? ttlMs : null,
      ...(typeof pollIntervalMs === 'number' && { pollIntervalMs }),
    },
    ...(isObject(inputRequests) && { inputRequests }),
    ...(isObject(result) && { result }),
    ...(isObject(error) && {
      error: { code: Number(error['code']), message: String(error['message']), data: error['data'] },
    }),
  }
}

export function isOver({ status }: TaskInfo): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled'
}
