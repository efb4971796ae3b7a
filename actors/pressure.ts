/**
 * Pressure says when a server is behind: it looks at the processor, the memory and the disk every `sampleMs`, and keeps a level
 * that the doors read. *Elevated*: new sessions, subscriptions, completions and tasks are refused. *Critical*: so is every call;
 * pings, cancels, answers and the end of a session are served at any level. The level rises when two looks in a row find a reason,
 * and falls by one step once all of them were well below their bounds for `calmMs`: a single pause of the collector sheds nothing,
 * and a server at the edge does not flap.
 *
 * How late a look comes is about what a message waits: its timer, the event loop and the run queue are in it. While there is no
 * work a look is rare. In virtual time nothing is ever late, so there is none unless a probe is given.
 */
import { type MachineProbe, machineProbe } from '#observability/machine-probe'
import { type ChildSpec, child, defineActor, realClock, type Self, via } from '#runtime'
import type { Pressure, PressureLevel, PressureSource } from './overload.ts'
import type { Services } from './services.ts'

export interface PressureSettings {
  /** Milliseconds between two looks while there is work. */
  readonly sampleMs: number
  /** Milliseconds that all must be calm before the level falls by one. */
  readonly calmMs: number
  /** Where a level begins: milliseconds that a look is late, used parts of the heap, of the memory, of what may wait for the disk. */
  readonly elevated: PressureBounds
  readonly critical: PressureBounds
  /** What is asked for the memory; undefined for this machine. */
  readonly probe: MachineProbe | undefined
}

export interface PressureBounds {
  readonly loopDelayMs: number
  readonly heapRatio: number
  readonly rssRatio: number
  readonly storeRatio: number
}

/** Milliseconds between two looks while nothing is in flight. */
const IDLE_SAMPLE_MS = 1_000
/** Looks in a row that must find a reason before the level rises. */
const RISING_LOOKS = 2
/** The share of a bound below which it counts as calm. */
const CALM_SHARE = 0.8

interface State {
  readonly services: Services
  readonly settings: PressureSettings
  readonly probe: MachineProbe
  /** When the next look is due. */
  dueAt: number
  /** Looks in a row that found a reason for a higher level. */
  risingLooks: number
  calmSince: number
}

export interface PressureArg {
  readonly services: Services
  /** Undefined: nobody looks. */
  readonly settings: PressureSettings | undefined
}

export const PressureProcess = defineActor({
  name: 'pressure',
  init: ({ services, settings }: PressureArg, self: Self<never>): State | undefined => {
    services.overload.clock = self.system.clock
    if (settings === undefined) return undefined
    if (settings.probe === undefined && self.system.clock !== realClock) return undefined
    const state: State = {
      services,
      settings,
      probe: settings.probe ?? machineProbe(),
      dueAt: 0,
      risingLooks: 0,
      calmSince: self.now(),
    }
    lookLater(state, self as unknown as Self)
    return state
  },
  call: {
    describe: (state): Pressure | undefined => state && { ...state.services.overload.pressure },
  },
  info: (state, _look, self) => {
    if (state === undefined) return
    look(state, self as unknown as Self)
    lookLater(state, self as unknown as Self)
  },
})

function lookLater(state: State, self: Self): void {
  const { gate, pressure } = state.services.overload
  const isIdle = gate.inFlight === 0 && gate.queued === 0 && pressure.level === 'normal'
  const delayMs = isIdle ? Math.max(IDLE_SAMPLE_MS, state.settings.sampleMs) : state.settings.sampleMs
  state.dueAt = self.now() + delayMs
  self.sendAfter(delayMs, 'look')
}

function look(state: State, self: Self): void {
  const { services, settings, probe } = state
  const { overload, store } = services
  const { pressure } = overload
  const now = self.now()
  const sample = probe(now - state.dueAt)
  pressure.loopDelayMs = Math.max(sample.loopDelayMs, 0)
  pressure.heapRatio = sample.heapRatio
  pressure.rssBytes = sample.rssBytes
  pressure.rssRatio = sample.rssRatio
  pressure.storeRatio = store.fullness ?? 0

  const critical = over(pressure, settings.critical, 1)
  const elevated = over(pressure, settings.elevated, 1)
  const wanted: PressureLevel = critical.length > 0 ? 'critical' : elevated.length > 0 ? 'elevated' : 'normal'
  if (ranks[wanted] > ranks[pressure.level]) {
    state.calmSince = now
    if (++state.risingLooks >= RISING_LOOKS) change(state, wanted, critical.length > 0 ? critical : elevated, now)
    return
  }
  state.risingLooks = 0
  if (pressure.level === 'normal') return
  const bounds = pressure.level === 'critical' ? settings.critical : settings.elevated
  if (over(pressure, bounds, CALM_SHARE).length > 0) state.calmSince = now
  else if (now - state.calmSince >= settings.calmMs)
    change(state, pressure.level === 'critical' ? 'elevated' : 'normal', elevated, now)
}

const ranks = { normal: 0, elevated: 1, critical: 2 } as const

function over(pressure: Pressure, bounds: PressureBounds, share: number): PressureSource[] {
  const sources: PressureSource[] = []
  if (pressure.loopDelayMs >= bounds.loopDelayMs * share) sources.push('loop')
  if (pressure.heapRatio >= bounds.heapRatio * share) sources.push('heap')
  if (pressure.rssRatio >= bounds.rssRatio * share) sources.push('rss')
  if (pressure.storeRatio >= bounds.storeRatio * share) sources.push('store')
  return sources
}

function change(state: State, level: PressureLevel, because: readonly PressureSource[], now: number): void {
  const { overload, counters, report } = state.services
  const { pressure, rates } = overload
  const { level: from, loopDelayMs, heapRatio, rssBytes, storeRatio } = pressure
  state.risingLooks = 0
  state.calmSince = now
  pressure.level = level
  pressure.sinceMs = now
  pressure.because = level === 'normal' ? [] : because
  overload.isWatched = level !== 'normal' || Object.keys(rates).length > 0
  counters.add('pressure_changes', 1, level)
  report({ type: 'pressure', level, from, because: pressure.because, loopDelayMs, heapRatio, rssBytes, storeRatio })
}

export function pressureChild(services: Services): ChildSpec {
  const arg: PressureArg = { services, settings: services.overload.pressureSettings }
  return child(PressureProcess, arg, { id: 'pressure', name: via(services.names, 'pressure') })
}
