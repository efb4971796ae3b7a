/**
 * What is remembered of a task, as plain data that outlives the server, and the limits that tasks must keep. A running task has
 * its arguments, its journal of questions and its checkpoint, so that it can run anew; one that has ended only its outcome.
 */
import type { ClientInfo, Principal } from '#features/context'
import { isTerminal, nextTaskStatus, type TaskStatus } from '#lifecycles'
import { describeValue, type ErrorObject, isObject, type JsonObject } from '#protocol'
import type { TaskForm, TaskQuestion, TaskView } from '#protocol/tasks'
import type { RecordStore } from '#storage/port'
import type { Asked } from './requester.ts'
import type { Services } from './services.ts'

/** One question of a task, and its answer once there is one. */
export interface JournalEntry {
  readonly key: string
  /** What was asked, in short: a tool that runs anew must ask the same thing under the same key. */
  readonly digest: string
  /** The question; absent for an answer that came with the call. */
  readonly question?: TaskQuestion & { readonly gate: string | undefined }
  readonly answer?: Asked
}

export interface TaskRecord {
  readonly id: string
  /** Rises with each task of this store: the order of tasks/list. */
  readonly sequence: number
  readonly form: TaskForm
  /** Who may see it; see `ownerOf`. */
  readonly owner: string
  /** The session that it reports to, if it was created in one. */
  readonly sessionId: string | undefined
  readonly tool: string
  /** The params of the call; empty once the task has ended. */
  readonly params: JsonObject
  readonly client: ClientInfo
  readonly auth: Principal | undefined
  readonly status: TaskStatus
  readonly statusMessage: string | undefined
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly ttlMs: number
  /** How often it was begun. */
  readonly runs: number
  /** The span that it was created in, as `traceparent`: its runs are linked to it. */
  readonly trace?: string | undefined
  readonly journal: readonly JournalEntry[]
  readonly checkpoint?: unknown
  readonly result?: JsonObject
  readonly error?: ErrorObject
}

export interface TaskLimits {
  /** Tasks that are kept at once, running or ended. */
  readonly keptMax: number
  /** Tasks of one principal or session that are kept at once. Callers without either are bound by `keptMax` alone. */
  readonly keptPerOwnerMax: number
  /** Tasks that run at once. */
  readonly runningMax: number
  /** Tasks of one principal or session that run at once. */
  readonly runningPerOwnerMax: number
  /** Milliseconds that a task is kept beyond its tool's longest run when the client asks for nothing. */
  readonly ttlDefaultMs: number
  /** A shorter wish is raised to it. */
  readonly ttlMinMs: number
  /** A longer wish is cut to it. */
  readonly ttlMaxMs: number
  /** What clients are told to wait between two looks. */
  readonly pollIntervalMs: number
  /** Questions that one task may ask in all. */
  readonly questionsMax: number
  /** Characters of JSON that arguments, answers, checkpoint and result of one task may take together. */
  readonly sizeMax: number
  /** Characters of JSON that all tasks may take together. */
  readonly sizeTotalMax: number
  /** Requests that may wait for one task, and listeners that may follow it. */
  readonly followersMax: number
  /** Times that a resumable task is begun before it is given up: it may be what ends the server. */
  readonly runsMax: number
  /** Whether clients of revision 2025-11-25 are told of each change of status. */
  readonly notifiesStatus: boolean
}

export const taskLimits: TaskLimits = {
  keptMax: 50_000,
  keptPerOwnerMax: 5_000,
  runningMax: 10_000,
  runningPerOwnerMax: 256,
  ttlDefaultMs: 300_000,
  ttlMinMs: 100,
  ttlMaxMs: 86_400_000,
  pollIntervalMs: 500,
  questionsMax: 64,
  sizeMax: 16 * 1024 * 1024,
  sizeTotalMax: 256 * 1024 * 1024,
  followersMax: 64,
  runsMax: 10,
  notifiesStatus: true,
}

/** What an author says of the limits, checked. Throws a `TypeError` that names the option. */
export function checkTaskLimits(given: Partial<TaskLimits>): Partial<TaskLimits> {
  for (const [name, value] of Object.entries(given as Readonly<Record<string, unknown>>)) {
    if (!Object.hasOwn(taskLimits, name)) {
      const known = Object.keys(taskLimits).join(', ')
      throw new TypeError(`serve: there is no option tasks.${name}. There are ${known}.`)
    }
    const isFine = name === 'notifiesStatus' ? typeof value === 'boolean' : Number.isInteger(value) && Number(value) > 0
    const wanted = name === 'notifiesStatus' ? 'true or false' : 'a whole number of at least 1'
    if (!isFine) throw new TypeError(`serve: tasks.${name} must be ${wanted}, got ${describeValue(value)}.`)
  }
  return given
}

/** The owner of tasks that callers without principal and session create: whoever knows the id. */
export const ANONYMOUS = 'anonymous'

/**
 * Whom a task belongs to: the principal, without one the session, else whoever knows its id, which nobody can guess.
 * Spec: MCP 2025-11-25, basic/utilities/tasks, task isolation and access control.
 */
export function ownerOf(auth: Principal | undefined, sessionId: string | undefined): string {
  if (auth !== undefined) return `principal:${auth.id}`
  return sessionId === undefined ? ANONYMOUS : `session:${sessionId}`
}

/** The limits of a server's tasks. */
export function limitsOf(services: Services): TaskLimits {
  return { ...taskLimits, ...services.limits.tasks }
}

/** Where a server's tasks are kept. */
export function recordsOf(services: Services): RecordStore<TaskRecord> {
  return services.store.records<TaskRecord>('task', limitsOf(services).keptMax)
}

/** What may be told of a task. */
export function viewOf(record: TaskRecord, limits: TaskLimits): TaskView {
  const { id, form, status, statusMessage, createdAtMs, updatedAtMs, ttlMs, result, error } = record
  const { pollIntervalMs } = limits
  const questions = isTerminal(status) ? [] : openQuestions(record).map(({ key, question }) => [key, toldOf(question)])
  return {
    id,
    form,
    status,
    statusMessage,
    createdAtMs,
    updatedAtMs,
    ttlMs,
    pollIntervalMs,
    questions: Object.fromEntries(questions) as TaskView['questions'],
    result,
    error,
  }
}

function toldOf({ method, params }: TaskQuestion): TaskQuestion {
  return params === undefined ? { method } : { method, params }
}

/** The questions without an answer, oldest first. */
export function openQuestions({ journal }: TaskRecord): (JournalEntry & Required<Pick<JournalEntry, 'question'>>)[] {
  return journal.flatMap((entry) => {
    const { question } = entry
    return question !== undefined && entry.answer === undefined ? [{ ...entry, question }] : []
  })
}

/** Characters of JSON that a value takes. Throws for one that is no JSON. */
export function sizeOf(value: unknown): number {
  return JSON.stringify(value)?.length ?? 0
}

/** Whether what a store gave back is a record of this version: anything else would harm tasks that are. */
export function isSound(record: TaskRecord): boolean {
  const { id, sequence, owner, tool, params, client, journal, status, createdAtMs, updatedAtMs, ttlMs, runs } = record
  const numbers: readonly unknown[] = [sequence, createdAtMs, updatedAtMs, ttlMs, runs]
  const texts: readonly unknown[] = [id, owner, tool]
  const isPlain = isObject(params) && isObject(client) && Array.isArray(journal)
  const isKnown = isTerminal(status) || nextTaskStatus(status, 'cancel') !== undefined
  return numbers.every(Number.isFinite) && texts.every((text) => typeof text === 'string') && isPlain && isKnown
}
