/** The options that keep a server standing under load: their defaults, and their check at the door. */
import type { Overload, Rates } from '#actors/overload'
import type { PressureBounds, PressureSettings } from '#actors/pressure'
import type { MachineProbe } from '#observability/machine-probe'
import { describeValue } from '#protocol'
import { realClock } from '#runtime'
import { AdmissionGate } from '#structures/admission-gate'
import { BucketTable } from '#structures/bucket-table'

export interface RateOptions {
  /** Requests in a second, over time; above 0. */
  readonly perSecond: number
  /** Requests at once after a pause; default: those of one second, at least 1. */
  readonly burst?: number
}

export interface LimitsOptions {
  /** Requests of the whole server; default: any number. One too many is refused with 429. */
  readonly server?: RateOptions
  /** Requests of one session; default: any number. */
  readonly session?: RateOptions
  /** Requests of one authenticated principal; default: any number. */
  readonly principal?: RateOptions
  /** Requests from one address (of IPv6: one /64 network); default: any number. */
  readonly address?: RateOptions
  /** Sessions, principals and addresses of which is known what they may still send, each; default 100 000. */
  readonly maxKeys?: number
  /** Requests that run an author's code in flight at once, over all clients; default 20 000. One more is refused with 503. */
  readonly maxInFlight?: number
  /** Requests that may wait for the processor; default 20 000. One more is refused with 503. */
  readonly maxQueued?: number
  /** Requests whose function begins at once; the others wait. Default 64; fewer when each takes long. */
  readonly maxStarting?: number
  /** Milliseconds that the oldest of those that wait may have waited before new ones are refused with 503; default 3 000. */
  readonly queueTargetMs?: number
  /** Milliseconds after which one that waits is refused; default 10 000. */
  readonly queueMaxMs?: number
}

export interface PressureOptions {
  /** Milliseconds between two looks while there is work; default 100. */
  readonly sampleMs?: number
  /** Milliseconds of calm before the level falls by one; default 1 000. */
  readonly calmMs?: number
  /** Where 'elevated' begins; default { loopDelayMs: 2000, heapRatio: 0.85, rssRatio: 0.85, storeRatio: 0.5 }. */
  readonly elevated?: Partial<PressureBounds>
  /** Where 'critical' begins; default { loopDelayMs: 10000, heapRatio: 0.95, rssRatio: 0.95, storeRatio: 0.9 }. */
  readonly critical?: Partial<PressureBounds>
  /** What is asked how the machine stands, for tests; default: this machine. */
  readonly probe?: MachineProbe
}

export interface OverloadOptions {
  /** Bounds of how much is asked and served at once; see docs/overload.md. */
  readonly limits?: LimitsOptions
  /** When load is shed because the event loop, the memory or the disk is behind; false for never. */
  readonly pressure?: PressureOptions | false
}

const elevatedDefault: PressureBounds = { loopDelayMs: 2_000, heapRatio: 0.85, rssRatio: 0.85, storeRatio: 0.5 }
const criticalDefault: PressureBounds = { loopDelayMs: 10_000, heapRatio: 0.95, rssRatio: 0.95, storeRatio: 0.9 }

/** Makes a new table of limits at each start. Throws a `TypeError` that names the option, now. */
export function overloadOf({ limits = {}, pressure }: OverloadOptions): () => Overload {
  checkNames('limits', limits, limitNames)
  const whole = (name: keyof LimitsOptions, fallback: number): number => {
    const value: unknown = limits[name] ?? fallback
    if (Number.isInteger(value) && (value as number) >= 1) return value as number
    throw new TypeError(`serve: limits.${name} must be a whole number of at least 1, got ${describeValue(value)}.`)
  }
  const settings = {
    inFlightMax: whole('maxInFlight', 20_000),
    queuedMax: whole('maxQueued', 20_000),
    startingMax: whole('maxStarting', 64),
    queueTargetMs: whole('queueTargetMs', 3_000),
    queueMaxMs: whole('queueMaxMs', 10_000),
  }
  const keysMax = whole('maxKeys', 100_000)
  const rates = (['address', 'principal', 'session', 'server'] as const).flatMap((scope) => {
    const rate = rateOf(scope, limits[scope])
    return rate === undefined ? [] : [{ scope, rate }]
  })
  const pressureSettings = pressureOf(pressure)
  return () => {
    const tables: Rates = Object.fromEntries(rates.map(({ scope, rate }) => [scope, new BucketTable(rate, keysMax)]))
    const overload: Overload = {
      rates: tables,
      // The clock is the system's from when there is one.
      gate: new AdmissionGate(settings, () => overload.clock.now()),
      pressure: {
        level: 'normal',
        sinceMs: 0,
        because: [],
        loopDelayMs: 0,
        heapRatio: 0,
        rssBytes: 0,
        rssRatio: 0,
        storeRatio: 0,
      },
      pressureSettings,
      isWatched: rates.length > 0,
      clock: realClock,
    }
    return overload
  }
}

const limitNames = [
  'server',
  'session',
  'principal',
  'address',
  'maxKeys',
  'maxInFlight',
  'maxQueued',
  'maxStarting',
  'queueTargetMs',
  'queueMaxMs',
]

function rateOf(scope: string, option: unknown): { perSecond: number; burst: number } | undefined {
  if (option === undefined) return undefined
  const what = `limits.${scope}`
  if (typeof option !== 'object' || option === null)
    throw new TypeError(`serve: ${what} must be { perSecond, burst? }, got ${describeValue(option)}.`)
  checkNames(what, option, ['perSecond', 'burst'])
  const { perSecond, burst } = option as Partial<RateOptions>
  if (typeof perSecond !== 'number' || !(perSecond > 0) || !Number.isFinite(perSecond))
    throw new TypeError(`serve: ${what}.perSecond must be a number above 0, got ${describeValue(perSecond)}.`)
  if (burst !== undefined && !(Number.isInteger(burst) && burst >= 1))
    throw new TypeError(`serve: ${what}.burst must be a whole number of at least 1, got ${describeValue(burst)}.`)
  return { perSecond, burst: burst ?? Math.max(1, Math.ceil(perSecond)) }
}

function pressureOf(option: PressureOptions | false | undefined): PressureSettings | undefined {
  if (option === false) return undefined
  const { sampleMs = 100, calmMs = 1_000, elevated, critical, probe } = option ?? {}
  for (const [name, value] of Object.entries({ sampleMs, calmMs })) {
    if (!Number.isInteger(value) || value < 1)
      throw new TypeError(`serve: pressure.${name} must be a whole number of at least 1, got ${describeValue(value)}.`)
  }
  const settings = {
    sampleMs,
    calmMs,
    elevated: boundsOf('elevated', elevatedDefault, elevated),
    critical: boundsOf('critical', criticalDefault, critical),
    probe,
  }
  for (const name of Object.keys(elevatedDefault) as (keyof PressureBounds)[]) {
    if (settings.critical[name] < settings.elevated[name])
      throw new TypeError(
        `serve: pressure.critical.${name} must be at least pressure.elevated.${name} (${settings.elevated[name]}), ` +
          `got ${settings.critical[name]}.`,
      )
  }
  return settings
}

function boundsOf(
  level: 'elevated' | 'critical',
  fallback: PressureBounds,
  given: Partial<PressureBounds> | undefined,
): PressureBounds {
  if (given === undefined) return fallback
  checkNames(`pressure.${level}`, given, Object.keys(fallback))
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'number' || !(value > 0))
      throw new TypeError(`serve: pressure.${level}.${name} must be a number above 0, got ${describeValue(value)}.`)
  }
  return { ...fallback, ...given }
}

function checkNames(what: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null)
    throw new TypeError(`serve: ${what} must be an object, got ${describeValue(given)}.`)
  const unknown = Object.keys(given).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new TypeError(`serve: ${what} has no "${unknown}". It has ${known.join(', ')}.`)
}
