/**
 * Hot swap: every live process of a definition goes over to a new version at once, while messages flow. Mailboxes, links,
 * monitors, names, timers and children stay; only the code and the shape of the state change.
 *
 *     const CounterV2 = defineActor({ name: 'counter', version: 2, codeChange: (old) => ({ total: old.count }), ... })
 *     await system.upgrade(CounterV2)       // { name: 'counter', from: 1, to: 2, migrated: 1000, pausedMs: 0.8, ... }
 *
 * Processes in the middle of a handler are waited for, one message each; the rest stand still only while the states are
 * turned, which takes no turn of the event loop unless a `codeChange` is asynchronous. When one migration fails, none
 * happens. Several definitions change together: states are turned in start order, so what others depend on comes first.
 * After: OTP release_handler, suspend, code_change, resume.
 */
import type { Definition } from './definition.ts'
import type { Process } from './process.ts'
import { describeReason } from './reasons.ts'
import type { System } from './system.ts'

/** What `system.upgrade` takes beside the definitions. */
export interface UpgradeOptions {
  /** Milliseconds to wait for processes that are in the middle of a handler; default 5 000. Later nothing is changed. */
  readonly timeout?: number
}

/** What an upgrade did. */
export interface UpgradeReport {
  readonly name: string
  /** The version before; undefined when nothing was alive and the name was never upgraded. */
  readonly from: number | undefined
  readonly to: number
  /** Processes that went over. */
  readonly migrated: number
  /** Milliseconds that the longest standing process stood still. */
  readonly pausedMs: number
  /** Milliseconds that half of the processes stood still at most. */
  readonly medianPausedMs: number
  readonly processes: readonly { readonly pid: string; readonly pausedMs: number }[]
}

/**
 * An upgrade did not happen: all processes go on as they were. `code`: 'migration_failed' (a `codeChange` threw or its state
 * was refused; `pid` says whose, `cause` why), 'timeout' (a handler did not end in time), 'invalid' (no definition).
 */
export class UpgradeError extends Error {
  override readonly name = 'UpgradeError'
  readonly code: 'migration_failed' | 'timeout' | 'invalid'
  readonly pid: string | undefined
  constructor(code: UpgradeError['code'], message: string, pid?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.pid = pid
  }
}

/** Milliseconds to wait for handlers that run, unless told otherwise. */
const UPGRADE_TIMEOUT_MS = 5_000

interface Standing {
  readonly process: Process
  readonly next: Definition
  readonly since: number
  /** Suspended by somebody else: it stays so afterwards. */
  readonly wasSuspended: boolean
}

/** Which definition a name stands for since its last upgrade. */
export class Versions {
  private readonly current = new Map<string, Definition>()
  private readonly superseded = new WeakSet<Definition>()

  get(name: string): Definition | undefined {
    return this.current.get(name)
  }

  /** What a start of `definition` starts: the version that its name was upgraded to, unless it is a newer one itself. */
  resolve(definition: Definition): Definition {
    const current = this.current.get(definition.name)
    if (current === undefined || current === definition) return definition
    return this.superseded.has(definition) || definition.version <= current.version ? current : definition
  }

  put(next: Definition, before: Iterable<Definition>): void {
    for (const definition of before) if (definition !== next) this.superseded.add(definition)
    this.superseded.delete(next)
    this.current.set(next.name, next)
  }
}

/** Takes every live process of these definitions' names over to them, or none. */
export async function upgrade(
  system: System,
  definitions: readonly Definition[],
  options: UpgradeOptions = {},
): Promise<UpgradeReport[]> {
  const byName = new Map<string, Definition>()
  for (const definition of definitions) {
    if (typeof definition?.init !== 'function' || typeof definition.name !== 'string') {
      throw new UpgradeError(
        'invalid',
        `upgrade takes definitions (defineActor, defineSupervisor, ...), got ${String(definition)}.`,
      )
    }
    byName.set(definition.name, definition)
  }
  const standing = new Map<Process, Standing>()
  try {
    await standBusy(system, byName, standing, options.timeout ?? UPGRADE_TIMEOUT_MS)
    for (const process of affected(system, byName)) if (!standing.has(process)) stand(process, byName, standing)
    const moves = await turnStates(
      [...standing.values()].sort((left, right) => left.process.number - right.process.number),
    )
    return commit(system, byName, moves)
  } finally {
    for (const { process, wasSuspended } of standing.values())
      if (!wasSuspended && !process.isDead) process.resumeMessages()
  }
}

function affected(system: System, byName: ReadonlyMap<string, Definition>): Process[] {
  return system.allProcesses().filter((process) => {
    const next = byName.get(process.definition.name)
    return next !== undefined && next !== process.definition && process.status !== 'terminating'
  })
}

function stand(process: Process, byName: ReadonlyMap<string, Definition>, standing: Map<Process, Standing>): void {
  const next = byName.get(process.definition.name)
  if (next === undefined || standing.has(process)) return
  standing.set(process, { process, next, since: process.now(), wasSuspended: process.isSuspended })
  if (!process.isSuspended) process.suspend()
}

/** Suspends those that are in the middle of something, as each comes out of it; more may have begun meanwhile. */
async function standBusy(
  system: System,
  byName: ReadonlyMap<string, Definition>,
  standing: Map<Process, Standing>,
  timeoutMs: number,
): Promise<void> {
  const deadline = system.clock.now() + timeoutMs
  const busy = (): Process[] => affected(system, byName).filter((process) => process.isBusy && !standing.has(process))
  for (let waiting = busy(); waiting.length > 0; waiting = busy()) {
    await Promise.all(waiting.map((process) => standWhenFree(process, byName, standing, deadline)))
  }
}

function standWhenFree(
  process: Process,
  byName: ReadonlyMap<string, Definition>,
  standing: Map<Process, Standing>,
  deadline: number,
): Promise<void> {
  const { timers, clock } = process.system
  return new Promise((resolve, reject) => {
    let isOver = false
    const timer = timers.start(deadline - clock.now(), () => {
      isOver = true
      process.unwatch(monitor)
      reject(
        new UpgradeError(
          'timeout',
          `Nothing was upgraded: ${process.label} is in a handler that has not ended in time.`,
          process.pid,
        ),
      )
    })
    const monitor = process.observe(() => {
      timers.cancel(timer)
      resolve()
    })
    process.control(() => {
      if (isOver) return
      timers.cancel(timer)
      process.unwatch(monitor)
      stand(process, byName, standing)
      resolve()
    })
  })
}

interface Move extends Standing {
  readonly state: unknown
}

async function turnStates(standing: readonly Standing[]): Promise<Move[]> {
  const moves: Move[] = []
  for (const one of standing) {
    const { process, next } = one
    if (process.isDead) continue
    try {
      const state = codeChanged(next, process)
      // A promise is waited for only where there is one: without, all states turn within one turn of the event loop.
      const turned = state instanceof Promise ? await state : state
      const refused = checkState(next, turned)
      moves.push({ ...one, state: refused instanceof Promise ? await refused : turned })
    } catch (error) {
      throw new UpgradeError(
        'migration_failed',
        `Nothing was upgraded: ${process.label} could not go from version ${process.definition.version} to ${next.version}: ${describeReason(error)}.`,
        process.pid,
        error,
      )
    }
  }
  return moves
}

function codeChanged(next: Definition, process: Process): unknown {
  return next.codeChange === undefined
    ? process.state
    : next.codeChange(process, process.state, process.definition.version)
}

/** Holds a new state against its definition's schema. Throws, or rejects, when it does not fit. */
function checkState(next: Definition, state: unknown): undefined | Promise<unknown> {
  const schema = next.stateSchema
  if (schema === undefined) return undefined
  const refuse = (result: SchemaResult): unknown => {
    if (result.issues === undefined) return state
    const [issue] = result.issues
    const at = (issue?.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
    throw new TypeError(
      `the new state does not match its schema${at === '' ? '' : ` at ${at}`}: ${issue?.message ?? 'refused'}`,
    )
  }
  const result = schema['~standard'].validate(state)
  if (result instanceof Promise) return result.then(refuse)
  refuse(result)
  return undefined
}

/** The part of a Standard Schema that states are checked with. */
export interface StateSchema {
  readonly '~standard': { readonly validate: (value: unknown) => SchemaResult | Promise<SchemaResult> }
}

interface SchemaResult {
  readonly issues?:
    | readonly {
        readonly message: string
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
      }[]
    | undefined
}

function commit(system: System, byName: ReadonlyMap<string, Definition>, moves: readonly Move[]): UpgradeReport[] {
  const now = system.clock.now()
  const reports: UpgradeReport[] = []
  for (const [name, next] of byName) {
    const mine = moves.filter((move) => move.next === next && !move.process.isDead)
    const before = new Set(mine.map(({ process }) => process.definition))
    const from = mine[0]?.process.definition.version ?? system.versions.get(name)?.version
    const known = system.versions.get(name)
    system.versions.put(next, known === undefined ? before : [...before, known])
    for (const { process, state } of mine) process.takeCode(next, state)
    const processes = mine.map(({ process, since }) => ({ pid: process.pid, pausedMs: now - since }))
    const pauses = processes.map(({ pausedMs }) => pausedMs).sort((left, right) => left - right)
    reports.push({
      name,
      from,
      to: next.version,
      migrated: mine.length,
      pausedMs: pauses.at(-1) ?? 0,
      medianPausedMs: pauses[pauses.length >> 1] ?? 0,
      processes,
    })
  }
  return reports
}
