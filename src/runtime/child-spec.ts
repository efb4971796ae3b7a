/**
 * Child specs and supervisor flags: what a supervisor file lists. Defaults are merged and values checked once, where they
 * are written or at the start at the latest; inside, both are trusted.
 * After: OTP supervisor, flags and child specifications.
 */
import type { Definition } from './definition.ts'
import { SupervisorError } from './errors.ts'
import { Mailbox, type MailboxOptions } from './mailbox.ts'
import type { StartArguments, Via } from './ref.ts'

/** Which children start anew when one ends; see `defineSupervisor`. After: OTP supervisor. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'simple_one_for_one'
/** permanent: always restarted; transient: unless it ended in order (normal, shutdown); temporary: never. */
export type Restart = 'permanent' | 'transient' | 'temporary'
/** How a child is ended: milliseconds until it is killed, at once, or never killed. */
export type Shutdown = number | 'brutal_kill' | 'infinity'
/** Whether the end of significant children ends their supervisor. After: OTP supervisor, auto_shutdown. */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant'

/** How long a child waits before each restart in a row: `min`, then `factor` times longer up to `max`. */
export interface Backoff {
  /** Milliseconds before the first restart. */
  readonly min: number
  /** Milliseconds at most. */
  readonly max: number
  /** Default 2. */
  readonly factor?: number
  /** Share of the delay that is left to chance, 0 to 1; default 0. */
  readonly jitter?: number
}

/** What `child` takes beside the definition and its argument. */
export interface ChildOptions {
  /** Unique among the children of one supervisor; default the definition's name. */
  readonly id?: string
  /** permanent: always restarted; transient: unless it ended in order; temporary: never. Default permanent. */
  readonly restart?: Restart
  /** Milliseconds that it may take to terminate before it is killed; default 5 000, for a supervisor 'infinity'. */
  readonly shutdown?: Shutdown
  /** Whether its own end may end the supervisor, see `autoShutdown`; default false. */
  readonly significant?: boolean
  /** Waits before restarts; default none, as in OTP. */
  readonly backoff?: Backoff
  /** A name in the system or `via(...)`; each incarnation takes it. */
  readonly name?: string | Via
  /** Milliseconds that `init` may take; default `Infinity`. */
  readonly timeout?: number
  /** A bound for the mailbox; default none. */
  readonly mailbox?: MailboxOptions
}

/** A child as a supervisor knows it: what `child` returns, defaults filled in. */
export interface ChildSpec {
  readonly id: string
  readonly definition: Definition
  readonly arg: unknown
  readonly restart: Restart
  readonly shutdown: Shutdown
  readonly significant: boolean
  readonly type: 'worker' | 'supervisor'
  readonly backoff: Backoff | undefined
  readonly name: string | Via | undefined
  readonly timeout: number | undefined
  readonly mailbox: MailboxOptions | undefined
}

/** How a supervisor is defined. */
export interface SupervisorFlags {
  /** For reports and the tree; default 'supervisor'. */
  readonly name?: string
  /** For hot swap; a whole number, default 1. */
  readonly version?: number
  /** Default 'one_for_one'. */
  readonly strategy?: Strategy
  /** Restarts allowed within `period`; one more ends the supervisor. A whole number >= 0; default 1. */
  readonly intensity?: number
  /** Milliseconds > 0, both edges included; default 5 000. OTP counts whole seconds. */
  readonly period?: number
  /** Whether the end of significant children ends the supervisor; default 'never'. */
  readonly autoShutdown?: AutoShutdown
  /** simple_one_for_one: how many children may live at once; default no limit. */
  readonly maxChildren?: number
  /** Started in this order, stopped in reverse. simple_one_for_one takes exactly one, the template. */
  readonly children: readonly ChildSpec[]
}

export type CheckedFlags = Required<Omit<SupervisorFlags, 'maxChildren'>> & { readonly maxChildren: number }

/** A child spec for a supervisor's list. Throws `SupervisorError` with OTP's atom as its code. */
export function child<D extends Definition>(definition: D, ...[arg, options = {}]: ChildArguments<D>): ChildSpec {
  if (typeof definition?.init !== 'function') {
    throw new SupervisorError(
      'missing_start',
      `child: the first argument must be a definition (defineActor, defineSupervisor, ...), got ${String(definition)}.`,
      definition,
    )
  }
  const type = definition.type
  const spec: ChildSpec = {
    id: options.id ?? definition.name,
    definition,
    arg,
    restart: options.restart ?? 'permanent',
    shutdown: options.shutdown ?? (type === 'supervisor' ? 'infinity' : 5_000),
    significant: options.significant ?? false,
    type,
    backoff: options.backoff,
    name: options.name,
    timeout: options.timeout,
    mailbox: options.mailbox,
  }
  checkSpec(spec)
  return spec
}

type ChildArguments<D> =
  StartArguments<D> extends [arg: infer A, options?: unknown]
    ? [arg: A, options?: ChildOptions]
    : [arg?: ArgumentOf<D>, options?: ChildOptions]
type ArgumentOf<D> = StartArguments<D> extends [arg?: infer A, options?: unknown] ? A : unknown

function refuse(code: string, what: string, value: unknown, want: string): never {
  throw new SupervisorError(
    code,
    `${what} must be ${want}, got ${typeof value === 'object' ? JSON.stringify(value) : String(value)}.`,
    value,
  )
}

function isWholeFrom(low: number, value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= low
}

function checkSpec(spec: ChildSpec): void {
  const title = `Child spec "${String(spec.id)}": `
  if (spec.id === undefined || spec.id === null || (spec.id as unknown) === '')
    refuse('missing_id', 'Child spec: id', spec.id, 'given')
  if (!['permanent', 'transient', 'temporary'].includes(spec.restart)) {
    refuse('invalid_restart_type', `${title}restart`, spec.restart, '"permanent", "transient" or "temporary"')
  }
  if (spec.shutdown !== 'brutal_kill' && spec.shutdown !== 'infinity' && !isWholeFrom(0, spec.shutdown)) {
    refuse(
      'invalid_shutdown',
      `${title}shutdown`,
      spec.shutdown,
      'whole milliseconds >= 0, "infinity", or "brutal_kill" to stop at once',
    )
  }
  if (typeof spec.significant !== 'boolean')
    refuse('invalid_significant', `${title}significant`, spec.significant, 'true or false')
  if (spec.significant && spec.restart === 'permanent') {
    throw new SupervisorError(
      'bad_combination',
      `${title}a permanent child cannot be significant: it never ends for good. Use transient or temporary.`,
      spec,
    )
  }
  checkStartOptions(title, spec)
  const backoff = spec.backoff
  if (backoff !== undefined) {
    if (
      !(
        backoff.min >= 0 &&
        backoff.max >= backoff.min &&
        (backoff.factor ?? 2) >= 1 &&
        (backoff.jitter ?? 0) >= 0 &&
        (backoff.jitter ?? 0) <= 1
      )
    ) {
      refuse('invalid_backoff', `${title}backoff`, backoff, '{ min >= 0, max >= min, factor >= 1, jitter 0 to 1 }')
    }
  }
}

function checkStartOptions(title: string, spec: ChildSpec): void {
  const { timeout, mailbox } = spec
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 0))
    refuse('invalid_timeout', `${title}timeout`, timeout, 'milliseconds >= 0 or Infinity')
  if (mailbox === undefined) return
  try {
    new Mailbox(mailbox)
  } catch (error) {
    throw new SupervisorError('invalid_mailbox', `${title}${(error as Error).message}`, mailbox)
  }
}

/** Merges defaults into flags and checks them with their children. Throws `SupervisorError`. */
export function checkFlags(flags: SupervisorFlags): CheckedFlags {
  const { strategy = 'one_for_one', intensity = 1, period = 5_000, autoShutdown = 'never' } = flags
  if (!['one_for_one', 'one_for_all', 'rest_for_one', 'simple_one_for_one'].includes(strategy)) {
    refuse(
      'invalid_strategy',
      'strategy',
      strategy,
      '"one_for_one", "one_for_all", "rest_for_one" or "simple_one_for_one"',
    )
  }
  if (!isWholeFrom(0, intensity)) refuse('invalid_intensity', 'intensity', intensity, 'a whole number >= 0')
  if (!(typeof period === 'number' && period > 0 && period < Number.POSITIVE_INFINITY))
    refuse('invalid_period', 'period', period, 'milliseconds > 0')
  if (!['never', 'any_significant', 'all_significant'].includes(autoShutdown)) {
    refuse('invalid_auto_shutdown', 'autoShutdown', autoShutdown, '"never", "any_significant" or "all_significant"')
  }
  const maxChildren = flags.maxChildren ?? Number.POSITIVE_INFINITY
  if (flags.maxChildren !== undefined && !isWholeFrom(0, flags.maxChildren))
    refuse('invalid_max_children', 'maxChildren', flags.maxChildren, 'a whole number >= 0')
  if (!Array.isArray(flags.children)) refuse('invalid_child_spec', 'children', flags.children, 'an array of child(...)')
  checkChildren(flags.children, autoShutdown)
  if (strategy === 'simple_one_for_one' && flags.children.length !== 1) {
    refuse(
      'bad_start_spec',
      'children of a simple_one_for_one supervisor',
      flags.children.length,
      'exactly one, the template',
    )
  }
  return {
    name: flags.name ?? 'supervisor',
    version: flags.version ?? 1,
    strategy,
    intensity,
    period,
    autoShutdown,
    maxChildren,
    children: flags.children,
  }
}

/** Checks child specs offline. Without `autoShutdown` the rule that significant children need one is not applied. */
export function checkChildren(children: readonly ChildSpec[], autoShutdown?: AutoShutdown): void {
  if (!Array.isArray(children)) refuse('invalid_child_spec', 'children', children, 'an array of child(...)')
  const ids = new Set<string>()
  for (const spec of children) {
    checkChild(spec, autoShutdown)
    if (ids.has(spec.id))
      throw new SupervisorError(
        'duplicate_child_name',
        `Two children have the id "${spec.id}". Give each its own id.`,
        spec.id,
      )
    ids.add(spec.id)
  }
}

/** Checks one child spec that came from outside. */
export function checkChild(spec: ChildSpec, autoShutdown?: AutoShutdown): void {
  if (typeof spec !== 'object' || spec === null || typeof spec.definition?.init !== 'function') {
    refuse('invalid_child_spec', 'A child spec', spec, 'made by child(definition, arg, options)')
  }
  checkSpec(spec)
  if (autoShutdown === 'never' && spec.significant) {
    throw new SupervisorError(
      'bad_combination',
      `Child spec "${spec.id}": significant needs a supervisor with autoShutdown 'any_significant' or 'all_significant'.`,
      spec,
    )
  }
}
