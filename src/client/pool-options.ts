/** The options of `pool`: their defaults, and their check at the door. */
import type { BreakerSettings } from '#actors/circuit-breaker'
import type { PoolTimings } from '#actors/client-pool'
import { describeValue } from '#protocol'
import type { CheckoutSettings, Strategy } from './checkouts.ts'
import type { Client } from './client.ts'
import type { ConnectOptions, Target } from './options.ts'

export interface BreakerOptions {
  /** Failures in a row that open the circuit; default 5. */
  readonly failures?: number
  /** Milliseconds that it stays open before a call is tried; default 10 000. */
  readonly resetMs?: number
  /** Calls tried at once while it is half open; default 1. */
  readonly trials?: number
}

export interface HealthOptions {
  /** Milliseconds between two looks at a connection; default 30 000. */
  readonly intervalMs?: number
  /** Milliseconds that a look may take; default 5 000. Two that fail in a row, and another connection is opened. */
  readonly timeoutMs?: number
}

export interface PoolOptions {
  readonly target: Target
  /**
   * Options of each connection, or a function that gives them anew for each; those for the first one are also the pool's, where
   * they name a `system`, `clock`, `random` or `events`.
   */
  readonly options?: ConnectOptions | (() => ConnectOptions)
  /** Called with each connection that was made and the options it was made with, before calls go over it. Must not throw. */
  readonly onConnect?: (client: Client, options: ConnectOptions) => void
  /** Connections that are kept; default 2. */
  readonly size?: number
  /** Connections beyond those, while all are busy; default 0. */
  readonly maxOverflow?: number
  /** Milliseconds that one of those is kept without use; default 10 000. */
  readonly overflowIdleMs?: number
  /** Over which connection a call goes; default 'least_busy'. */
  readonly strategy?: Strategy
  /** Calls over one connection at once; default 100. */
  readonly maxInFlight?: number
  /** Calls that may wait for a connection; default 1 000. */
  readonly queueMax?: number
  /** Milliseconds that they may wait; default 5 000. */
  readonly checkoutTimeoutMs?: number
  readonly health?: HealthOptions | false
  readonly breaker?: BreakerOptions | false
  /** Whether to resolve at once, though there is no connection yet; default false. */
  readonly isLazy?: boolean
}

export interface PoolSettings extends CheckoutSettings {
  readonly size: number
  readonly overflowMax: number
  readonly timings: PoolTimings
  readonly breaker: BreakerSettings | undefined
  readonly firstOptions: ConnectOptions
}

const strategies: readonly Strategy[] = ['least_busy', 'round_robin', 'random']
/** Most connections of one pool. */
const CONNECTIONS_MAX = 10_000

/** The settings of a pool. Throws a `TypeError` that names the option. */
export function poolSettingsOf(given: PoolOptions): PoolSettings {
  const { strategy = 'least_busy', health, breaker, options } = given
  if (!strategies.includes(strategy)) {
    throw new TypeError(`pool: strategy must be one of ${strategies.join(', ')}, got ${describeValue(strategy)}.`)
  }
  const look = health === false ? { intervalMs: 0 } : (health ?? {})
  return {
    strategy,
    size: whole('size', given.size, 2, 1, CONNECTIONS_MAX),
    overflowMax: whole('maxOverflow', given.maxOverflow, 0, 0, CONNECTIONS_MAX),
    maxInFlight: whole('maxInFlight', given.maxInFlight, 100, 1),
    queueMax: whole('queueMax', given.queueMax, 1_000, 0),
    checkoutTimeoutMs: whole('checkoutTimeoutMs', given.checkoutTimeoutMs, 5_000, 1),
    timings: {
      healthMs: whole('health.intervalMs', look.intervalMs, 30_000, 0),
      healthTimeoutMs: whole('health.timeoutMs', look.timeoutMs, 5_000, 1),
      overflowIdleMs: whole('overflowIdleMs', given.overflowIdleMs, 10_000, 1),
      retryMinMs: 100,
      retryMaxMs: 10_000,
    },
    breaker:
      breaker === false
        ? undefined
        : {
            failures: whole('breaker.failures', breaker?.failures, 5, 1),
            resetMs: whole('breaker.resetMs', breaker?.resetMs, 10_000, 1),
            trials: whole('breaker.trials', breaker?.trials, 1, 1),
          },
    firstOptions: typeof options === 'function' ? options() : (options ?? {}),
  }
}

function whole(name: string, value: unknown, usual: number, low: number, high = Number.MAX_SAFE_INTEGER): number {
  if (value === undefined) return usual
  if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) return value as number
  const range = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`
  throw new TypeError(`pool: ${name} must be a whole number ${range}, got ${describeValue(value)}.`)
}
