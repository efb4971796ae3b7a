/**
 * One `subscriptions/listen` of the modern era: a process that holds a client's stream open, says first what it agreed to, and
 * passes on what the client asked for, each message marked with the id of the request. It ends with its client, or with the
 * server, which then says so with a result.
 *
 * Spec: MCP 2026-07-28, basic/patterns/subscriptions.
 */
import { isTerminal } from '#lifecycles'
import { ErrorCode, encodeNotification, has, isObject, type JsonObject } from '#protocol'
import { modernTaskDetails, type TaskView } from '#protocol/tasks'
import {
  type ChildSpec,
  child,
  defineActor,
  describeReason,
  type ExitReason,
  isOrderly,
  type Ref,
  type Self,
} from '#runtime'
import { viewFarTasks } from './far-tasks.ts'
import { farOwner } from './members.ts'
import { encodeAnswer, errorText, type ModernRequest, type Outlet } from './modern-call.ts'
import type { Services } from './services.ts'
import { listen, subscribe } from './subscriptions.ts'
import { watchTasks } from './task-manager.ts'
import { ownerOf } from './task-record.ts'
import type { TaskNews } from './task-state.ts'

/** Spec: MCP 2026-07-28, schema, notification metadata. */
const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'
/** Resources that one request may subscribe to. */
export const LISTEN_URIS_MAX = 10_000

/** Milliseconds between two looks at the tasks of other processes. */
const FAR_LOOK_MS = 500

/** Tasks that one request may subscribe to. */
const LISTEN_TASKS_MAX = 1_000

export interface ListenArg {
  readonly services: Services
  readonly request: ModernRequest
  readonly outlet: Outlet
}

/** What was asked for and is had: the part of the filter that the server keeps to. */
interface Filter {
  readonly toolsListChanged?: true
  readonly promptsListChanged?: true
  readonly resourcesListChanged?: true
  readonly resourceSubscriptions?: readonly string[]
  readonly taskIds?: readonly string[]
}

interface State extends ListenArg {
  readonly filter: Filter
  /** Tasks of other processes of this server, and when each had changed last. */
  readonly farTasks: Map<string, number>
}

const lists = ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged'] as const

export const Listen = defineActor({
  name: 'listen',
  trapExits: true,
  init: (arg: ListenArg, self: Self<never>): State => {
    const { services, request, outlet } = arg
    const filter = agreed(services, request.params['notifications'])
    outlet.onGone(() => self.ref.exit({ shutdown: 'cancelled' }))
    services.listens.add(self.ref as Ref<typeof Listen>)
    // Killed, it has no last words; its stream must not stay open for it.
    void self.ref.down.then(() => outlet.giveUp())
    self.continueWith('open')
    return { ...arg, filter, farTasks: new Map() }
  },
  continue: {
    open: async (state: State, _none: undefined, self: Self<State>) => {
      const { services, filter } = state
      const { taskIds, ...rest } = filter
      const known = (await watch(state, self)).map(({ id }) => id)
      tell(state, 'notifications/subscriptions/acknowledged', {
        notifications: taskIds === undefined ? rest : { ...rest, taskIds: known },
      })
      register(services, self.ref, filter)
    },
  },
  cast: {
    /** The fan-out was started anew and knows nobody. */
    resubscribe: ({ services, filter }, _none: undefined, self: Self<State>) => register(services, self.ref, filter),
    /** The manager of the tasks was started anew and knows nobody: the client is told how its tasks stand now. */
    rewatch: async (state, _none: undefined, self: Self<State>) => {
      for (const view of await watch(state, self)) tell(state, 'notifications/tasks', modernTaskDetails(view))
    },
    /** Something changed that this client asked about. */
    announce: (arg, { method, params }: { method: string; params?: JsonObject }) => tell(arg, method, params ?? {}),
    /** The server ends it. */
    end: (_state, _none: undefined, self: Self<State>) => self.stop(),
  },
  info: (state, message, self) => {
    const news = message as
      | TaskNews
      | { readonly type: 'look' }
      | { readonly type: 'EXIT'; readonly reason: ExitReason }
    if (news.type === 'task') tell(state, 'notifications/tasks', modernTaskDetails(news.view))
    else if (news.type === 'look') void lookFar(state, self)
    else if (news.type === 'EXIT') self.stop(news.reason)
  },
  terminate: (arg, reason, self) => {
    const { services, request, outlet } = arg
    const { id } = request.message
    services.listens.delete(self.ref as Ref<typeof Listen>)
    if (isObject(reason) && reason['shutdown'] === 'cancelled') return outlet.giveUp()
    // A result would say that the server ended it on purpose; a crash is to be noticed.
    if (!isOrderly(reason)) {
      const message = `Internal error: the subscription ended (${describeReason(reason)}). Send it again.`
      return outlet.finish(errorText(id, { code: ErrorCode.InternalError, message }), 200)
    }
    const _meta = { [SUBSCRIPTION_ID]: id }
    // The result first: it tells that the end is meant. Spec: MCP 2026-07-28, basic/patterns/cancellation, which wants the notice.
    const farewell = encodeNotification('notifications/cancelled', { requestId: id, _meta })
    outlet.finish(encodeAnswer(services, request, { _meta }), 200, farewell)
  },
})

/** Asks to be sent the changes of the client's tasks, and resolves to these as they stand. */
async function watch(state: State, self: Self<State>): Promise<readonly TaskView[]> {
  const { services, request, filter } = state
  const { taskIds } = filter
  if (taskIds === undefined) return []
  const isFar = (id: string): boolean => farOwner(services.members, id) !== undefined
  const near = taskIds.filter((id) => !isFar(id))
  const [here, there] = await Promise.all([
    watchTasks(services, near, ownerOf(request.auth, undefined), self.ref),
    viewFarTasks(services, taskIds.filter(isFar), ownerOf(request.auth, undefined)),
  ])
  if (state.farTasks.size === 0 && there.length > 0) self.sendAfter(FAR_LOOK_MS, { type: 'look' })
  for (const { id, updatedAtMs } of there) state.farTasks.set(id, updatedAtMs)
  return [...here, ...there]
}

/** Looks after the tasks that other processes of the server have, and tells what changed. */
async function lookFar(state: State, self: Self<State>): Promise<void> {
  const { services, request, farTasks } = state
  for (const view of await viewFarTasks(services, [...farTasks.keys()], ownerOf(request.auth, undefined))) {
    if (farTasks.get(view.id) === view.updatedAtMs) continue
    farTasks.set(view.id, view.updatedAtMs)
    tell(state, 'notifications/tasks', modernTaskDetails(view))
    if (isTerminal(view.status)) farTasks.delete(view.id)
  }
  if (self.ref.alive && farTasks.size > 0) self.sendAfter(FAR_LOOK_MS, { type: 'look' })
}

function register(services: Services, ref: Ref, filter: Filter): void {
  for (const uri of filter.resourceSubscriptions ?? []) subscribe(services, ref, uri)
  const { toolsListChanged, promptsListChanged, resourcesListChanged } = filter
  listen(services, ref, {
    tools: toolsListChanged === true,
    prompts: promptsListChanged === true,
    resources: resourcesListChanged === true,
  })
}

function tell({ request, outlet }: ListenArg, method: string, params: JsonObject): void {
  const meta = isObject(params['_meta']) ? params['_meta'] : {}
  const marked = { ...params, _meta: { ...meta, [SUBSCRIPTION_ID]: request.message.id } }
  outlet.send(encodeNotification(method, request.revision.encodeParams(method, marked)))
}

/** The part of a filter that this server has something for. Its shape was checked by the method table. */
function agreed(services: Services, wanted: unknown): Filter {
  if (!isObject(wanted)) return {}
  const offered = services.capabilities()
  const kept: Record<string, true | readonly string[]> = {}
  // Also of lists that are empty, and so not announced: they may fill.
  for (const name of lists) if (wanted[name] === true) kept[name] = true
  const uris = wanted['resourceSubscriptions']
  if (Array.isArray(uris) && has(offered, 'resources.subscribe')) {
    const known = new Set((uris as string[]).filter((uri) => services.catalog.resolve(uri) !== undefined))
    kept['resourceSubscriptions'] = [...known].slice(0, LISTEN_URIS_MAX)
  }
  const taskIds = wanted['taskIds']
  if (Array.isArray(taskIds)) kept['taskIds'] = [...new Set(taskIds as string[])].slice(0, LISTEN_TASKS_MAX)
  return kept
}

/** One subscription of any client; how many there are is the supervisor's limit. */
export function listenTemplate(): ChildSpec {
  return child(Listen, undefined as unknown as ListenArg, { id: 'listen', restart: 'temporary', shutdown: 1_000 })
}
