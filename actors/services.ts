/**
 * What every process of a server is handed: the tables it may read, the names it may write to, the limits it must keep. One
 * record per application, made when the tree starts; nothing in it is global.
 */
import type { Authenticator } from '#auth/authenticator'
import type { Sealer } from '#auth/sealed-state'
import type { Answers } from '#cache/answers'
import type { Catalog } from '#features/catalog'
import type { Outside } from '#observability/outside'
import type { Report } from '#observability/report'
import type { Telemetry } from '#observability/telemetry'
import type { CacheHints, Implementation, Revision, ServerCapabilities } from '#protocol'
import type { Clock, NameTable, Random, Ref } from '#runtime'
import type { EventStore, RecordStore, SessionStore, Store } from '#storage/port'
import type { Counters } from '#structures/counters'
import type { NumberTable } from '#structures/number-table'
import type { Listening, Sink } from '#transports/port'
import type { Check } from './health.ts'
import type { Listen } from './listen.ts'
import type { Members } from './members.ts'
import type { ModernCall } from './modern-call.ts'
import type { Overload } from './overload.ts'
import type { TaskLimits } from './task-record.ts'
import type { ToolCircuit } from './tool-breakers.ts'

export interface Limits {
  /** Sessions that may be open at once. */
  readonly sessionsMax: number
  /** Milliseconds without a request or an open stream after which a session over HTTP ends. */
  readonly sessionIdleMs: number
  /** Requests of one session that may be in flight at once. */
  readonly requestsMax: number
  /** Requests of the modern era that may be in flight in all. */
  readonly callsMax: number
  /** Items on one page of a list. */
  readonly pageSize: number
  /** Milliseconds that prompts, resources and completions may take; a tool has its own `timeout`. */
  readonly requestTimeoutMs: number
  /** Milliseconds that a client may take to answer sampling, elicitation or roots. */
  readonly askTimeoutMs: number
  /** Milliseconds that requests in flight are given when the server stops. */
  readonly drainMs: number
  /** Milliseconds within which a resource, or a list, is announced as changed once; 0 for every change by itself. */
  readonly coalesceMs: number
  /** What differs from the defaults of `taskLimits`. */
  readonly tasks?: Partial<TaskLimits>
}

export interface OutsidePort {
  readonly view: Outside
  address: { readonly host: string; readonly port: number }
  url: string | undefined
}

export interface OpenSession {
  readonly id: string
  /** The sink of its connection; null over HTTP. */
  readonly connection: Sink | null
  /** What is to be answered when the subtree has ended without a word; see `Debts` of the session. */
  readonly debts: { settle: ((why: string) => void) | undefined; hasLeft: boolean }
  /** False until whoever opened it was told. */
  isClaimed: boolean
}

export interface Services {
  readonly info: Implementation
  readonly instructions: string | undefined
  readonly catalog: Catalog
  readonly revisions: readonly Revision[]
  /** What the server announces, as its catalog stands now. */
  readonly capabilities: () => ServerCapabilities
  readonly limits: Limits
  /** Processes of the application by role: 'session-manager', 'subscriptions', 'sessions', ... */
  readonly names: NameTable
  /** Session processes by session id. */
  readonly sessions: NameTable
  /** The open sessions by the supervisor of each; written by the session manager, kept over its restarts. */
  readonly open: Map<Ref, OpenSession>
  /** Everything that is kept, and three parts of it. */
  readonly store: Store
  readonly records: SessionStore
  readonly events: EventStore
  /** Answers that could be used once only and were, until they would have expired anyway. */
  readonly spent: RecordStore<{ readonly id: string; readonly expiresAt: number }>
  /** What is made when it is first needed. */
  readonly kept: { sealer: Sealer | undefined }
  /** Finds who calls; undefined where anybody may. */
  readonly auth: Authenticator | undefined
  /** How long clients of the modern era may keep lists. */
  readonly cache: CacheHints
  /** Answers that are kept; undefined where none may be. */
  answers?: Answers | undefined
  /** Makes them, for the process that owns them. */
  readonly makeAnswers?: ((clock: Clock, random: Random) => Answers) | undefined
  /** Requests of the modern era in flight, by the sequence of their time-outs. */
  readonly calls: NumberTable<ModernCall>
  /** Open subscriptions of the modern era. */
  readonly listens: Set<Ref<typeof Listen>>
  /** The other processes that serve the same, where there are several; see actors/members.ts. */
  readonly members?: Members | undefined
  /** How much may be asked and served, and how hard pressed the server is. */
  readonly overload: Overload
  /** The circuits of the tools that have a breaker, by name. */
  readonly circuits: Map<string, ToolCircuit>
  readonly counters: Counters
  readonly report: Report
  /** Watches requests: counts, times and traces them. */
  readonly telemetry: Telemetry
  /** What must hold for the server to be ready, beside what health looks at by itself; any part may add to it. */
  readonly checks: Map<string, Check>
  /** Milliseconds that one check may take. */
  readonly checkTimeoutMs: number
  /** The transports by name; undefined for one that is being started. */
  readonly listening: Map<string, Listening | undefined>
  /** The port of its own for health and metrics, where there is one; its listener writes where it is. */
  readonly outside: OutsidePort | undefined
  /** Told when the first client subscribes to a resource, and when the last one leaves it. */
  interest?: ((uri: string, isWanted: boolean) => void) | undefined
  /** How the application stands: listeners write `isDraining`, whoever started it `isOver`. */
  readonly status: { isDraining: boolean; isOver: boolean; isReady?: boolean }
}
