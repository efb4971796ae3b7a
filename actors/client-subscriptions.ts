/**
 * What the client wants to be told of is a table; this process sees to it that the server knows: after each connection, each
 * change of the table, and each interruption of the stream. In the legacy era every resource is a request, in the modern era
 * all wishes together are one `subscriptions/listen`; when they change, the new stream is open before the old one is closed.
 *
 * Spec: MCP 2025-11-25, server/resources, subscriptions; MCP 2026-07-28, basic/patterns/subscriptions.
 */
import { has, type JsonObject } from '#protocol'
import { type ChildSpec, child, defineActor, type From, type Ref, type Self, type Timer, via } from '#runtime'
import type { CallJob } from './client-calls.ts'
import { closeListen, type ListenNews, openListen, requestOf } from './client-connection.ts'
import {
  type ClientServices,
  type Era,
  type Failure,
  type Outcome,
  SUBSCRIPTIONS,
  type Wanted,
} from './client-services.ts'

/** An open `subscriptions/listen`, or one that is about to be. */
interface Stream {
  readonly key: number
  readonly filter: JsonObject
  /** The filter as text, to be compared. */
  readonly text: string
  accepted: JsonObject | undefined
  timer: Timer | undefined
}

interface State {
  readonly services: ClientServices
  readonly ref: Ref
  /** While there is a connection. */
  era: Era | undefined
  /** Who waits for the server's word on a resource. */
  readonly waiting: Map<string, From[]>
  /** Legacy: the resources that the server knows of. */
  readonly active: Set<string>
  stream: Stream | undefined
  opening: Stream | undefined
  /** Whether the stream was interrupted since it was last agreed on. */
  isBehind: boolean
  tries: number
  timer: Timer | undefined
}

type News = ListenNews | { readonly type: 'retry' } | { readonly type: 'late'; readonly key: number }

export const ClientSubscriptions = defineActor({
  name: SUBSCRIPTIONS,
  init: (services: ClientServices, self: Self<never>): State => {
    // What an earlier incarnation held open.
    closeListen(services)
    if (services.known.phase === 'operating') self.continueWith('operating', services.known.server?.era)
    return {
      services,
      ref: self.ref,
      era: undefined,
      waiting: new Map(),
      active: new Set(),
      stream: undefined,
      opening: undefined,
      isBehind: services.known.operated > 0,
      tries: 0,
      timer: undefined,
    }
  },
  continue: {
    operating: (state: State, era: Era, self: Self<State>) => begin(state, era, self),
  },
  call: {
    /** Answers when the server has agreed, or not. The table has the wish already. */
    subscribe: (state, uri: string, self: Self<State>) => {
      state.waiting.set(uri, [...(state.waiting.get(uri) ?? []), self.from])
      if (state.era === 'legacy') {
        if (state.active.has(uri)) settle(state, uri, { result: {} })
        else ask(state, uri)
      } else refresh(state, self)
      return self.noreply
    },
    /** Answers when the server knows that nobody wants to hear of it any more. */
    unsubscribe: (state, uri: string, self: Self<State>) => {
      if (state.era !== 'legacy') {
        refresh(state, self)
        return undefined
      }
      if (!state.active.delete(uri)) return undefined
      const { from } = self
      void send(state.services, 'resources/unsubscribe', { uri }).then(() => from.reply(undefined))
      return self.noreply
    },
  },
  cast: {
    /** There is a connection. */
    operating: (state, era: Era, self: Self<State>) => begin(state, era, self),
    /** The table changed. */
    changed: (state, _none: undefined, self: Self<State>) => refresh(state, self),
    /** What came of asking for a resource in the legacy era. */
    asked: (state, { uri, outcome }: { readonly uri: string; readonly outcome: Outcome }, self: Self<State>) => {
      const isWanted = state.services.wanted.uris.has(uri)
      if ('result' in outcome) {
        state.active.add(uri)
        if (!isWanted && state.active.delete(uri)) void send(state.services, 'resources/unsubscribe', { uri })
      } else if (isWanted && !state.waiting.has(uri)) again(state, outcome.failure, `resource ${uri}`, self)
      settle(state, uri, outcome)
      if (state.isBehind && isCaughtUp(state)) resumed(state)
    },
  },
  info: (state, message, self) => {
    const news = message as News
    if (news.type === 'retry') {
      state.timer = undefined
      if (state.era === 'legacy') askAll(state)
      else refresh(state, self)
    } else if (news.type === 'late') {
      if (news.key !== state.opening?.key) return
      closeListen(state.services, news.key)
      const failure: Failure = {
        code: 'timeout',
        message: 'subscriptions/listen was not acknowledged in time.',
        mayHaveRun: true,
      }
      ended(state, news.key, failure, self)
    } else if (news.acknowledged !== undefined) acknowledged(state, news.key, news.acknowledged, self)
    else if (news.ended !== undefined) ended(state, news.key, news.ended.failure, self)
  },
})

const forever = { timeout: Number.POSITIVE_INFINITY }

const processOf = ({ names }: ClientServices): Ref<typeof ClientSubscriptions> =>
  via<typeof ClientSubscriptions>(names, SUBSCRIPTIONS)

/** Resolves when the server has agreed to tell of changes of `uri`, which the table names already. Rejects with `CallError`. */
export function subscribeTo(services: ClientServices, uri: string): Promise<Outcome> {
  return processOf(services).call('subscribe', uri, forever) as Promise<Outcome>
}

/** Resolves when the server was told that `uri`, which the table names no more, is of no interest. Rejects with `CallError`. */
export async function unsubscribeFrom(services: ClientServices, uri: string): Promise<void> {
  await processOf(services).call('unsubscribe', uri, forever)
}

/** The table of wishes changed. */
export function wishesChanged(services: ClientServices): void {
  void processOf(services).cast('changed')
}

export function clientSubscriptionsChild(services: ClientServices): ChildSpec {
  return child(ClientSubscriptions, services, { id: SUBSCRIPTIONS, name: via(services.names, SUBSCRIPTIONS) })
}

/** A connection came up, with a server that knows nothing of us. */
function begin(state: State, era: Era, self: Self<State>): void {
  const { services } = state
  const { known } = services
  state.era = era
  state.isBehind ||= known.operated > 1
  state.tries = 0
  state.active.clear()
  for (const stream of [state.stream, state.opening]) if (stream !== undefined) forget(state, stream, self)
  if (era === 'modern') return refresh(state, self)
  if (known.logLevel !== undefined && has(known.server?.capabilities ?? {}, 'logging')) {
    void send(services, 'logging/setLevel', { level: known.logLevel })
  }
  askAll(state)
  if (state.isBehind && services.wanted.uris.size === 0) resumed(state)
}

// ---- legacy: a request for each resource -------------------------------------------------------------------------------

function askAll(state: State): void {
  for (const uri of state.services.wanted.uris.keys()) if (!state.active.has(uri)) ask(state, uri)
}

function ask({ services, ref }: State, uri: string): void {
  const to = ref as Ref<typeof ClientSubscriptions>
  void send(services, 'resources/subscribe', { uri }).then((outcome) => to.cast('asked', { uri, outcome }))
}

/** A request of this process's own; never rejects. */
async function send(services: ClientServices, method: string, params: JsonObject): Promise<Outcome> {
  const { timeoutMs } = services.settings
  const key = ++services.known.lastKey
  const job: CallJob = { key, method, params, timeoutMs, timeoutMaxMs: timeoutMs, isSafe: true, wantsProgress: false }
  try {
    return await requestOf(services, job)
  } catch (error) {
    return {
      failure: { code: 'lost', message: `${method}: the connection's process ended.`, mayHaveRun: true, cause: error },
    }
  }
}

function isCaughtUp({ services, active }: State): boolean {
  return [...services.wanted.uris.keys()].every((uri) => active.has(uri))
}

// ---- modern: one stream for everything ---------------------------------------------------------------------------------

/** Opens another stream if what is wanted is not what the stream is for. */
function refresh(state: State, self: Self<State>): void {
  const { services, stream, opening } = state
  if (state.era !== 'modern' || opening !== undefined || state.timer !== undefined) return
  const filter = filterOf(services.wanted)
  if (Object.keys(filter).length === 0) {
    if (stream !== undefined) closeListen(services, stream.key)
    state.stream = undefined
    if (state.isBehind) resumed(state)
    return
  }
  const text = JSON.stringify(filter)
  if (stream?.text === text) return settleAll(state, stream)
  const key = ++services.known.lastKey
  const timer = self.sendAfter(services.settings.timeoutMs, { type: 'late', key } satisfies News)
  state.opening = { key, filter, text, accepted: undefined, timer }
  openListen(services, { key, filter, to: self.ref })
}

function acknowledged(state: State, key: number, accepted: JsonObject, self: Self<State>): void {
  const { opening, stream, services } = state
  if (opening?.key !== key) return
  if (opening.timer !== undefined) self.cancelTimer(opening.timer)
  if (stream !== undefined) closeListen(services, stream.key)
  state.stream = { ...opening, accepted, timer: undefined }
  state.opening = undefined
  state.tries = 0
  settleAll(state, state.stream)
  if (state.isBehind) resumed(state)
  refresh(state, self)
}

function ended(state: State, key: number, failure: Failure | undefined, self: Self<State>): void {
  const { opening, stream, services } = state
  const over = opening?.key === key ? opening : stream?.key === key ? stream : undefined
  if (over === undefined) return
  forget(state, over, self)
  state.isBehind = true
  // Without a connection the next one begins anew.
  if (services.known.phase !== 'operating') {
    state.era = undefined
    return
  }
  if (over === opening) again(state, failure, 'what was asked for', self)
  else if (state.opening === undefined) later(state, self)
}

function forget(state: State, stream: Stream, self: Self<State>): void {
  if (stream.timer !== undefined) self.cancelTimer(stream.timer)
  if (state.stream === stream) state.stream = undefined
  if (state.opening === stream) state.opening = undefined
}

/** The params of `subscriptions/listen` for what is wanted now. */
function filterOf({ uris, lists, tasks }: Wanted): JsonObject {
  return {
    ...(lists.has('tools') && { toolsListChanged: true }),
    ...(lists.has('prompts') && { promptsListChanged: true }),
    ...(lists.has('resources') && { resourcesListChanged: true }),
    ...(uris.size > 0 && { resourceSubscriptions: [...uris.keys()] }),
    ...(tasks.size > 0 && { taskIds: [...tasks.keys()] }),
  }
}

// ---- both --------------------------------------------------------------------------------------------------------------

/** The server refused, or could not be asked: those who wait are told, what was had before is tried again. */
function again(state: State, failure: Failure | undefined, what: string, self: Self<State>): void {
  const { settings, news } = state.services
  const isRefused = typeof failure?.code === 'number'
  if (!isRefused && state.tries < settings.reconnect.attempts) return later(state, self)
  const why: Failure = failure ?? {
    code: 'not_supported',
    message: 'The server ended the subscription.',
    mayHaveRun: false,
  }
  news.warn(`The server will not tell of changes to ${what}: ${why.message}`)
  for (const uri of [...state.waiting.keys()]) settle(state, uri, { failure: why })
}

function later(state: State, self: Self<State>): void {
  if (state.timer !== undefined) return
  const { minMs, maxMs } = state.services.settings.reconnect
  const delayMs = Math.min(minMs * 2 ** state.tries, maxMs) * (0.5 + self.random() / 2)
  state.tries++
  state.timer = self.sendAfter(delayMs, { type: 'retry' } satisfies News)
}

function resumed(state: State): void {
  state.isBehind = false
  state.services.news.resumed()
}

/** Tells those who wait whether the server agreed; wishes that came after the stream was asked for wait for the next one. */
function settleAll(state: State, { filter, accepted }: Stream): void {
  for (const uri of [...state.waiting.keys()]) {
    if (!holds(filter, uri)) continue
    if (holds(accepted, uri)) settle(state, uri, { result: {} })
    else {
      const message = `The server does not tell of changes to ${uri}.`
      settle(state, uri, { failure: { code: 'not_supported', message, mayHaveRun: false } })
    }
  }
}

function holds(filter: JsonObject | undefined, uri: string): boolean {
  const uris = filter?.['resourceSubscriptions']
  return Array.isArray(uris) && uris.includes(uri)
}

function settle({ waiting }: State, uri: string, outcome: Outcome): void {
  const from = waiting.get(uri) ?? []
  waiting.delete(uri)
  for (const one of from) one.reply(outcome)
}
