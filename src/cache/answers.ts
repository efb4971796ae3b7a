/**
 * Answers that are kept, on two levels: what each session used last, and what all share. A hit gives text that is ready to be
 * sent. A miss runs the work once, however many ask for the same at that moment; whatever did not come out well is given to who
 * ran it and kept for nobody. An answer that was being made while a tag of it was invalidated is kept, but never served.
 *
 *     lookup ------ hit: the text                          no process, no message
 *        |
 *     run --------- hit after all, or the answer of whoever is at work on it, or the work's own
 */
import type { Clock } from '#runtime'
import type { Counters } from '#structures/counters'
import { Lru } from '#structures/lru'
import { hash53 } from '#structures/text-hash'
import { adaptiveTtlMs } from './adaptive-ttl.ts'
import type { CachedText, CacheStats, Miss, SharedCache, Stamps } from './port.ts'

/** What is asked for, and how its answer may be kept. */
export interface Query {
  readonly key: string
  readonly tags: readonly string[]
  readonly ttlMs: number
  readonly isAdaptive: boolean
  /** The session whose own level is used; undefined outside a session. */
  readonly session: string | undefined
  /** Whether the answer is for this session alone: it is not put on the shared level. */
  readonly isOwn: boolean
}

/** What a run gives: a text that is ready, or whatever the work came to. */
export type Outcome<R> =
  | { readonly entry: CachedText /** Made for this request, just now. */; readonly isNew: boolean }
  | { readonly result: R }

export interface Encoded {
  readonly text: string
  /** Undefined for the query's. */
  readonly ttlMs: number | undefined
}

export interface Work<R> {
  compute(): R | Promise<R>
  /** What to keep; undefined for a result that must not be kept. */
  encode(result: R): Encoded | undefined
  /** Aborts when whoever runs it is ended, and with that the work. */
  readonly signal: AbortSignal
}

export interface AnswersOptions {
  readonly shared: SharedCache
  readonly clock: Clock
  readonly counters: Counters
  /** Answers that one session keeps for itself; default 32. */
  readonly sessionEntries?: number
  /** Bytes of them, two for each character; default 262 144. */
  readonly sessionBytes?: number
}

const SESSION_ENTRIES = 32
const SESSION_BYTES = 262_144
/** Bytes that the levels of all sessions may hold together; beyond them the one written longest ago is emptied. */
export const SESSIONS_BYTES_MAX = 33_554_432
/** Requests that may wait for one that is at work on the same; further ones work for themselves. */
export const WAITERS_MAX = 1_000
/** Keys at work at once that others may wait for. */
const FLIGHTS_MAX = 10_000
/** Keys whose adaptive time is remembered. */
const LIFETIMES_MAX = 10_000
/** Invalidations that the shared level did not take and that are tried again; with more, nothing is served from it any more. */
const OWED_MAX = 1_000

interface Lifetime {
  readonly ttlMs: number
  readonly textHash: number
  hits: number
}

/** What those get who waited. 'failed': there is nothing to share. 'abandoned': who was at work is gone. */
type Landing = CachedText | 'failed' | 'abandoned'

/** Somebody is at work on a key. */
interface Flight {
  readonly stamps: Stamps
  readonly done: Promise<Landing>
  waiters: number
}

/** What is known when work begins. */
interface Start {
  /** Undefined when the shared level cannot tell: then nothing is kept. */
  readonly stamps: Stamps | undefined
  readonly storedAt: number
  readonly miss: Miss
}

export class Answers {
  readonly shared: SharedCache
  private readonly clock: Clock
  private readonly counters: Counters
  private readonly sessionBounds: { readonly entriesMax: number; readonly bytesMax: number }
  /** In the order in which they were written, the last one last. */
  private readonly sessions = new Map<string, Lru<CachedText>>()
  private sessionsBytes = 0
  private keptListener: (() => void) | undefined
  private readonly owed = new Set<string>()
  private readonly flights = new Map<string, Flight>()
  private readonly lifetimes = new Lru<Lifetime>({ entriesMax: LIFETIMES_MAX, bytesMax: Number.POSITIVE_INFINITY })

  constructor({ shared, clock, counters, sessionEntries, sessionBytes }: AnswersOptions) {
    this.shared = shared
    this.clock = clock
    this.counters = counters
    this.sessionBounds = { entriesMax: sessionEntries ?? SESSION_ENTRIES, bytesMax: sessionBytes ?? SESSION_BYTES }
  }

  /** The answer if it is there, counted as a hit; costs no message. A miss is counted by `run`. */
  lookup(query: Query): CachedText | undefined {
    const found = this.find(query)
    return typeof found === 'object' ? found : undefined
  }

  /** Answers a query that missed. Throws and rejects as the work does. */
  run<R>(query: Query, work: Work<R>): Outcome<R> | Promise<Outcome<R>> {
    const found = this.find(query)
    if (typeof found === 'object') return { entry: found, isNew: false }
    const flight = this.flights.get(query.key)
    if (flight !== undefined && this.mayJoin(flight)) {
      this.counters.add('cache_joined')
      return this.join(query, work, flight)
    }
    this.counters.add('cache_misses', 1, found)
    return this.lead(query, work, found)
  }

  /** Whatever has this tag is worth nothing from now on. Never throws: what cannot be written now is owed. */
  invalidate(tag: string): void {
    this.counters.add('cache_invalidations')
    if (this.owed.size <= OWED_MAX) this.owed.add(tag)
    this.pay()
  }

  /** Forgets some of what is too old. */
  sweep(): void {
    const swept = this.shared.sweep()
    if (swept > 0) this.counters.add('cache_swept', swept)
  }

  /** Calls `listener` once, when next something is put on the shared level. */
  onceKept(listener: () => void): void {
    this.keptListener = listener
  }

  /** A session is over. */
  forget(session: string): void {
    this.sessionsBytes -= this.sessions.get(session)?.bytes ?? 0
    this.sessions.delete(session)
  }

  /** Milliseconds for which an answer may still be served. */
  leftMs({ storedAt, ttlMs }: CachedText): number {
    return Math.max(0, Math.floor(storedAt + ttlMs - this.clock.wallNow()))
  }

  stats(): CacheStats & { readonly sessions: number; readonly sessionBytes: number } {
    return { ...this.shared.stats(), sessions: this.sessions.size, sessionBytes: this.sessionsBytes }
  }

  private find(query: Query): CachedText | Miss {
    const { key, session } = query
    // What is owed may be this key's.
    if (this.owed.size > 0 && !this.pay()) return 'invalidated'
    try {
      const near = session === undefined ? undefined : this.sessions.get(session)?.get(key)
      const fault = near === undefined ? 'absent' : this.shared.faultOf(near)
      if (near !== undefined && fault === undefined) return this.hit(query, near, 'session')
      if (near !== undefined && session !== undefined) this.changeOwn(session, (own) => own.delete(key))
      if (query.isOwn) return fault ?? 'absent'
      const found = this.shared.get(key)
      if (typeof found === 'string') return found
      this.keepOwn(query, found)
      return this.hit(query, found, 'shared')
    } catch {
      this.counters.add('cache_faults')
      return 'absent'
    }
  }

  private hit(query: Query, entry: CachedText, level: 'session' | 'shared' | 'far'): CachedText {
    this.counters.add('cache_hits', 1, level)
    const lifetime = query.isAdaptive ? this.lifetimes.get(query.key) : undefined
    if (lifetime !== undefined) lifetime.hits++
    return entry
  }

  /** Whether nothing has changed since the work began, as far as is known here. */
  private mayJoin({ waiters, stamps }: Flight): boolean {
    if (waiters >= WAITERS_MAX || this.owed.size > 0) return false
    try {
      return this.shared.isCurrent(stamps)
    } catch {
      return false
    }
  }

  private async join<R>(query: Query, work: Work<R>, flight: Flight): Promise<Outcome<R>> {
    flight.waiters++
    const landing = await flight.done
    if (typeof landing === 'object') return { entry: landing, isNew: true }
    work.signal.throwIfAborted()
    if (landing === 'abandoned') return this.run(query, work)
    // What failed once is not shared: each runs by itself, as without a cache.
    return this.lead(query, work, 'absent', false)
  }

  private lead<R>(query: Query, work: Work<R>, miss: Miss, mayBeJoined = true): Outcome<R> | Promise<Outcome<R>> {
    // Before the work reads anything: what changes from now on makes its answer worthless.
    const start: Start = { stamps: this.stampsOf(query.tags), storedAt: this.clock.wallNow(), miss }
    const finish = (result: R): Outcome<R> => {
      const entry = this.keep(query, work.encode(result), start)
      return entry === undefined ? { result } : { entry, isNew: true }
    }
    const { fetch } = this.shared
    let outcome: Promise<Outcome<R>>
    if (fetch !== undefined && !query.isOwn) outcome = this.fetchOr(query, work, finish)
    else {
      const computed = work.compute()
      if (!isThenable(computed)) return finish(computed)
      outcome = Promise.resolve(computed).then(finish)
    }
    if (mayBeJoined && start.stamps !== undefined) this.takeOff(query.key, start.stamps, work.signal, outcome)
    return outcome
  }

  /** Asks what is farther away, and works where that has nothing either. */
  private async fetchOr<R>(query: Query, work: Work<R>, finish: (result: R) => Outcome<R>): Promise<Outcome<R>> {
    const far = await this.shared.fetch?.(query.key).catch(() => {
      this.counters.add('cache_faults')
      return undefined
    })
    if (far === undefined || this.shared.faultOf(far) !== undefined) return finish(await work.compute())
    this.keepOwn(query, far)
    return { entry: this.hit(query, far, 'far'), isNew: false }
  }

  /** Lets others wait for what somebody is at work on. */
  private takeOff<R>(key: string, stamps: Stamps, signal: AbortSignal, outcome: Promise<Outcome<R>>): void {
    if (this.flights.size >= FLIGHTS_MAX) return
    let land: (landing: Landing) => void = () => undefined
    const flight: Flight = { stamps, waiters: 0, done: new Promise((resolve) => (land = resolve)) }
    const settle = (landing: Landing): void => {
      signal.removeEventListener('abort', abandon)
      if (this.flights.get(key) === flight) this.flights.delete(key)
      land(landing)
    }
    const abandon = (): void => settle('abandoned')
    // One that began before a change stands there no longer: those who wait for it have asked before, too.
    this.flights.set(key, flight)
    signal.addEventListener('abort', abandon, { once: true })
    outcome.then(
      (result) => settle('entry' in result ? result.entry : 'failed'),
      () => settle('failed'),
    )
  }

  private keep(query: Query, encoded: Encoded | undefined, { stamps, storedAt, miss }: Start): CachedText | undefined {
    if (encoded === undefined || stamps === undefined) return undefined
    const { key, isAdaptive } = query
    const { text } = encoded
    const baseMs = encoded.ttlMs ?? query.ttlMs
    if (baseMs <= 0) return undefined
    const ttlMs = isAdaptive ? this.lifetimeOf(key, text, baseMs, miss) : baseMs
    const entry: CachedText = { text, storedAt, ttlMs, stamps }
    this.keepOwn(query, entry)
    if (query.isOwn) return entry
    try {
      const isKept = this.shared.set(key, text, { ttlMs, stamps, storedAt })
      this.counters.add(isKept ? 'cache_stores' : 'cache_refusals')
      const tell = this.keptListener
      this.keptListener = undefined
      tell?.()
    } catch {
      this.counters.add('cache_faults')
    }
    return entry
  }

  private lifetimeOf(key: string, text: string, baseMs: number, miss: Miss): number {
    const last = this.lifetimes.get(key)
    const textHash = hash53(text)
    // Who tells of changes needs no shorter time for them.
    const ttlMs =
      miss === 'invalidated' && last !== undefined
        ? last.ttlMs
        : adaptiveTtlMs(baseMs, last && { ...last, isUnchanged: last.textHash === textHash })
    this.lifetimes.set(key, { ttlMs, textHash, hits: 0 })
    return ttlMs
  }

  private keepOwn({ key, session }: Query, entry: CachedText): void {
    if (session === undefined) return
    this.changeOwn(session, (own) => own.set(key, entry, (key.length + entry.text.length) * 2))
    while (this.sessionsBytes > SESSIONS_BYTES_MAX) {
      const [oldest] = this.sessions.keys()
      if (oldest === undefined) return
      this.forget(oldest)
    }
  }

  private changeOwn(session: string, change: (own: Lru<CachedText>) => void): void {
    const own = this.sessions.get(session) ?? new Lru<CachedText>(this.sessionBounds)
    this.sessions.delete(session)
    this.sessionsBytes -= own.bytes
    change(own)
    this.sessionsBytes += own.bytes
    if (own.size > 0) this.sessions.set(session, own)
  }

  private stampsOf(tags: readonly string[]): Stamps | undefined {
    try {
      return this.shared.stamps(tags)
    } catch {
      this.counters.add('cache_faults')
      return undefined
    }
  }

  /** Writes the invalidations that are owed; false when the shared level does not take them. */
  private pay(): boolean {
    if (this.owed.size > OWED_MAX) return false
    try {
      for (const tag of this.owed) {
        this.shared.invalidate(tag)
        this.owed.delete(tag)
      }
      return true
    } catch {
      this.counters.add('cache_faults')
      return false
    }
  }
}

function isThenable<R>(value: R | PromiseLike<R>): value is PromiseLike<R> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
