/**
 * Partitions spread the work of one kind of process over several of them: a supervisor of so many equal children, and a ref
 * that finds the child for a key. The same key always finds the same partition, after a restart too.
 * After: Elixir PartitionSupervisor.
 *
 *     const Carts = definePartitions(Cart, { partitions: 8, arg: (index) => ({ index }) })
 *     const carts = await system.start(Carts)
 *     await partition(carts, customerId).call('add', item)
 */
import { type ChildOptions, checkFlags, child, type Strategy, type SupervisorFlags } from './child-spec.ts'
import type { Definition } from './definition.ts'
import { CallError } from './errors.ts'
import { NameTable } from './names.ts'
import type { Process } from './process.ts'
import { type AnyRef, locate, type Ref, type StartArguments, type StartedRef, type Target, Via } from './ref.ts'
import { Supervisor, SupervisorAddress, type SupervisorRef } from './supervisor.ts'

/** What partitions are found by: whole numbers go round (index = key modulo partitions), all else is hashed. */
export type PartitionKey = string | number | bigint

type ArgumentOf<D> = StartArguments<D> extends [arg?: infer A, options?: unknown] ? A : unknown

/** How partitions are defined: flags of the supervisor and options of every child. */
export interface PartitionsOptions<A>
  extends Pick<SupervisorFlags, 'intensity' | 'period'>,
    Pick<ChildOptions, 'restart' | 'shutdown' | 'backoff' | 'timeout' | 'mailbox'> {
  /** How many; a whole number from 1 to 10 000. They are numbered from 0. */
  readonly partitions: number
  /** For reports; default the child's name and 'partitions'. */
  readonly name?: string
  /** Default 'one_for_one'. */
  readonly strategy?: Exclude<Strategy, 'simple_one_for_one'>
  /** The start argument of each partition; absent: undefined. */
  readonly arg?: (index: number) => A
}

/** The address of partitions: a supervisor's, whose children are called '0', '1', ... */
export interface PartitionsRef<D = Definition> extends SupervisorRef {
  /** How many there are. */
  readonly partitions: number
  /**
   * The partition for `key`. Of an actor it is an address that outlives restarts; while the partition restarts, calls to it
   * reject with 'noproc'. Of a supervisor it is the ref of the live one; throws `CallError` 'noproc' while there is none.
   */
  partition(key: PartitionKey): NonNullable<StartedRef<D>>
}

/** A kind of partitions: what `definePartitions` returns. */
export interface PartitionsDefinition<D> extends Definition {
  readonly types?: { readonly arg: undefined; readonly ref: PartitionsRef<D> }
}

/** Partitions that one supervisor has at most. */
const PARTITIONS_MAX = 10_000

/**
 * Defines a supervisor of `partitions` equal children. Throws `SupervisorError` for wrong flags and a `TypeError` for a wrong
 * number of partitions.
 */
export function definePartitions<D extends Definition>(
  definition: D,
  options: PartitionsOptions<ArgumentOf<D>>,
): PartitionsDefinition<D> {
  const { partitions, strategy, arg, intensity, period, restart, shutdown, backoff, timeout, mailbox } = options
  if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= PARTITIONS_MAX)) {
    throw new TypeError(
      `definePartitions: partitions must be a whole number from 1 to ${PARTITIONS_MAX}, got ${String(partitions)}.`,
    )
  }
  const name = options.name ?? `${definition.name} partitions`
  const given = { restart, shutdown, backoff, timeout, mailbox }
  const childOptions = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const flags = {
    name,
    ...(strategy === undefined ? {} : { strategy }),
    ...(intensity === undefined ? {} : { intensity }),
    ...(period === undefined ? {} : { period }),
  }
  const flagsFor = (table: NameTable): SupervisorFlags => ({
    ...flags,
    children: Array.from({ length: partitions }, (_, index) =>
      // The types above hold `arg` to the definition; here any definition will do.
      child(definition as Definition, arg?.(index), {
        ...childOptions,
        id: String(index),
        name: new Via(table, index),
      }),
    ),
  })
  // Checked here once, so that a wrong flag throws where it is written.
  checkFlags({ ...flags, children: [child(definition as Definition, undefined, childOptions)] })
  return new Partitions(name, definition.type === 'supervisor', partitions, flagsFor)
}

/** The partition for `key` under a ref or `via(...)` of partitions; see `PartitionsRef.partition`. Throws `CallError` 'noproc'. */
export function partition<R extends Target & { partition(key: PartitionKey): unknown }>(
  partitions: R,
  key: PartitionKey,
): ReturnType<R['partition']>
export function partition(partitions: Target, key: PartitionKey): Ref
export function partition(partitions: Target, key: PartitionKey): unknown {
  const process = locate(partitions)
  if (process === undefined) {
    throw new CallError('noproc', `partition: the partitions ${partitions.pid} are not alive.`)
  }
  if (process.ref instanceof PartitionsAddress) return process.ref.partition(key)
  throw new TypeError(`partition: ${process.label} was not defined by definePartitions.`)
}

class Partitions extends Supervisor {
  private readonly isOfSupervisors: boolean
  private readonly partitions: number

  constructor(
    name: string,
    isOfSupervisors: boolean,
    partitions: number,
    flagsFor: (table: NameTable) => SupervisorFlags,
  ) {
    super(name, 1, (_arg, process) => checkFlags(flagsFor((process.ref as PartitionsAddress).table)))
    this.isOfSupervisors = isOfSupervisors
    this.partitions = partitions
  }

  override createRef(process: Process): AnyRef {
    return new PartitionsAddress(process, this.partitions, this.isOfSupervisors)
  }
}

class PartitionsAddress extends SupervisorAddress {
  readonly table = new NameTable()
  readonly partitions: number
  private readonly isOfSupervisors: boolean

  constructor(process: Process, partitions: number, isOfSupervisors: boolean) {
    super(process)
    this.partitions = partitions
    this.isOfSupervisors = isOfSupervisors
  }

  partition(key: PartitionKey): AnyRef | Via {
    const index = partitionOf(key, this.partitions)
    if (!this.isOfSupervisors) return new Via(this.table, index)
    const process = this.table.whereis(index)
    if (process === undefined) {
      throw new CallError('noproc', `partition: number ${index} of ${this.pid} is not alive now; it may be restarting.`)
    }
    return process.ref
  }
}

/** The number of the partition for `key`, from 0. */
function partitionOf(key: PartitionKey, partitions: number): number {
  if (typeof key === 'number' && Number.isInteger(key)) return Math.abs(key % partitions)
  if (typeof key === 'bigint') return Math.abs(Number(key % BigInt(partitions)))
  if (typeof key !== 'string' && typeof key !== 'number') {
    throw new TypeError(
      `partition: the key must be a string, number or bigint, got ${key === null ? 'null' : typeof key}.`,
    )
  }
  return hash(String(key)) % partitions
}

/** FNV-1a over UTF-16 units, then a mix so that the low bits depend on all: the same on every machine and in every version. */
function hash(text: string): number {
  const FNV_OFFSET = 0x811c9dc5
  const FNV_PRIME = 0x01000193
  let value = FNV_OFFSET
  for (let place = 0; place < text.length; place++) value = Math.imul(value ^ text.charCodeAt(place), FNV_PRIME)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
