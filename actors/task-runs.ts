/**
 * How a task begins and ends: created, started in a process of its own, timed, settled, and taken up again by a manager that was
 * started anew. A task of a `resumable` tool then runs once more; any other fails, with the reason.
 */
import type { ClientInfo, Principal } from '#features/context'
import { errorResult } from '#features/tool-result'
import { firstTaskStatus, isTerminal } from '#lifecycles'
import { ErrorCode, type ErrorObject, type JsonObject, toErrorObject } from '#protocol'
import type { TaskForm } from '#protocol/tasks'
import { describeReason, type ExitReason, type From, type Ref, type Self, via } from '#runtime'
import { onceDurable } from './durable.ts'
import type { TaskJob } from './task.ts'
import { isSound, type JournalEntry, sizeOf, type TaskRecord } from './task-record.ts'
import {
  amend,
  conclude,
  type Entry,
  enter,
  expire,
  fail,
  leave,
  monitor,
  offerQuestions,
  refusal,
  type State,
  type TaskAnswer,
  view,
} from './task-state.ts'

/** Random bytes in a task id: 128 bits. Spec: MCP 2025-11-25, basic/utilities/tasks, security considerations. */
const TASK_ID_BYTES = 16
/** Milliseconds between two tries to start a task's process while its supervisor is being started. */
const START_RETRY_MS = 20
/** Tries before the task fails. */
const START_TRIES_MAX = 250
/** Milliseconds after which a task whose process was shut down, but not the manager, is taken for lost. */
const LOST_MS = 1_000
/** Characters of a tool's own words that a status message repeats. */
const MESSAGE_LENGTH_MAX = 500

/** What a task is created from. */
export interface NewTask {
  /** The tool's name. */
  readonly name: string
  /** The params of tools/call: arguments and `_meta` are of use. */
  readonly params: JsonObject
  /** Whom it belongs to; see `ownerOf`. */
  readonly owner: string
  readonly client: ClientInfo
  readonly form: TaskForm
  readonly auth: Principal | undefined
  /** The session that it reports to. */
  readonly sessionId?: string | undefined
  /** How long the client wants it kept, in ms from now; kept within the limits. */
  readonly ttlMs?: number | undefined
  /** The span that it is created in, as `traceparent`. */
  readonly trace?: string | undefined
  /** Answers that the client gave before there was a task, by the key of their question. */
  readonly answers?: { readonly [key: string]: { readonly digest: string; readonly result: JsonObject } } | undefined
}

/** What a tool's process ends with; `size` in characters of JSON. */
export type Outcome =
  | { readonly result: JsonObject; readonly size: number }
  | { readonly error: ErrorObject; readonly size: number }

/** What the manager tells itself, and hears from the runtime. */
export type Note =
  | { readonly type: 'expired' | 'timeout' | 'lost'; readonly id: string }
  | { readonly type: 'start'; readonly id: string; readonly isResumed: boolean; readonly tries: number }
  | { readonly type: 'started'; readonly id: string; readonly ref: Ref }
  | NotStarted
  | { readonly type: 'unanswered'; readonly id: string; readonly key: string }
  | { readonly type: 'DOWN'; readonly monitor: number; readonly reason: ExitReason }

interface NotStarted {
  readonly type: 'not_started'
  readonly id: string
  readonly isResumed: boolean
  readonly tries: number
  readonly error: unknown
}

/** Creates a task, or says why not. */
export function create(state: State, wish: NewTask, self: Self<State>): Entry | { readonly error: ErrorObject } {
  const { services, limits, records } = state
  const refused = (message: string): { readonly error: ErrorObject } => {
    services.counters.add('tasks_refused')
    return { error: { code: ErrorCode.InternalError, message } }
  }
  const full = refusal(state, wish.owner)
  if (full !== undefined) return refused(`${full}, which is the limit. Try again when some have ended or expired.`)
  const size = sizeOf(wish.params) + sizeOf(wish.answers)
  if (size > limits.sizeMax)
    return refused(`The call takes ${size} characters of JSON; a task may take ${limits.sizeMax}.`)
  const now = self.system.clock.wallNow()
  const record: TaskRecord = {
    id: (services.members?.mark ?? '') + self.system.random.token(TASK_ID_BYTES),
    sequence: state.lastSequence + 1,
    form: wish.form,
    owner: wish.owner,
    sessionId: wish.sessionId,
    tool: wish.name,
    params: wish.params,
    client: wish.client,
    auth: wish.auth,
    status: firstTaskStatus,
    statusMessage: undefined,
    createdAtMs: now,
    updatedAtMs: now,
    ttlMs: ttlOf(state, wish),
    runs: 1,
    ...(wish.trace !== undefined && { trace: wish.trace }),
    journal: Object.entries(wish.answers ?? {}).map(
      ([key, { digest, result }]): JournalEntry => ({ key, digest, answer: { result } }),
    ),
  }
  if (!records.put(record))
    return refused(`The server keeps ${records.size} tasks, which is the limit. Try again later.`)
  const entry = enter(state, record, size, self)
  services.counters.add('tasks_created', 1, wish.name)
  return entry
}

/** Tells who wanted a task that it is there, and starts it: both once it cannot be lost any more. */
export function begin(state: State, entry: Entry, from: From, self: Self<State>): void {
  const answer: TaskAnswer = { view: view(state, entry) }
  const { ref } = self
  const { id } = entry.record
  try {
    onceDurable(state.records, () => {
      from.reply(answer)
      ref.send({ type: 'start', id, isResumed: false, tries: 0 } satisfies Note)
    })
  } catch (error) {
    expire(state, entry, self)
    from.reply({ error: toErrorObject(error) } satisfies TaskAnswer)
  }
}

/** The client's wish within the limits; without one, long enough for the tool's longest run and a while after it. */
function ttlOf({ services, limits }: State, { name, ttlMs }: NewTask): number {
  const timeoutMs = services.catalog.tools.get(name)?.timeoutMs ?? 0
  const wished = ttlMs ?? limits.ttlDefaultMs + timeoutMs
  return Math.round(Math.min(limits.ttlMaxMs, Math.max(limits.ttlMinMs, wished)))
}

/** Starts the process of a task. Its supervisor may be on its way: then it is tried again. */
export function start(state: State, entry: Entry, isResumed: boolean, tries: number, self: Self<State>): void {
  const { services } = state
  const { record } = entry
  const { ref } = self
  const { id } = record
  const job: TaskJob = { services, record, isResumed }
  via(services.names, 'task-runs')
    .call('startChild', job, { timeout: Number.POSITIVE_INFINITY })
    .then(
      (begun) => ref.send({ type: 'started', id, ref: begun as Ref } satisfies Note),
      (error: unknown) => ref.send({ type: 'not_started', id, isResumed, tries, error } satisfies Note),
    )
}

export function notStarted(state: State, entry: Entry, note: NotStarted, self: Self<State>): void {
  const { id, isResumed, tries, error } = note
  if (isTerminal(entry.record.status)) return
  if (tries >= START_TRIES_MAX)
    return fail(state, entry, `The task could not be started: ${describeReason(error)}.`, self)
  self.sendAfter(START_RETRY_MS, { type: 'start', id, isResumed, tries: tries + 1 } satisfies Note)
}

export function started(state: State, entry: Entry, ref: Ref, self: Self<State>): void {
  // Cancelled before it could begin, or it was quick.
  if (isTerminal(entry.record.status)) return ref.exit({ shutdown: 'cancelled' })
  entry.ref = ref
  entry.monitor = monitor(state, { id: entry.record.id, role: 'run', ref }, self)
  if (entry.asking.size === 0) startTimer(state, entry, self)
}

/** A tool has its own time, beginning anew after each question; while the client is asked it stands still. */
export function startTimer({ services }: State, entry: Entry, self: Self<State>): void {
  if (entry.timer !== undefined || entry.ref === undefined) return
  const timeoutMs = services.catalog.tools.get(entry.record.tool)?.timeoutMs
  if (timeoutMs === undefined) return
  entry.timer = self.sendAfter(timeoutMs, { type: 'timeout', id: entry.record.id } satisfies Note)
}

export function stopTimer(entry: Entry, self: Self<State>): void {
  if (entry.timer !== undefined) self.cancelTimer(entry.timer)
  entry.timer = undefined
}

/** The run took longer than its tool may: it ends as such a call does, with a result that says so. */
export function timeOut(state: State, entry: Entry, self: Self<State>): void {
  // Over meanwhile, or waiting for the client.
  if (entry.timer === undefined) return
  const { services } = state
  const { id, tool, sessionId } = entry.record
  const message = `tools/call "${tool}" took longer than ${services.catalog.tools.get(tool)?.timeoutMs} ms and was ended.`
  services.counters.add('requests_timed_out', 1, tool)
  const error = new Error(message)
  services.report({
    type: 'feature_failed',
    kind: 'tool',
    name: tool,
    session: sessionId,
    request: id,
    how: 'timeout',
    error,
  })
  const result = errorResult(message) as unknown as JsonObject
  settle(state, entry, { result, size: sizeOf(result) }, self)
}

/** The tool is done. Spec: a result with isError is `failed` in revision 2025-11-25, `completed` under the extension. */
export function settle(state: State, entry: Entry, outcome: Outcome, self: Self<State>): void {
  const { limits } = state
  const { size } = outcome
  if (size > limits.sizeMax) {
    const message = `The result takes ${size} characters of JSON; a task may take ${limits.sizeMax}. Return less.`
    return fail(state, entry, message, self)
  }
  if ('error' in outcome) {
    const statusMessage = shortened(outcome.error.message)
    conclude(state, entry, 'fail', { error: outcome.error, statusMessage, size }, self)
    return
  }
  const { result } = outcome
  const isFailed = result['isError'] === true
  const event = isFailed && entry.record.form === 'legacy' ? 'fail' : 'complete'
  const said = isFailed ? { statusMessage: shortened(textOf(result) ?? 'The tool failed.') } : {}
  conclude(state, entry, event, { result, size, ...said }, self)
}

/** The first text of a tool's result. */
function textOf({ content }: JsonObject): string | undefined {
  const blocks = Array.isArray(content)
    ? (content as readonly { readonly type?: unknown; readonly text?: unknown }[])
    : []
  const block = blocks.find(({ type, text }) => type === 'text' && typeof text === 'string')
  return block?.text as string | undefined
}

function shortened(text: string): string {
  return text.length > MESSAGE_LENGTH_MAX ? `${text.slice(0, MESSAGE_LENGTH_MAX - 1)}…` : text
}

/** A process that the manager watched has ended. */
export function ended(state: State, number: number, reason: ExitReason, self: Self<State>): void {
  const monitored = state.monitors.get(number)
  state.monitors.delete(number)
  const entry = monitored === undefined ? undefined : state.entries.get(monitored.id)
  if (monitored === undefined || entry === undefined) return
  if (monitored.role === 'waiter') {
    leave(state, entry, monitored.ref, self)
    return offerQuestions(entry)
  }
  if (monitored.role === 'watcher') {
    entry.watchers.delete(monitored.ref)
    return
  }
  entry.ref = undefined
  stopTimer(entry, self)
  entry.asking.clear()
  // The server is stopping: what comes next finds the record as it is. Unless only the processes of the tasks were stopped.
  if (reason === 'shutdown') self.sendAfter(LOST_MS, { type: 'lost', id: monitored.id } satisfies Note)
  else fail(state, entry, `The process of the task ended (${describeReason(reason)}).`, self)
}

/** Takes up what an earlier manager left: tasks that have ended are kept, others go on or fail. */
export function restore(state: State, self: Self<State>): void {
  const now = self.system.clock.wallNow()
  const isOver = (record: TaskRecord): boolean => !isSound(record) || record.createdAtMs + record.ttlMs <= now
  const records = [...state.records.list()]
  for (const { id } of records.filter(isOver)) state.records.delete(id)
  const kept = records.filter((record) => !isOver(record)).sort((a, b) => a.sequence - b.sequence)
  for (const record of kept) {
    const { params, journal, checkpoint, result } = record
    const entry = enter(state, record, sizeOf([params, journal, checkpoint, result]), self)
    if (!isTerminal(record.status)) takeUp(state, entry, self)
  }
}

/** A task whose process was lost with a part of the server: it runs anew if its tool can, else it fails. */
export function takeUp(state: State, entry: Entry, self: Self<State>): void {
  const { tool, runs } = entry.record
  const { limits, services } = state
  if (services.catalog.tools.get(tool)?.resumable !== true) {
    const message = `The server was restarted while the task ran, and the tool "${tool}" cannot resume.`
    return fail(state, entry, message, self)
  }
  if (runs >= limits.runsMax) {
    return fail(state, entry, `The server was restarted ${runs} times while the task ran, which is the limit.`, self)
  }
  amend(state, entry, { runs: runs + 1 })
  start(state, entry, true, 0, self)
}
