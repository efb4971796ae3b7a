/**
 * The task manager keeps the tasks of a server: it gives each an unguessable id, starts a process for each, is the only one
 * that writes their records, and forgets them when their time is up. What is told of a task is durable before it is told. It
 * keeps nothing that is not in the records too: started anew, it goes on from them.
 *
 *     const created = await createTask(services, { name: 'render', params, owner, client, form: 'modern', auth: undefined })
 *     const found = await getTask(services, id, owner)      // { view } or { error }
 *
 * Spec: MCP 2025-11-25, basic/utilities/tasks; SEP-2663, tasks extension.
 */
import { isTerminal } from '#lifecycles'
import { decodeCursor, ErrorCode, type ErrorObject, encodeCursor, encodeNotification, type JsonObject } from '#protocol'
import type { TaskView } from '#protocol/tasks'
import { type ChildSpec, child, defineActor, type Ref, type Self, via } from '#runtime'
import { asked, askFar, listEverywhere, type TaskPage } from './far-tasks.ts'
import type { Asked, Question, Requester } from './requester.ts'
import type { Services } from './services.ts'
import { type AskedQuestion, answer, answerGiven, ask, type GivenAnswer, takeResponses } from './task-questions.ts'
import { limitsOf, recordsOf, sizeOf } from './task-record.ts'
import {
  begin,
  create,
  ended,
  type NewTask,
  type Note,
  notStarted,
  type Outcome,
  restore,
  settle,
  start,
  started,
  takeUp,
  timeOut,
} from './task-runs.ts'
import {
  amend,
  answerDurably,
  conclude,
  type Entry,
  expire,
  find,
  leave,
  monitor,
  offerQuestions,
  replyDurably,
  type State,
  type TaskAnswer,
  type TaskReport,
  type TaskStep,
  tellSession,
  unknownTask,
  view,
} from './task-state.ts'

interface Named {
  readonly id: string
  readonly owner: string
}

export const TaskManager = defineActor({
  name: 'task-manager',
  init: (services: Services, self: Self<never>): State => {
    const state: State = {
      services,
      limits: limitsOf(services),
      records: recordsOf(services),
      entries: new Map(),
      owned: new Map(),
      monitors: new Map(),
      running: 0,
      size: 0,
      lastSequence: 0,
    }
    restore(state, self as unknown as Self<State>)
    // An earlier manager's watchers are not kept: they are to ask anew.
    for (const ref of services.listens) ref.cast('rewatch')
    return state
  },
  call: {
    create: (state, wish: NewTask, self: Self<State>) => {
      const created = create(state, wish, self)
      if ('error' in created) return created satisfies TaskAnswer
      begin(state, created, self.from, self)
      return self.noreply
    },
    get: (state, { id, owner }: Named, self: Self<State>) => {
      const entry = find(state, id, owner, self)
      if (entry === undefined) return unknownTask(id) satisfies TaskAnswer
      answerDurably(state, entry, self.from)
      return self.noreply
    },
    cancel: (state, { id, owner, isStrict }: Named & { isStrict: boolean }, self: Self<State>) => {
      const entry = find(state, id, owner, self)
      if (entry === undefined) return unknownTask(id) satisfies TaskAnswer
      const { status } = entry.record
      if (isTerminal(status)) {
        if (isStrict) return late(entry)
      } else {
        const error = { code: ErrorCode.InternalError, message: 'The task was cancelled by request.' }
        conclude(state, entry, 'cancel', { error, statusMessage: error.message }, self)
      }
      answerDurably(state, entry, self.from)
      return self.noreply
    },
    /** Answers of the client to open questions, by key; others are ignored. */
    update: (state, { id, owner, responses }: Named & { responses: JsonObject }, self: Self<State>) => {
      const entry = find(state, id, owner, self)
      if (entry === undefined) return unknownTask(id) satisfies TaskAnswer
      const fault = takeResponses(state, entry, responses, self)
      if (fault !== undefined) return { error: { code: ErrorCode.InvalidParams, message: fault } } satisfies TaskAnswer
      answerDurably(state, entry, self.from)
      return self.noreply
    },
    list: (
      state,
      { owner, cursor, pageSize }: { owner: string; cursor: unknown; pageSize: number },
      self: Self<State>,
    ) => {
      const page = listed(state, owner, cursor, pageSize, self)
      if ('error' in page) return page
      replyDurably(state, self.from, page)
      return self.noreply
    },
    /** A request waits for the end of a task, and for questions to ask its client. It calls again after each step. */
    follow: (state, { id, owner, ref, requester }: Named & { ref: Ref; requester: Requester }, self: Self<State>) => {
      const entry = find(state, id, owner, self)
      if (entry === undefined) return unknownTask(id) satisfies TaskStep
      if (isTerminal(entry.record.status)) {
        leave(state, entry, ref, self)
        answerDurably(state, entry, self.from)
        return self.noreply
      }
      let waiter = entry.waiters.get(ref)
      if (waiter === undefined) {
        if (entry.waiters.size >= state.limits.followersMax) {
          const message = `${entry.waiters.size} requests wait for this task, which is the limit. End one of them.`
          return { error: { code: ErrorCode.InternalError, message } } satisfies TaskStep
        }
        waiter = {
          monitor: monitor(state, { id, role: 'waiter', ref }, self),
          requester,
          from: null,
          claimed: new Set(),
        }
        entry.waiters.set(ref, waiter)
      }
      waiter.from = self.from
      offerQuestions(entry)
      return self.noreply
    },
    /** The tool asks its client. */
    ask: (state, { id, asked }: { id: string; asked: AskedQuestion }, self: Self<State>) => {
      const entry = state.entries.get(id)
      if (entry === undefined || isTerminal(entry.record.status))
        return { error: { code: ErrorCode.InternalError, message: 'The task is over.' } } satisfies Asked
      return ask(state, entry, asked, self)
    },
    /** Keeps how far the tool has come; the reply comes when that is durable. */
    checkpoint: (state, { id, saved, size }: { id: string; saved: unknown; size: number }, self: Self<State>) => {
      const entry = state.entries.get(id)
      if (entry === undefined || isTerminal(entry.record.status)) return {}
      const { checkpoint } = entry.record
      const added = size - (checkpoint === undefined ? 0 : sizeOf(checkpoint))
      if (entry.size + added > state.limits.sizeMax) {
        const message = `The state has ${size} characters of JSON; the whole task may have ${state.limits.sizeMax}.`
        return { error: { code: ErrorCode.InternalError, message } }
      }
      amend(state, entry, { checkpoint: saved }, added)
      replyDurably(state, self.from, {})
      return self.noreply
    },
    /** From now on `ref` is sent every change of those tasks that `owner` may see, as `TaskNews`. Replies with these. */
    watch: (state, { ids, owner, ref }: { ids: readonly string[]; owner: string; ref: Ref }, self: Self<State>) => {
      const found = ids.flatMap((id) => find(state, id, owner, self) ?? [])
      const views: TaskView[] = []
      for (const entry of new Set(found)) {
        if (!entry.watchers.has(ref)) {
          if (entry.watchers.size >= state.limits.followersMax) continue
          entry.watchers.set(ref, monitor(state, { id: entry.record.id, role: 'watcher', ref }, self))
        }
        views.push(view(state, entry))
      }
      replyDurably(state, self.from, views)
      return self.noreply
    },
    count: ({ entries, running, size }) => ({ kept: entries.size, running, size }),
  },
  cast: {
    /** The tool's process has its outcome. */
    settle: (state, { id, outcome }: { id: string; outcome: Outcome }, self: Self<State>) => {
      const entry = state.entries.get(id)
      if (entry !== undefined) settle(state, entry, outcome, self)
    },
    /** The client answered a question that one of its requests had asked it. */
    answered: (state, given: GivenAnswer & { id: string }, self: Self<State>) => {
      const entry = state.entries.get(given.id)
      if (entry !== undefined) answerGiven(state, entry, given, self)
    },
    /** Progress or a log message of a tool. */
    report: (state, { id, report }: { id: string; report: TaskReport }) => {
      const entry = state.entries.get(id)
      if (entry === undefined || isTerminal(entry.record.status)) return
      const [waiter] = entry.waiters.values()
      if (waiter === undefined) tellSession(state.services, entry.record, report.method, report.params)
      else if (report.level === undefined) waiter.requester.notify(report.method, report.params)
      else waiter.requester.log(report.level, encodeNotification(report.method, report.params))
    },
  },
  info: (state, message, self) => {
    const note = message as Note
    if (note.type === 'DOWN') return ended(state, note.monitor, note.reason, self)
    const entry = state.entries.get(note.id)
    if (entry === undefined) {
      // Forgotten while it was being started.
      if (note.type === 'started') note.ref.exit({ shutdown: 'expired' })
      return
    }
    switch (note.type) {
      case 'expired':
        return expire(state, entry, self)
      case 'timeout':
        return timeOut(state, entry, self)
      case 'start':
        return isTerminal(entry.record.status) ? undefined : start(state, entry, note.isResumed, note.tries, self)
      case 'started':
        return started(state, entry, note.ref, self)
      case 'not_started':
        return notStarted(state, entry, note, self)
      case 'unanswered':
        return answer(state, entry, note.key, { error: unanswered(note.key) }, self)
      case 'lost':
        if (!isTerminal(entry.record.status)) takeUp(state, entry, self)
        return
    }
  },
})

/** A page of the tasks of `owner`, oldest first. A cursor names the last task that was told, so that none is passed over. */
function listed(
  state: State,
  owner: string,
  cursor: unknown,
  pageSize: number,
  self: Self<State>,
): TaskPage | { readonly error: ErrorObject } {
  const after = cursor === undefined ? 0 : decodeCursor(cursor, 'tasks')
  if (after === undefined) {
    const message = 'params.cursor is not a cursor of the list of tasks. Ask again without a cursor.'
    return { error: { code: ErrorCode.InvalidParams, message } }
  }
  const views: TaskView[] = []
  let last = after
  for (const id of state.owned.get(owner)?.ids ?? []) {
    const entry = find(state, id, owner, self)
    if (entry === undefined || entry.record.sequence <= after) continue
    if (views.length >= pageSize) return { views, nextCursor: encodeCursor({ list: 'tasks', offset: last }) }
    views.push(view(state, entry))
    last = entry.record.sequence
  }
  return { views, nextCursor: undefined }
}

function unanswered(key: string): ErrorObject {
  return { code: ErrorCode.InternalError, message: `The client did not answer "${key}" in time.` }
}

function late({ record }: Entry): { readonly error: ErrorObject } {
  const message = `The task ${record.id} cannot be cancelled: it is ${record.status} already, for good.`
  return { error: { code: ErrorCode.InvalidParams, message } }
}

// ---- client functions ------------------------------------------------------------------------------------------------

type Manager = Ref<typeof TaskManager>

const manager = (services: Services): Manager => via<typeof TaskManager>(services.names, 'task-manager')
/** The manager always answers, or ends; and a disk takes as long as it takes. */
const forever = { timeout: Number.POSITIVE_INFINITY }

/** Creates a task and starts it; resolves once it is durable. `error`: limits, -32603. */
export function createTask(services: Services, wish: NewTask): Promise<TaskAnswer> {
  return asked(manager(services).call('create', wish, forever))
}

/** The task as it stands. `error`: -32602 for an unknown, expired or foreign id. */
export function getTask(services: Services, id: string, owner: string): Promise<TaskAnswer> {
  const far = askFar<TaskAnswer>(services, id, 'getTask', { id, owner })
  if (far !== undefined) return far
  return asked(manager(services).call('get', { id, owner }, forever))
}

/**
 * Cancels a task; resolves once that is durable. With `isStrict` a task that has ended is an error -32602, else it is left as
 * it is. `error` as `getTask`.
 */
export function cancelTask(services: Services, id: string, owner: string, isStrict = false): Promise<TaskAnswer> {
  const far = askFar<TaskAnswer>(services, id, 'cancelTask', { id, owner, isStrict })
  if (far !== undefined) return far
  return asked(manager(services).call('cancel', { id, owner, isStrict }, forever))
}

/** Answers open questions of a task, by key; unknown and answered keys are ignored. `error`: as `getTask`, and bad answers. */
export function updateTask(services: Services, id: string, owner: string, responses: JsonObject): Promise<TaskAnswer> {
  const far = askFar<TaskAnswer>(services, id, 'updateTask', { id, owner, responses })
  if (far !== undefined) return far
  return asked(manager(services).call('update', { id, owner, responses }, forever))
}

/** A page of the owner's tasks. `error`: -32602 for a cursor that is not ours. */
export function listTasks(
  services: Services,
  owner: string,
  cursor: unknown,
  pageSize: number,
): Promise<TaskPage | { readonly error: ErrorObject }> {
  const { members } = services
  // The tasks of a session are where it is; those of a principal may be anywhere.
  return members === undefined || owner.startsWith('session:')
    ? listTasksHere(services, owner, cursor, pageSize)
    : listEverywhere(services, owner, cursor, pageSize, listTasksHere)
}

/** The same, of this process alone. */
export function listTasksHere(
  services: Services,
  owner: string,
  cursor: unknown,
  pageSize: number,
): Promise<TaskPage | { readonly error: ErrorObject }> {
  return asked(manager(services).call('list', { owner, cursor, pageSize }, forever))
}

/**
 * Waits for a task's end on behalf of the process `ref`, putting the task's questions to the client through `requester`
 * meanwhile. The wait is over with that process.
 */
export async function awaitTask(
  services: Services,
  id: string,
  owner: string,
  ref: Ref,
  requester: Requester,
): Promise<TaskAnswer> {
  for (;;) {
    const far = askFar<TaskAnswer>(services, id, 'awaitTask', { id, owner })
    if (far !== undefined) {
      const found = await far
      if ('error' in found || isTerminal(found.view.status) || !ref.alive) return found
      continue
    }
    const step = await asked<TaskStep>(manager(services).call('follow', { id, owner, ref, requester }, forever))
    if (!('questions' in step)) return step
    for (const { key, gate, question } of step.questions) {
      const { method, params } = question
      // The method is one that `ask` let in.
      // Once the request is over its questions are too: what they end with is no answer.
      const tell = (given: Asked | undefined): void => {
        if (ref.alive) manager(services).cast('answered', { id, ref, key, given })
      }
      requester
        .ask({ method: method as Question['method'], gate, params, options: {} })
        .then(tell, () => tell(undefined))
    }
  }
}

/**
 * From now on sends `TaskNews` to `ref` at each change of those tasks that `owner` may see, until it ends. Resolves to these
 * as they stand.
 */
export async function watchTasks(
  services: Services,
  ids: readonly string[],
  owner: string,
  ref: Ref,
): Promise<readonly TaskView[]> {
  const views = await asked<readonly TaskView[]>(manager(services).call('watch', { ids, owner, ref }, forever))
  return 'error' in views ? [] : views
}

export function taskManagerChild(services: Services): ChildSpec {
  return child(TaskManager, services, { id: 'task-manager', name: via(services.names, 'task-manager') })
}

export type { NewTask, Outcome, TaskAnswer, TaskPage }
