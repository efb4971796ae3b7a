/**
 * What the task manager knows, and the steps that every change of a task takes: the record is written, and once that is durable
 * whoever follows the task is told. The lifecycle says which change is allowed; what is terminal never changes.
 */
import { isTerminal, nextTaskStatus, type TaskEventType } from '#lifecycles'
import { ErrorCode, type ErrorObject, type JsonObject, toErrorObject } from '#protocol'
import { legacyTask, type TaskQuestion, type TaskView } from '#protocol/tasks'
import { type From, type Ref, type Self, type Timer, via } from '#runtime'
import type { RecordStore } from '#storage/port'
import { onceDurable } from './durable.ts'
import type { Requester } from './requester.ts'
import type { Services } from './services.ts'
import type { Session } from './session.ts'
import { ANONYMOUS, openQuestions, type TaskLimits, type TaskRecord, viewOf } from './task-record.ts'

/** Characters of an unknown id that a message repeats; ours are shorter. */
const NAMED_LENGTH_MAX = 64

/** An answer of the manager: the task as it stands, durably, or why there is none. */
export type TaskAnswer = { readonly view: TaskView } | { readonly error: ErrorObject }

/** What a request that waits for a task hears next: how it ended, or what to ask the client. */
export type TaskStep = TaskAnswer | { readonly questions: readonly ToAsk[] }

export interface ToAsk {
  readonly key: string
  readonly gate: string | undefined
  readonly question: TaskQuestion
}

/** A request that waits for a task's end, and asks the client for it meanwhile. */
export interface Waiter {
  readonly monitor: number
  readonly requester: Requester
  /** The call of a waiter that is told of the next step; null while it acts on the last one. */
  from: From | null
  /** Keys of the questions that it was given to ask. */
  readonly claimed: Set<string>
}

/** A task that is kept. */
export interface Entry {
  record: TaskRecord
  /** Characters of JSON that it takes. */
  size: number
  readonly expiry: Timer
  /** Its process while it runs. */
  ref: Ref | undefined
  monitor: number
  /** The run's own time; stands still while the client is asked. */
  timer: Timer | undefined
  /** Calls of the tool's process that wait for an answer, by the question's key. */
  readonly asking: Map<string, From[]>
  readonly waiters: Map<Ref, Waiter>
  /** Processes that are sent every change, with their monitors. */
  readonly watchers: Map<Ref, number>
}

export interface State {
  readonly services: Services
  readonly limits: TaskLimits
  readonly records: RecordStore<TaskRecord>
  readonly entries: Map<string, Entry>
  readonly owned: Map<string, Owned>
  /** What each monitor of the manager is for. */
  readonly monitors: Map<number, Monitored>
  running: number
  size: number
  lastSequence: number
}

/** What one owner has: its tasks, oldest first, and how many of them run. */
export interface Owned {
  readonly ids: Set<string>
  running: number
}

/** Whose end is waited for: a task's own process, a request that waits for it, or who is sent its changes. */
export interface Monitored {
  readonly id: string
  readonly role: 'run' | 'waiter' | 'watcher'
  readonly ref: Ref
}

/** What a process that watches a task is sent. */
export interface TaskNews {
  readonly type: 'task'
  readonly view: TaskView
}

/** What a running task reports: progress, or a log message, which has a level. */
export interface TaskReport {
  readonly method: string
  readonly params: JsonObject
  readonly level?: Parameters<Requester['log']>[0]
}

/** Watches a process on behalf of a task. */
export function monitor(state: State, monitored: Monitored, self: Self<State>): number {
  const number = self.monitor(monitored.ref)
  state.monitors.set(number, monitored)
  return number
}

function demonitor(state: State, number: number, self: Self<State>): void {
  state.monitors.delete(number)
  self.demonitor(number)
}

/** Notes a record that is kept, new or from an earlier run, and sets its end. */
export function enter(state: State, record: TaskRecord, size: number, self: Self<State>): Entry {
  const leftMs = record.createdAtMs + record.ttlMs - self.system.clock.wallNow()
  const entry: Entry = {
    record,
    size,
    expiry: self.sendAfter(leftMs, { type: 'expired', id: record.id }),
    ref: undefined,
    monitor: 0,
    timer: undefined,
    asking: new Map(),
    waiters: new Map(),
    watchers: new Map(),
  }
  state.entries.set(record.id, entry)
  let owned = state.owned.get(record.owner)
  if (owned === undefined) state.owned.set(record.owner, (owned = { ids: new Set(), running: 0 }))
  owned.ids.add(record.id)
  if (!isTerminal(record.status)) countRunning(state, record.owner, 1)
  state.size += size
  state.lastSequence = Math.max(state.lastSequence, record.sequence)
  return entry
}

function countRunning(state: State, owner: string, change: 1 | -1): void {
  state.running += change
  const owned = state.owned.get(owner)
  if (owned !== undefined) owned.running += change
}

/** A task whose time is up is forgotten, whatever it does. */
export function expire(state: State, entry: Entry, self: Self<State>): void {
  const { record } = entry
  const { id, owner } = record
  if (!isTerminal(record.status)) countRunning(state, owner, -1)
  release(state, entry, { shutdown: 'expired' }, self)
  self.cancelTimer(entry.expiry)
  state.entries.delete(id)
  const ids = state.owned.get(owner)?.ids
  ids?.delete(id)
  if (ids?.size === 0) state.owned.delete(owner)
  state.size -= entry.size
  state.records.delete(id)
  state.services.counters.add('tasks_expired')
  const error = {
    code: ErrorCode.InvalidParams,
    message: `The task ${id} has expired: it was kept ${record.ttlMs} ms.`,
  }
  for (const ref of [...entry.waiters.keys()]) leave(state, entry, ref, self)?.from?.reply({ error } satisfies TaskStep)
  for (const number of entry.watchers.values()) demonitor(state, number, self)
}

/** The task, if `owner` may see it and its time is not up. Tasks of others are as unknown as those that never were. */
export function find(state: State, id: string, owner: string, self: Self<State>): Entry | undefined {
  const entry = state.entries.get(id)
  if (entry === undefined || entry.record.owner !== owner || isOver(entry, self)) return undefined
  return entry
}

function isOver({ record }: Entry, self: Self<State>): boolean {
  return self.system.clock.wallNow() >= record.createdAtMs + record.ttlMs
}

/** -32602, the same for an unknown task, an expired one and somebody else's. */
export function unknownTask(id: string): { readonly error: ErrorObject } {
  const named = JSON.stringify(id.slice(0, NAMED_LENGTH_MAX))
  const message = `There is no task ${named}, or no longer: it may have expired.`
  return { error: { code: ErrorCode.InvalidParams, message } }
}

/** What an entry shows. */
export function view(state: State, entry: Entry): TaskView {
  return viewOf(entry.record, state.limits)
}

/** Replies once everything written so far is durable; with the store's own fault where too many wait for that already. */
export function replyDurably(state: State, from: From, reply: unknown): void {
  try {
    onceDurable(state.records, () => from.reply(reply))
  } catch (error) {
    from.reply({ error: toErrorObject(error) })
  }
}

/** Replies with the task as it stands now, once that is durable. */
export function answerDurably(state: State, entry: Entry, from: From): void {
  replyDurably(state, from, { view: view(state, entry) } satisfies TaskAnswer)
}

/** Writes a change that nobody sees. */
export function amend(state: State, entry: Entry, change: Partial<TaskRecord>, sizeAdded = 0): void {
  entry.record = { ...entry.record, ...change }
  entry.size += sizeAdded
  state.size += sizeAdded
  state.records.put(entry.record)
}

/** Writes a change that can be seen, and tells who follows the task. */
export function touch(state: State, entry: Entry, change: Partial<TaskRecord>, self: Self<State>): void {
  const updatedAtMs = Math.max(entry.record.updatedAtMs, self.system.clock.wallNow())
  amend(state, entry, { ...change, updatedAtMs })
  announce(state, entry)
}

/** Moves a task on, if its lifecycle allows it; false when it does not. */
export function advance(
  state: State,
  entry: Entry,
  event: TaskEventType,
  change: Partial<TaskRecord>,
  self: Self<State>,
): boolean {
  const { record } = entry
  const status = nextTaskStatus(record.status, event)
  if (status === undefined) return false
  if (isTerminal(status)) {
    countRunning(state, record.owner, -1)
    state.services.counters.add(`tasks_${status}`, 1, record.tool)
  }
  touch(state, entry, { statusMessage: undefined, ...change, status }, self)
  return true
}

/** How a task ends. `size` is that of its result or error, in characters of JSON. */
export interface Conclusion {
  readonly result?: JsonObject
  readonly error?: ErrorObject
  readonly statusMessage?: string
  readonly size?: number
}

/** Ends a task for good, and answers who waits for it; false when it had ended before. */
export function conclude(
  state: State,
  entry: Entry,
  event: 'complete' | 'fail' | 'cancel',
  conclusion: Conclusion,
  self: Self<State>,
): boolean {
  const { size = 0, ...change } = conclusion
  // What it would need to run again is no longer of use.
  const spent = { params: {}, journal: [], checkpoint: undefined }
  if (!advance(state, entry, event, { ...spent, ...change }, self)) return false
  state.size += size - entry.size
  entry.size = size
  release(state, entry, { shutdown: event === 'cancel' ? 'cancelled' : 'over' }, self)
  const answer: TaskAnswer = { view: view(state, entry) }
  for (const ref of [...entry.waiters.keys()]) {
    const from = leave(state, entry, ref, self)?.from
    if (from != null) replyDurably(state, from, answer)
  }
  return true
}

/** Fails a task with a reason for people, whatever its form. */
export function fail(state: State, entry: Entry, message: string, self: Self<State>): void {
  const error = { code: ErrorCode.InternalError, message }
  conclude(state, entry, 'fail', { error, statusMessage: message }, self)
}

/** Lets go of the process of a task and of what it waits for. A process that still runs is ended. */
function release(state: State, entry: Entry, reason: unknown, self: Self<State>): void {
  if (entry.timer !== undefined) self.cancelTimer(entry.timer)
  entry.timer = undefined
  if (entry.ref !== undefined) {
    demonitor(state, entry.monitor, self)
    entry.ref.exit(reason)
    entry.ref = undefined
  }
  entry.asking.clear()
}

/** Takes out a waiter; what it was to ask may be asked by another. */
export function leave(state: State, entry: Entry, ref: Ref, self: Self<State>): Waiter | undefined {
  const waiter = entry.waiters.get(ref)
  if (waiter === undefined) return undefined
  entry.waiters.delete(ref)
  demonitor(state, waiter.monitor, self)
  return waiter
}

/** Gives the open questions that nobody asks yet to a waiter that is free. */
export function offerQuestions(entry: Entry): void {
  if (entry.waiters.size === 0) return
  const taken = new Set([...entry.waiters.values()].flatMap(({ claimed }) => [...claimed]))
  const questions = openQuestions(entry.record).filter(({ key }) => !taken.has(key))
  if (questions.length === 0) return
  for (const waiter of entry.waiters.values()) {
    if (waiter.from === null) continue
    for (const { key } of questions) waiter.claimed.add(key)
    const toAsk = questions.map(({ key, question }): ToAsk => ({ key, gate: question.gate, question }))
    waiter.from.reply({ questions: toAsk } satisfies TaskStep)
    waiter.from = null
    return
  }
}

/** Tells who follows the task how it stands, once that is durable. */
function announce(state: State, entry: Entry): void {
  const { record, watchers } = entry
  const isTold = record.form === 'legacy' && record.sessionId !== undefined && state.limits.notifiesStatus
  if (!isTold && watchers.size === 0) return
  const told = view(state, entry)
  const refs = [...watchers.keys()]
  try {
    onceDurable(state.records, () => {
      for (const ref of refs) ref.send({ type: 'task', view: told } satisfies TaskNews)
      if (isTold) tellSession(state.services, record, 'notifications/tasks/status', legacyTask(told))
    })
  } catch {
    // The disk is too far behind. Nobody may rely on being told.
    state.services.counters.add('tasks_untold')
  }
}

/** Sends a notification to the session that a task reports to, if it still is there, on no request's stream. */
export function tellSession(services: Services, record: TaskRecord, method: string, params: JsonObject): void {
  if (record.sessionId === undefined) return
  via<typeof Session>(services.sessions, record.sessionId).cast('announce', { method, params })
}

/** Why this owner may not create a task now. */
export function refusal(state: State, owner: string): string | undefined {
  const { limits, entries, owned } = state
  const own = owner === ANONYMOUS ? undefined : owned.get(owner)
  const kept = own?.ids.size ?? 0
  const running = own?.running ?? 0
  if (running >= limits.runningPerOwnerMax) return `This client has ${running} tasks that run`
  if (kept >= limits.keptPerOwnerMax) return `This client has ${kept} tasks that have not expired`
  if (state.running >= limits.runningMax) return `The server has ${state.running} tasks that run`
  if (entries.size >= limits.keptMax) return `The server keeps ${entries.size} tasks`
  if (state.size >= limits.sizeTotalMax) return `The tasks of the server take ${state.size} characters`
  return undefined
}
