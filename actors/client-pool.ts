/**
 * One connection of a pool: a process that opens it, looks after its health, and opens another one when it is lost for good. A
 * server that cannot be reached is no fault of this process: it tries again, later each time. What it holds is written into the
 * pool's table, where calls find it.
 *
 *     pool                                   connection
 *     startChild({ isOverflow: true })    -> one more, which ends by itself when nobody needs it any more
 *     news.up, news.down                  <- there is a connection to call over, or none
 */
import { type ChildOptions, type ChildSpec, child, defineActor, type Ref, type Self, type Timer } from '#runtime'
import { type Circuit, tellAlive, tellBreaker } from './circuit-breaker.ts'

/** A connection as its process needs it; for the facade it is a client. */
export interface Held {
  /** Resolves when the server answers; rejects when it does not within `timeoutMs`. */
  ping(timeoutMs: number): Promise<void>
  close(): Promise<void>
}

/** A connection that was opened: its tree is linked to the process that asked for it. */
export interface OpenedConnection<H extends Held> {
  readonly held: H
  readonly tree: Ref
}

/** A place for a connection. */
export interface Slot<H extends Held = Held> {
  readonly id: number
  readonly isOverflow: boolean
  /** Undefined while there is no connection. */
  held: H | undefined
  /** Calls that are made over it, and since when there are none; written by the facade. */
  busy: number
  idleSinceMs: number
  /** Whether one user has it for itself. */
  isTaken: boolean
}

export interface PoolTimings {
  /** Milliseconds between two looks at a connection's health; 0 for none. */
  readonly healthMs: number
  /** Milliseconds that a look may take. */
  readonly healthTimeoutMs: number
  /** Milliseconds that an overflow connection is kept without use. */
  readonly overflowIdleMs: number
  /** Milliseconds before a connection that could not be opened is tried again, and at most. */
  readonly retryMinMs: number
  readonly retryMaxMs: number
}

/** What the processes of one pool share. */
export interface PoolServices<H extends Held = Held> {
  readonly timings: PoolTimings
  readonly size: number
  readonly overflowMax: number
  readonly circuit: Circuit | undefined
  readonly slots: Set<Slot<H>>
  /** Counts slots. */
  lastSlot: number
  /** Opens a connection whose tree is linked to `self`; gives up with `self.signal`. */
  readonly open: (self: Self<never>) => Promise<OpenedConnection<H>>
  readonly news: PoolNews<H>
}

/** What the processes tell the facade. None of these throws. */
export interface PoolNews<H extends Held> {
  up(slot: Slot<H>): void
  /** There is no connection in that place any more; with why it could not be opened, if that was it. */
  down(slot: Slot<H>, lost: H | undefined, why: unknown): void
}

/** Looks at a connection's health that may fail in a row before it is given up for another one. */
const MISSES_MAX = 2
/** Milliseconds that a connection may take to close. */
const SHUTDOWN_MS = 10_000

/** What a connection is started with. */
export interface PoolJob {
  readonly services: PoolServices
  readonly isOverflow: boolean
}

interface State {
  readonly services: PoolServices
  readonly slot: Slot
  tree: Ref | undefined
  /** Tries to open since the last success. */
  tries: number
  misses: number
  /** Counts looks: what comes of an old one is dropped. */
  looks: number
  timer: Timer | undefined
}

type News =
  | { readonly type: 'opened'; readonly opened: OpenedConnection<Held> }
  | { readonly type: 'unopened'; readonly error: unknown }
  | { readonly type: 'EXIT'; readonly ref: Ref }
  | { readonly type: 'look' | 'retry' }
  | { readonly type: 'looked'; readonly look: number; readonly error: unknown }

export const PoolConnection = defineActor({
  name: 'pool-connection',
  trapExits: true,
  init: ({ services, isOverflow }: PoolJob, self: Self<never>): State => {
    const slot: Slot = {
      id: ++services.lastSlot,
      isOverflow,
      held: undefined,
      busy: 0,
      idleSinceMs: self.now(),
      isTaken: false,
    }
    services.slots.add(slot)
    self.signal.addEventListener('abort', () => leave(services, slot), { once: true })
    self.continueWith('open')
    return { services, slot, tree: undefined, tries: 0, misses: 0, looks: 0, timer: undefined }
  },
  continue: {
    open: (state: State, _arg: undefined, self: Self<State>) => open(state, self),
  },
  info: (state, message, self: Self<State>) => {
    const news = message as News
    switch (news.type) {
      case 'opened':
        return opened(state, news.opened, self)
      case 'unopened':
        return unopened(state, news.error, self)
      case 'EXIT':
        return news.ref === state.tree ? lost(state, self) : undefined
      case 'retry':
        return open(state, self)
      case 'look':
        return look(state, self)
      case 'looked':
        return looked(state, news.look, news.error, self)
    }
  },
  terminate: async (state) => {
    const { held } = state.slot
    leave(state.services, state.slot)
    await held?.close().catch(() => undefined)
  },
})

/** The place is gone, however its process ended. */
function leave(services: PoolServices, slot: Slot): void {
  if (!services.slots.delete(slot)) return
  const { held } = slot
  slot.held = undefined
  services.news.down(slot, held, undefined)
}

function open({ services }: State, self: Self<State>): void {
  services.open(self as Self<never>).then(
    (connection) => {
      if (self.ref.alive) self.ref.send({ type: 'opened', opened: connection } satisfies News)
      else void connection.held.close().catch(() => undefined)
    },
    (error: unknown) => void self.ref.send({ type: 'unopened', error } satisfies News),
  )
}

function opened(state: State, { held, tree }: OpenedConnection<Held>, self: Self<State>): void {
  const { services, slot } = state
  // It ended between being opened and this message.
  if (!tree.alive) return unopened(state, new Error('The connection ended as soon as it was made.'), self)
  state.tree = tree
  state.tries = 0
  state.misses = 0
  slot.held = held
  slot.idleSinceMs = self.now()
  if (services.circuit !== undefined) tellAlive(services.circuit)
  services.news.up(slot)
  lookLater(state, self)
}

function unopened(state: State, error: unknown, self: Self<State>): void {
  const { services, slot } = state
  const { circuit, timings } = services
  if (circuit !== undefined) tellBreaker(circuit, 'failed')
  services.news.down(slot, undefined, error)
  // Another one is opened when it is needed again.
  if (slot.isOverflow) return self.stop()
  const delayMs = Math.min(timings.retryMinMs * 2 ** state.tries, timings.retryMaxMs) * (0.5 + self.random() / 2)
  state.tries++
  self.sendAfter(delayMs, { type: 'retry' } satisfies News)
}

/** The connection's tree has ended: what it held is of no use. */
function lost(state: State, self: Self<State>): void {
  const { services, slot } = state
  const { held } = slot
  state.tree = undefined
  slot.held = undefined
  state.looks++
  if (state.timer !== undefined) self.cancelTimer(state.timer)
  services.news.down(slot, held, undefined)
  void held?.close().catch(() => undefined)
  open(state, self)
}

// ---- health -----------------------------------------------------------------------------------------------------------------

function lookLater(state: State, self: Self<State>): void {
  const { timings } = state.services
  const waits = [timings.healthMs, state.slot.isOverflow ? timings.overflowIdleMs : 0].filter((ms) => ms > 0)
  if (waits.length > 0) state.timer = self.sendAfter(Math.min(...waits), { type: 'look' } satisfies News)
}

function look(state: State, self: Self<State>): void {
  const { services, slot } = state
  const { held } = slot
  const { timings } = services
  if (held === undefined) return
  const isIdle = slot.busy === 0 && !slot.isTaken && self.now() - slot.idleSinceMs >= timings.overflowIdleMs
  if (slot.isOverflow && isIdle) return self.stop()
  if (timings.healthMs === 0) return lookLater(state, self)
  const number = ++state.looks
  const told = (error: unknown): void => void self.ref.send({ type: 'looked', look: number, error } satisfies News)
  held.ping(timings.healthTimeoutMs).then(() => told(undefined), told)
}

function looked(state: State, number: number, error: unknown, self: Self<State>): void {
  if (number !== state.looks) return
  const { circuit } = state.services
  if (error === undefined) {
    state.misses = 0
    if (circuit !== undefined) {
      tellAlive(circuit)
      tellBreaker(circuit, 'succeeded')
    }
    return lookLater(state, self)
  }
  if (circuit !== undefined) tellBreaker(circuit, 'failed')
  state.misses++
  // Its end is told by its tree, and brings another one.
  if (state.misses >= MISSES_MAX) void state.slot.held?.close().catch(() => undefined)
  else lookLater(state, self)
}

/** One connection of the pool, kept. */
export function poolConnectionChild(services: PoolServices, index: number): ChildSpec {
  return child(PoolConnection, { services, isOverflow: false }, { id: `connection-${index}`, ...options })
}

/** Connections beyond those, opened when they are needed: `startChild({ services, isOverflow: true })`. */
export function overflowTemplate(): ChildSpec {
  return child(PoolConnection, undefined as unknown as PoolJob, { id: 'overflow', restart: 'temporary', ...options })
}

const options: ChildOptions = { shutdown: SHUTDOWN_MS }
