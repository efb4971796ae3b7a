/**
 * The fan-out: who is told of which change. It keeps a reverse index from what can change (a resource, a list, an elicitation)
 * to those who asked, of either era: any process that takes the cast `announce` may subscribe. It monitors them, so whoever ends
 * leaves nothing behind. A session over HTTP is known by its id instead: while it has no process, between two incarnations or
 * since a restart of the server, what it is to be told goes into its event log.
 *
 * A change is told at once, and then at most once in `coalesceMs` for the same thing: whoever hears of a change reads what is
 * there by then, so a burst of changes is one. Subscribers are cast to and never waited for: one that is slow fills its own
 * queue and loses its own stream. Many are told in slices, between which whoever else is waiting has its turn.
 */
import { encodeNotification, type JsonObject } from '#protocol'
import { type ChildSpec, child, defineActor, type From, type Ref, type Self, via } from '#runtime'
import { authorTag } from './cached-answers.ts'
import { onceDurable } from './durable.ts'
import type { Listen } from './listen.ts'
import type { Services } from './services.ts'
import type { Session } from './session.ts'
import { STANDALONE } from './session-streams.ts'

/** What subscribers are cast as `announce`. */
export interface Announcement {
  readonly method: string
  readonly params?: JsonObject | undefined
  /** The notification encoded for the legacy era, once for all who are told; absent where there is one to tell. */
  readonly text?: string
  /** Called by a session when the event stands in its log; absent when nobody waits for that. */
  readonly logged?: (() => void) | undefined
}

/** The lists whose changes a subscriber wants to hear of. */
export interface Lists {
  readonly tools: boolean
  readonly prompts: boolean
  readonly resources: boolean
}

/** Whoever is told: a process, or a session by its id with the process that it has now. */
interface Subscriber {
  readonly key: Ref | string
  ref: Ref | undefined
  monitor: number
  readonly topics: Set<string>
}

/** What happened to a topic within its window. */
interface Window {
  readonly announcement: Announcement
  /** Whether it changed again since it was told. */
  isDirty: boolean
  /** Who waits for the next telling. */
  readonly waiting: From[]
}

/** A change that is being told to many, a slice at a time. */
interface Telling {
  readonly topic: string
  readonly announcement: Announcement
  /** Those who asked, and the sessions that are told without asking, as they were when it changed. */
  readonly audience: readonly (Subscriber | string)[]
  next: number
  /** Called when the last has been told. */
  readonly done: () => void
}

/** Told in one go; then whatever else waits has its turn. At some 30 us each a slice is 3 ms. */
const SLICE = 100
/** Tellings under way at once; with more, the oldest is told to its end at once. */
const TELLINGS_MAX = 64

interface State {
  readonly services: Services
  readonly byTopic: Map<string, Set<Subscriber>>
  readonly byKey: Map<Ref | string, Subscriber>
  readonly byMonitor: Map<number, Subscriber>
  readonly windows: Map<string, Window>
  /** Oldest first. */
  readonly tellings: Telling[]
}

interface Topic {
  readonly ref: Ref
  readonly topic: string
  readonly sessionId: string | undefined
}

const resourceTopic = (uri: string): string => `resource ${uri}`
const listTopic = (list: string): string => `list ${list}`
const elicitationTopic = (id: string): string => `elicitation ${id}`

export const Subscriptions = defineActor({
  name: 'subscriptions',
  init: (services: Services): State => {
    const state: State = {
      services,
      byTopic: new Map(),
      byKey: new Map(),
      byMonitor: new Map(),
      windows: new Map(),
      tellings: [],
    }
    services.telemetry.metrics.read('subscribed_topics', () => state.byTopic.size)
    services.telemetry.metrics.read('subscribers', () => state.byKey.size)
    // After a restart those who live are asked again; what sessions over HTTP have in their records is heeded at once.
    for (const id of services.sessions.keys()) via<typeof Session>(services.sessions, id).cast('resubscribe')
    for (const listen of services.listens as Set<Ref<typeof Listen>>) listen.cast('resubscribe')
    for (const { id, subscriptions, elicitations } of services.records.list()) {
      for (const uri of subscriptions) enter(state, id, resourceTopic(uri))
      for (const one of elicitations ?? []) enter(state, id, elicitationTopic(one))
    }
    return state
  },
  call: {
    count: (state) => ({ uris: state.byTopic.size, sessions: state.byKey.size }),
    /** Replies when all who subscribed have been told, and those who can resume cannot lose it any more. */
    updated: (state, uri: string, self: Self<State>) => {
      change(state, resourceTopic(uri), updatedOf(uri), self.from, self)
      return self.noreply
    },
  },
  cast: {
    subscribe: (state, { ref, topic, sessionId }: Topic, self: Self<State>) => {
      const subscriber = enter(state, sessionId ?? ref, topic)
      if (subscriber.ref === ref) return
      unwatch(state, subscriber, self)
      subscriber.ref = ref
      subscriber.monitor = self.monitor(ref)
      state.byMonitor.set(subscriber.monitor, subscriber)
    },
    unsubscribe: (state, { ref, topic, sessionId }: Topic, self: Self<State>) => {
      const subscriber = state.byKey.get(sessionId ?? ref)
      if (subscriber !== undefined) leave(state, subscriber, topic, self)
    },
    /** A session is over for good. */
    forget: (state, sessionId: string, self: Self<State>) => {
      const subscriber = state.byKey.get(sessionId)
      if (subscriber !== undefined) for (const topic of [...subscriber.topics]) leave(state, subscriber, topic, self)
    },
    updated: (state, uri: string, self: Self<State>) =>
      change(state, resourceTopic(uri), updatedOf(uri), undefined, self),
    listChanged: (state, list: string, self: Self<State>) =>
      change(state, listTopic(list), { method: `notifications/${list}/list_changed` }, undefined, self),
    elicitationComplete: (state, elicitationId: string, self: Self<State>) => {
      const topic = elicitationTopic(elicitationId)
      const announcement = { method: 'notifications/elicitation/complete', params: { elicitationId } }
      for (const subscriber of [...(state.byTopic.get(topic) ?? [])]) {
        tell(state, subscriber, announcement)
        leave(state, subscriber, topic, self)
      }
    },
  },
  info: (state, message, self) => {
    const note = message as { type: 'DOWN'; monitor: number } | { type: 'window'; topic: string } | { type: 'slice' }
    if (note.type === 'window') return reopen(state, note.topic, self)
    if (note.type === 'slice') return tellOn(state, self)
    const subscriber = state.byMonitor.get(note.monitor)
    if (subscriber === undefined) return
    unwatch(state, subscriber, self)
    // A session that has not ended for good comes back, or is woken.
    if (typeof subscriber.key === 'string' && state.services.records.get(subscriber.key) !== undefined) return
    for (const topic of [...subscriber.topics]) leave(state, subscriber, topic, self)
  },
  /** What changed is told, whatever ended this one. */
  terminate: (state) => {
    while (state.tellings.length > 0) finish(state)
  },
})

const updatedOf = (uri: string): Announcement => ({ method: 'notifications/resources/updated', params: { uri } })

/** The process of a subscriber is not watched any more. */
function unwatch(state: State, subscriber: Subscriber, self: Self<State>): void {
  if (subscriber.monitor === 0) return
  self.demonitor(subscriber.monitor)
  state.byMonitor.delete(subscriber.monitor)
  subscriber.monitor = 0
  subscriber.ref = undefined
}

function enter(state: State, key: Ref | string, topic: string): Subscriber {
  let subscriber = state.byKey.get(key)
  if (subscriber === undefined) {
    subscriber = { key, ref: undefined, monitor: 0, topics: new Set() }
    state.byKey.set(key, subscriber)
  }
  subscriber.topics.add(topic)
  let subscribers = state.byTopic.get(topic)
  if (subscribers === undefined) {
    state.byTopic.set(topic, (subscribers = new Set()))
    interest(state, topic, true)
  }
  subscribers.add(subscriber)
  return subscriber
}

/** Tells whoever has to know it that a resource is watched, or is no more. */
function interest({ services }: State, topic: string, isWanted: boolean): void {
  const start = resourceTopic('')
  if (topic.startsWith(start)) services.interest?.(topic.slice(start.length), isWanted)
}

function leave(state: State, subscriber: Subscriber, topic: string, self: Self<State>): void {
  subscriber.topics.delete(topic)
  const subscribers = state.byTopic.get(topic)
  subscribers?.delete(subscriber)
  if (subscribers?.size === 0) {
    state.byTopic.delete(topic)
    interest(state, topic, false)
  }
  if (subscriber.topics.size > 0) return
  unwatch(state, subscriber, self)
  state.byKey.delete(subscriber.key)
}

/** Something changed: told now, or with the next telling when it was told just now. */
function change(
  state: State,
  topic: string,
  announcement: Announcement,
  from: From | undefined,
  self: Self<State>,
): void {
  const window = state.windows.get(topic)
  if (window !== undefined) {
    window.isDirty = true
    state.services.counters.add('changes_coalesced')
    if (from !== undefined) window.waiting.push(from)
    return
  }
  const waiting = from === undefined ? [] : [from]
  const isHeard = tellAll(state, topic, announcement, waiting, self)
  const { coalesceMs } = state.services.limits
  if (!isHeard || coalesceMs === 0) return
  state.windows.set(topic, { announcement, isDirty: false, waiting: [] })
  self.sendAfter(coalesceMs, { type: 'window', topic })
}

/** A window is over: what changed in it is told, which opens the next. */
function reopen(state: State, topic: string, self: Self<State>): void {
  const window = state.windows.get(topic)
  state.windows.delete(topic)
  if (window === undefined || !window.isDirty) return
  const { announcement, waiting } = window
  tellAll(state, topic, announcement, waiting, self)
  state.windows.set(topic, { announcement, isDirty: false, waiting: [] })
  self.sendAfter(state.services.limits.coalesceMs, { type: 'window', topic })
}

/** Tells all who asked, and `waiting` when it is safe. False when nobody asked. */
function tellAll(
  state: State,
  topic: string,
  plain: Announcement,
  waiting: readonly From[],
  self: Self<State>,
): boolean {
  const { services, byTopic, tellings } = state
  const subscribers = byTopic.get(topic)
  const isList = topic.startsWith('list ')
  // Those who can resume say when the event is in their log; one more than they is for the end of the telling.
  let open = 1
  const logged = (): void => {
    const told = (): void => replyAll(waiting)
    // Where too many wait for the disk, those who wait here are let go: the announcement is made, and logged.
    if (--open === 0) onceDurable(services.records, told, told)
  }
  // Lists are told to every session: the legacy era has no way to ask for them.
  const audience = [...(subscribers ?? []), ...(isList ? sessionIds(services) : [])]
  const announcement = { ...plain, text: encodeNotification(plain.method, plain.params) }
  const isAwaited = services.records.whenDurable !== undefined && waiting.length > 0
  if (isAwaited) {
    for (const one of audience) if (typeof one === 'object' && typeof one.key === 'string') open++
    tellings.push({ topic, announcement: { ...announcement, logged }, audience, next: 0, done: logged })
  } else tellings.push({ topic, announcement, audience, next: 0, done: logged })
  if (tellings.length === 1) tellOn(state, self)
  else if (tellings.length > TELLINGS_MAX) finish(state)
  return isList || subscribers !== undefined
}

/**
 * Tells the next slice of the oldest telling, and comes back for the rest after whoever else is waiting. A message to itself alone
 * would be handled in the same go, and all who are told would stand before everybody else.
 */
function tellOn(state: State, self: Self<State>): void {
  const telling = state.tellings[0]
  if (telling === undefined) return
  tellSlice(state, telling, telling.next + SLICE)
  if (telling.next >= telling.audience.length) finish(state)
  if (state.tellings.length > 0) self.system.afterInput(() => self.ref.send({ type: 'slice' }))
}

/** Tells the oldest telling to its end. */
function finish(state: State): void {
  const telling = state.tellings.shift()
  if (telling === undefined) return
  tellSlice(state, telling, telling.audience.length)
  telling.done()
}

function tellSlice(state: State, telling: Telling, until: number): void {
  const { topic, announcement, audience } = telling
  const { logged, ...plain } = announcement
  state.services.counters.add('announcements', Math.max(0, Math.min(until, audience.length) - telling.next))
  for (; telling.next < until && telling.next < audience.length; telling.next++) {
    const one = audience[telling.next] as Subscriber | string
    if (typeof one === 'string') tellSession(state.services, one, plain)
    // Who has left meanwhile is not told, and not waited for.
    else if (!one.topics.has(topic)) {
      if (typeof one.key === 'string') logged?.()
    } else tell(state, one, typeof one.key === 'string' ? announcement : plain)
  }
}

function replyAll(waiting: readonly From[]): void {
  for (const from of waiting) from.reply(true)
}

function tell({ services }: State, { key, ref }: Subscriber, announcement: Announcement): void {
  if (typeof key === 'string') tellSession(services, key, announcement)
  else ref?.cast('announce', announcement)
}

/** Tells a session, or logs it for one that has no process now. */
function tellSession(services: Services, id: string, announcement: Announcement): void {
  const { method, params, logged } = announcement
  if (via<typeof Session>(services.sessions, id).cast('announce', announcement) !== false) return
  announceAsleep(services, id, method, params)
  logged?.()
}

/** Every session, awake or not. */
function* sessionIds(services: Services): Iterable<string> {
  for (const id of services.sessions.keys()) yield id as string
  for (const { id } of services.records.list()) if (services.sessions.whereis(id) === undefined) yield id
}

/** Logs a message that belongs to no request for a session that has no process now; it is sent when the client listens. */
export function announceAsleep(services: Services, id: string, method: string, params: JsonObject | undefined): void {
  const record = services.records.get(id)
  if (record === undefined || !record.initialized) return
  const log = services.events.open(id)
  if (record.deliveredId === undefined) services.records.put({ ...record, deliveredId: log.append(STANDALONE, '') })
  log.append(STANDALONE, encodeNotification(method, params))
}

const client = (services: Services): Ref<typeof Subscriptions> =>
  via<typeof Subscriptions>(services.names, 'subscriptions')

/**
 * Tells a process of every update of `uri` from now on, by the cast `announce`. With `sessionId` it is the process of that
 * session over HTTP, whose subscription outlives it.
 */
export function subscribe(services: Services, ref: Ref, uri: string, sessionId?: string): void {
  client(services).cast('subscribe', { ref, topic: resourceTopic(uri), sessionId })
}

export function unsubscribe(services: Services, ref: Ref, uri: string, sessionId?: string): void {
  client(services).cast('unsubscribe', { ref, topic: resourceTopic(uri), sessionId })
}

/** Tells a process of every change of these lists from now on, by the cast `announce`. Sessions are told without asking. */
export function listen(services: Services, ref: Ref, lists: Lists): void {
  for (const [list, isWanted] of Object.entries(lists))
    if (isWanted === true) client(services).cast('subscribe', { ref, topic: listTopic(list), sessionId: undefined })
}

/** Tells a session when the elicitation of that id is completed elsewhere. */
export function awaitElicitation(services: Services, ref: Ref, elicitationId: string, sessionId?: string): void {
  client(services).cast('subscribe', { ref, topic: elicitationTopic(elicitationId), sessionId })
}

/** The session waits for that elicitation no more. */
export function elicitationSettled(services: Services, ref: Ref, elicitationId: string, sessionId?: string): void {
  client(services).cast('unsubscribe', { ref, topic: elicitationTopic(elicitationId), sessionId })
}

/**
 * Tells all subscribers of `uri` that it changed. Resolves when they have been told: with a durable store, when none of those
 * who can resume can lose it any more. Rejects with `CallError` when that cannot be known, which may be ignored.
 */
export function resourceUpdated(services: Services, uri: string): Promise<void> {
  const near = resourceUpdatedHere(services, uri)
  const { members } = services
  if (members === undefined) return near
  const told = Promise.all([near, members.tell('updated', uri)]).then(() => undefined)
  told.catch(() => undefined)
  return told
}

/** The same, for the clients of this process alone. */
export function resourceUpdatedHere(services: Services, uri: string): Promise<void> {
  services.answers?.invalidate(authorTag(uri))
  const told = client(services)
    .call('updated', uri, { timeout: Number.POSITIVE_INFINITY })
    .then(() => undefined)
  told.catch(() => undefined)
  return told
}

/** Tells everybody whom it concerns that a list changed. */
export function listChanged(services: Services, list: string): void {
  listChangedHere(services, list)
  void services.members?.tell('listChanged', list)
}

/** The same, for the clients of this process alone. */
export function listChangedHere(services: Services, list: string): void {
  client(services).cast('listChanged', list)
}

/**
 * Tells the client that was asked for it that a URL elicitation was completed; an id that nobody waits for is ignored. Spec: MCP
 * 2025-11-25, client/elicitation, completion notifications.
 */
export function elicitationComplete(services: Services, elicitationId: string): void {
  elicitationCompleteHere(services, elicitationId)
  void services.members?.tell('elicitationComplete', elicitationId)
}

/** The same, for the clients of this process alone. */
export function elicitationCompleteHere(services: Services, elicitationId: string): void {
  client(services).cast('elicitationComplete', elicitationId)
}

/** A session is over for good: nothing is to be told to it any more. */
export function forgetSubscriber(services: Services, sessionId: string): void {
  services.answers?.forget(sessionId)
  client(services).cast('forget', sessionId)
}

export function subscriptionsChild(services: Services): ChildSpec {
  return child(Subscriptions, services, { id: 'subscriptions', name: via(services.names, 'subscriptions') })
}
