/**
 * A registry is a process that keeps keys for others and forgets them when they end. With unique keys it is a name service:
 * `via(registry, key)` stands wherever a `Ref` does. With duplicate keys it is a directory for publishing: many processes
 * under one key, `dispatch` reaches them all. It is read from its table, so a look-up costs no message. After: Elixir Registry.
 *
 *     const Names = defineRegistry({ keys: 'unique' })
 *     const names = await system.start(Names)
 *     await names.register('printer', printer)
 *     via(names, 'printer').cast('print', page)
 */
import type { Definition } from './definition.ts'
import type { Envelope } from './envelope.ts'
import { CallError, RegistryError } from './errors.ts'
import { NameTable } from './names.ts'
import type { Monitor, Process } from './process.ts'
import type { ExitReason } from './reasons.ts'
import { AnyRef, locate, type Names, type Ref, type Target } from './ref.ts'

export interface RegistryOptions {
  readonly keys: 'unique' | 'duplicate'
  /** For reports; default 'registry'. */
  readonly name?: string
}

export interface Entry {
  readonly ref: Ref
  readonly value: unknown
}

/** The address of a registry. */
export interface RegistryRef extends Ref<Definition>, Names {
  /**
   * Puts a live process under `key`, with a value of the caller's for readers. Rejects with `RegistryError`
   * 'already_registered' (unique keys) or 'noproc'.
   */
  register(key: unknown, target: Target, value?: unknown): Promise<void>
  /** Takes a key, or one process of a duplicate key, out again. */
  unregister(key: unknown, target?: Target): Promise<void>
  /** The process under a unique key, or undefined; under a duplicate key all entries, in registration order. */
  lookup(key: unknown): Ref | undefined | Entry[]
  /** All entries under a key, for both kinds. */
  entries(key: unknown): Entry[]
  /** Calls `each` with every entry under `key`, in registration order. Returns how many there were. */
  dispatch(key: unknown, each: (ref: Ref, value: unknown) => void): number
  readonly size: number
}

export interface RegistryDefinition extends Definition {
  readonly types?: { readonly arg: undefined; readonly ref: RegistryRef }
}

export function defineRegistry(options: RegistryOptions): RegistryDefinition {
  if (options.keys !== 'unique' && options.keys !== 'duplicate') {
    throw new TypeError(`defineRegistry: keys must be 'unique' or 'duplicate', got ${String(options.keys)}.`)
  }
  return new Registry(options.name ?? 'registry', options.keys === 'unique')
}

/** What a registry keeps; a process's entries go when it ends. */
interface Directory {
  /** The names of unique keys; null for duplicate ones. */
  readonly names: NameTable | null
  readonly size: number
  add(key: unknown, process: Process, value: unknown): void
  /** Takes one process out; undefined stands for all. */
  remove(key: unknown, process: Process | undefined): void
  entries(key: unknown): Entry[]
  clear(): void
}

/** A table of names and no more, so that a process started with `name: via(registry, key)` is found here too. */
class UniqueDirectory implements Directory {
  readonly names = new NameTable()

  get size(): number {
    return this.names.size
  }

  add(key: unknown, process: Process, value: unknown): void {
    this.names.register(key, process, value)
  }

  remove(key: unknown, process: Process | undefined): void {
    if (process === undefined || this.names.whereis(key) === process) this.names.unregister(key)
  }

  clear(): void {
    for (const key of [...this.names.keys()]) this.names.unregister(key)
  }

  entries(key: unknown): Entry[] {
    const process = this.names.whereis(key)
    return process === undefined ? [] : [entryOf(process, this.names.valueOf(key))]
  }
}

class DuplicateDirectory implements Directory {
  readonly names = null
  private readonly byKey = new Map<unknown, Map<Process, { readonly value: unknown; readonly monitor: Monitor }>>()
  size = 0

  add(key: unknown, process: Process, value: unknown): void {
    if (process.isDead) throw new RegistryError('noproc', `register: ${process.label} has ended.`)
    const holders = this.byKey.get(key) ?? new Map<Process, { value: unknown; monitor: Monitor }>()
    const held = holders.get(process)
    if (held === undefined) this.size++
    holders.set(process, { value, monitor: held?.monitor ?? process.observe(() => this.remove(key, process)) })
    this.byKey.set(key, holders)
  }

  remove(key: unknown, process: Process | undefined): void {
    const holders = this.byKey.get(key)
    if (holders === undefined) return
    for (const holder of process === undefined ? [...holders.keys()] : [process]) {
      const held = holders.get(holder)
      if (held === undefined) continue
      holders.delete(holder)
      holder.unwatch(held.monitor)
      this.size--
    }
    if (holders.size === 0) this.byKey.delete(key)
  }

  clear(): void {
    for (const key of [...this.byKey.keys()]) this.remove(key, undefined)
  }

  entries(key: unknown): Entry[] {
    const found: Entry[] = []
    for (const [process, { value }] of this.byKey.get(key) ?? [])
      if (!process.isDead) found.push(entryOf(process, value))
    return found
  }
}

function entryOf(process: Process, value: unknown): Entry {
  // AnyRef implements Ref without its types.
  return { ref: process.ref as unknown as Ref, value }
}

class Registry implements Definition {
  readonly name: string
  readonly version = 1
  readonly type = 'worker'
  readonly trapExits = false
  private readonly isUnique: boolean

  constructor(name: string, isUnique: boolean) {
    this.name = name
    this.isUnique = isUnique
  }

  init(_arg: unknown, process: Process): Directory {
    return (process.ref as RegistryAddress).directory
  }

  handle(process: Process, envelope: Envelope): unknown {
    envelope.from?.fail(
      new CallError(
        'undef',
        `${process.label} has no call "${envelope.op}": use register, lookup and dispatch of its ref.`,
      ),
    )
    return undefined
  }

  proceed(): undefined {
    return undefined
  }

  createRef(process: Process): AnyRef {
    return new RegistryAddress(process, this.isUnique ? new UniqueDirectory() : new DuplicateDirectory())
  }
}

class RegistryAddress extends AnyRef implements Names {
  readonly directory: Directory

  constructor(process: Process, directory: Directory) {
    super(process)
    this.directory = directory
  }

  /** A registry takes its names with it: who looks for one now finds nobody, not a stale answer. */
  override detach(reason: ExitReason): void {
    super.detach(reason)
    this.directory.clear()
  }

  get table(): NameTable {
    const { names } = this.directory
    if (names !== null) return names
    throw new TypeError(
      `via: the registry ${this.pid} has duplicate keys, so a key names no one process. Use dispatch, or a registry with unique keys.`,
    )
  }

  get size(): number {
    return this.directory.size
  }

  async register(key: unknown, target: Target, value?: unknown): Promise<void> {
    if (!this.alive) throw new CallError('noproc', `register: the registry ${this.pid} is not alive.`)
    const process = locate(target)
    if (process === undefined)
      throw new RegistryError('noproc', `register: the process for the key ${String(key)} is not alive.`)
    this.directory.add(key, process, value)
  }

  async unregister(key: unknown, target?: Target): Promise<void> {
    const process = target === undefined ? undefined : locate(target)
    // One that has ended has no entry left; without this its ref would stand for all.
    if (target === undefined || process !== undefined) this.directory.remove(key, process)
  }

  lookup(key: unknown): Ref | undefined | Entry[] {
    const entries = this.entries(key)
    return this.directory.names === null ? entries : entries[0]?.ref
  }

  entries(key: unknown): Entry[] {
    return this.directory.entries(key)
  }

  dispatch(key: unknown, each: (ref: Ref, value: unknown) => void): number {
    const entries = this.entries(key)
    for (const { ref, value } of entries) each(ref, value)
    return entries.length
  }
}
