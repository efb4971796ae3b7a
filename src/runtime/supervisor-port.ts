/** What a supervisor process asks of its children's keeper, and what both kinds of keeper share. */
import type { Backoff, ChildSpec } from './child-spec.ts'
import type { Process } from './process.ts'
import type { ExitReason } from './reasons.ts'
import type { AnyRef, Ref, StartOptions } from './ref.ts'

/** One row of `whichChildren`. */
export interface ChildInfo {
  /** Undefined for a child of simple_one_for_one. */
  readonly id: string | undefined
  /** Undefined when it does not run and nobody restarts it. */
  readonly ref: Ref | undefined | 'restarting'
  /** What its definition is. */
  readonly type: 'worker' | 'supervisor'
  /** The names of the definitions it runs. */
  readonly modules: readonly string[]
}

/** What `countChildren` resolves to. */
export interface CountedChildren {
  /** Children known, running or not; 1 for simple_one_for_one. */
  readonly specs: number
  /** Children with a live process. */
  readonly active: number
  /** Children that are supervisors, alive or not. */
  readonly supervisors: number
  /** Children that are workers, alive or not. */
  readonly workers: number
}

/** The operations throw `SupervisorError` or `StartError`, at once or in their promise. */
export interface Supervision {
  startChild(given: unknown): unknown
  terminateChild(id: unknown): unknown
  restartChild(id: unknown): unknown
  deleteChild(id: unknown): unknown
  getChildSpec(id: unknown): ChildSpec
  whichChild(id: unknown): ChildInfo
  whichChildren(): ChildInfo[]
  countChildren(): CountedChildren
  exited(ref: AnyRef | null, reason: ExitReason): unknown
  tryAgain(key: unknown): unknown
  endAll(): Promise<void>
}

/** A row of `whichChildren`. */
export function childOf(
  id: string | undefined,
  process: Process | null,
  isRestarting: boolean,
  spec: ChildSpec,
): ChildInfo {
  // AnyRef implements Ref without its types.
  const ref = isRestarting ? 'restarting' : (process?.ref as unknown as Ref | undefined)
  return { id, ref, type: spec.type, modules: [spec.definition.name] }
}

/** The start options that a spec asks for; undefined when it asks for none. */
export function startOptions(spec: ChildSpec): StartOptions | undefined {
  if (spec.name === undefined && spec.timeout === undefined && spec.mailbox === undefined) return undefined
  return {
    ...(spec.name === undefined ? {} : { name: spec.name }),
    ...(spec.timeout === undefined ? {} : { timeout: spec.timeout }),
    ...(spec.mailbox === undefined ? {} : { mailbox: spec.mailbox }),
  }
}

/** Milliseconds before restart number `attempt` (from 0) in a row; `chance` in [0, 1). */
export function backoffDelayMs(backoff: Backoff, attempt: number, chance: number): number {
  const full = Math.min(backoff.max, backoff.min * (backoff.factor ?? 2) ** attempt)
  return full * (1 - (backoff.jitter ?? 0) * chance)
}
