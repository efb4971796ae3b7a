/**
 * What goes wrong in a simulation: faults that were planned, by name and number, and faults by chance from the seed. Every one
 * is noted in the trace and kept for the schedule as a planned one, so that a run repeats whatever brought its faults about.
 */
import type { Definition, Random } from '#runtime'
import { kinds } from '#runtime/envelope'
import type { System } from '#runtime/system'
import { type FaultKind, type FaultSpec, formatFault, parseFault } from './fault-spec.ts'
import type { Before, Trace } from './trace.ts'

type Process = Parameters<Definition['handle']>[0]

/** How likely a fault is at each message of a process. */
export interface Chaos {
  /** Probability that a process throws before it handles a message; default 0. */
  readonly crash?: number
  /** Probability that a process is killed before it handles a message; default 0. */
  readonly kill?: number
  /** Only processes with one of these pids, names, child ids or definitions; default all. */
  readonly targets?: readonly string[]
  /** The virtual time from which there are any, in milliseconds; default 0. */
  readonly from?: number
  /** The virtual time from which there are none any more, so that a run can end in peace; default `Infinity`. */
  readonly until?: number
  /** Crashes and kills by chance at most in one run; default 1 000. */
  readonly max?: number
}

/** How likely a fault is at each passage of a fault point: a direction of a transport, a store's operation. */
export interface Chances {
  readonly drop?: number
  readonly duplicate?: number
  readonly fail?: number
  /** Probability of a delay of 1 to `delayMs` virtual milliseconds. */
  readonly delay?: number
  /** Default 100. */
  readonly delayMs?: number
}

/** What happens at a fault point; undefined when nothing does. */
export type PointFault = Pick<FaultSpec, 'kind' | 'delayMs'> | undefined

/** What a process that a simulation lets crash throws. */
export class SimulatedFault extends Error {
  override readonly name = 'SimulatedFault'
}

/** A fault that has happened, and how long the trace was before it. */
interface FiredFault {
  readonly spec: FaultSpec
  readonly line: number
}

const DELAY_MS = 100
const CHAOS_MAX = 1_000

export interface FaultsOptions {
  readonly plan: readonly (FaultSpec | string)[]
  /** Undefined for a run that repeats another: nothing is left to chance. */
  readonly random: Random | undefined
  readonly chaos: Chaos | undefined
  readonly trace: Trace
  /** Faults that are kept for the schedule. */
  readonly max: number
}

export class Faults {
  readonly fired: FiredFault[] = []
  /** More happened than are kept: the run cannot be written down. */
  isOverfull = false
  private readonly max: number
  private readonly plan: FaultSpec[]
  private readonly random: Random | undefined
  private readonly chaos: Chaos | undefined
  private readonly trace: Trace
  /** Crashes and kills by chance so far. */
  private drawn = 0
  /** Messages of each process, passages of each point. */
  private readonly counts = new Map<string, number>()

  constructor({ plan, random, chaos, trace, max }: FaultsOptions) {
    this.max = max
    this.plan = plan.map((fault) => (typeof fault === 'string' ? parseFault(fault) : fault))
    this.random = random
    this.chaos = random === undefined ? undefined : chaos
    this.trace = trace
  }

  /** Whether processes have to be looked at, message by message. */
  get concernProcesses(): boolean {
    return this.chaos !== undefined || this.plan.some(({ kind, unit }) => isForProcess(kind) && unit === 'message')
  }

  /** Sets the faults that have a time. */
  setTimes(system: System): void {
    for (const spec of this.plan) {
      if (spec.unit === 'ms') system.clock.setTimer(() => this.strike(system, spec), spec.at)
    }
  }

  /**
   * A process is about to run its `init` (number 0), a message or a continuation: it may be ended here, or throw. A message that
   * it does not come to counts as undelivered, like those behind it.
   */
  readonly before: Before = (process, isInit, envelope) => {
    const count = isInit ? 0 : this.count(process.pid)
    const place = this.plan.findIndex(
      ({ kind, target, at, unit }) =>
        unit === 'message' && at === count && isForProcess(kind) && isNamed(process, target),
    )
    const planned = place < 0 ? undefined : this.plan.splice(place, 1)[0]
    const spec = planned ?? (isInit ? undefined : this.draw(process, count))
    if (spec === undefined) return
    this.note(process.pid, spec)
    if (envelope?.kind === kinds.cast || envelope?.kind === kinds.info)
      process.definition.undelivered?.(process, envelope)
    if (spec.kind === 'kill') process.receiveExit(null, null, 'kill', false)
    else throw new SimulatedFault(`A simulated crash (${formatFault(spec)}).`)
  }

  /** Something passes a fault point. */
  at(point: string, chances: Chances): PointFault {
    const count = this.count(point)
    const place = this.plan.findIndex(({ kind, target, at }) => at === count && target === point && !isForProcess(kind))
    const spec = (place < 0 ? undefined : this.plan.splice(place, 1)[0]) ?? this.drawAt(point, count, chances)
    if (spec !== undefined) this.note(point, spec)
    return spec
  }

  private note(where: string, spec: FaultSpec): void {
    if (this.fired.length < this.max) this.fired.push({ spec, line: this.trace.lines.length })
    else this.isOverfull = true
    this.trace.note(where, `fault ${formatFault(spec)}`)
  }

  private strike(system: System, spec: FaultSpec): void {
    const victim = system.allProcesses().find((process) => isNamed(process, spec.target))
    if (victim === undefined) return
    this.note(victim.pid, spec)
    const reason = spec.kind === 'kill' ? 'kill' : new SimulatedFault(`A simulated crash (${formatFault(spec)}).`)
    victim.receiveExit(null, null, reason, false)
  }

  private draw(process: Process, count: number): FaultSpec | undefined {
    const { chaos, random } = this
    if (chaos === undefined || random === undefined || this.drawn >= (chaos.max ?? CHAOS_MAX)) return undefined
    const now = process.system.clock.now()
    if (now < (chaos.from ?? 0) || now >= (chaos.until ?? Number.POSITIVE_INFINITY)) return undefined
    if (chaos.targets !== undefined && !chaos.targets.some((target) => isNamed(process, target))) return undefined
    const chance = random.next()
    const crash = chaos.crash ?? 0
    const kind = chance < crash ? 'crash' : chance < crash + (chaos.kill ?? 0) ? 'kill' : undefined
    if (kind !== undefined) this.drawn++
    return kind && { kind, target: process.pid, at: count, unit: 'message', delayMs: 0 }
  }

  private drawAt(target: string, at: number, chances: Chances): FaultSpec | undefined {
    if (this.random === undefined) return undefined
    let chance = this.random.next()
    for (const kind of ['drop', 'duplicate', 'fail', 'delay'] as const) {
      const probability = chances[kind] ?? 0
      if (chance < probability) {
        const delayMs = kind === 'delay' ? 1 + Math.floor(this.random.next() * (chances.delayMs ?? DELAY_MS)) : 0
        return { kind, target, at, unit: 'message', delayMs }
      }
      chance -= probability
    }
    return undefined
  }

  private count(name: string): number {
    const count = (this.counts.get(name) ?? 0) + 1
    this.counts.set(name, count)
    return count
  }
}

function isForProcess(kind: FaultKind): boolean {
  return kind === 'crash' || kind === 'kill'
}

function isNamed(process: Process, name: string): boolean {
  return (
    process.definition.name === name ||
    process.childId === name ||
    process.pid === name ||
    process.registeredNames.includes(name)
  )
}
