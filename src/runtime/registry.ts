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
import { Envelope, kinds } from './envelope.ts'
import { CallError, RegistryError } from './errors.ts'
import { type NameListener, NameTable } from './names.ts'
import type { Monitor, Process } from './process.ts'
import type { ExitReason } from './reasons.ts'
import { AnyRef, locate, type Names, type Ref, type Target } from './ref.ts'
import { type TableAddress, TableProcess } from './table-process.ts'

/** How a registry is defined. */
export interface RegistryOptions {
  /** 'unique': one process a key; 'duplicate': any number. */
  readonly keys: 'unique' | 'duplicate'
  /** For reports; default 'registry'. */
  readonly name?: string
  /**
   * Who gets a `RegistryMessage` at `info` for each key that comes or goes: processes, or names in the registry's system,
   * looked up each time. One that is not alive misses it. The end of the registry itself is not told. Default none.
   */
  readonly listeners?: readonly (Target | string)[]
}

/** What a listener gets. An 'unregister' comes too when the process under the key ends. */
export interface RegistryMessage {
  readonly type: 'register' | 'unregister'
  readonly registry: Ref
  readonly key: unknown
  readonly ref: Ref
  readonly value: unknown
}

/** One process under a key, and the value it was registered with. */
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
  /**
   * Puts `update(value)` in the place of the value under a process's key, at once, and resolves to it. Rejects with
   * `RegistryError` 'not_registered' when the process does not have the key, and with what `update` threw. After: Elixir
   * Registry.update_value.
   */
  updateValue(key: unknown, target: Target, update: (value: unknown) => unknown): Promise<unknown>
  /** The keys of a process, in registration order; none when it has ended. */
  keysOf(target: Target): unknown[]
  /** Calls `each` with every entry under `key`, in registration order. Returns how many there were. */
  dispatch(key: unknown, each: (ref: Ref, value: unknown) => void): number
  /** Entries in all. */
  readonly size: number
}

/** A kind of registry: what `defineRegistry` returns. */
export interface RegistryDefinition extends Definition {
  readonly types?: { readonly arg: undefined; readonly ref: RegistryRef }
}

/**
 * Defines a registry, to be started like any process. Throws a `TypeError` for wrong options. A process's keys go when it
 * ends, before anybody learns of the end; the registry's own end takes them all. After: Elixir Registry.
 */
export function defineRegistry(options: RegistryOptions): RegistryDefinition {
  if (options.keys !== 'unique' && options.keys !== 'duplicate') {
    throw new TypeError(`defineRegistry: keys must be 'unique' or 'duplicate', got ${String(options.keys)}.`)
  }
  const { listeners = [] } = options
  for (const listener of listeners) if (typeof listener !== 'string') locate(listener)
  return new TableProcess(options.name ?? 'registry', 'register, lookup and dispatch', (process) => {
    const directory = options.keys === 'unique' ? new UniqueDirectory() : new DuplicateDirectory()
    if (listeners.length > 0) directory.listener = tellListeners(process, listeners)
    return new RegistryAddress(process, directory)
  })
}

/** What a registry keeps; a process's entries go when it ends. */
interface Directory {
  /** The names of unique keys; null for duplicate ones. */
  readonly names: NameTable | null
  readonly size: number
  add(key: unknown, process: Process, value: unknown): void
  /** Who is told of each entry that comes or goes. */
  listener: NameListener | null
  /** Changes the value of an entry; false when there is none. */
  update(key: unknown, process: Process, update: (value: unknown) => unknown): { readonly value: unknown } | undefined
  keysOf(process: Process): unknown[]
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

  get listener(): NameListener | null {
    return this.names.listener
  }

  set listener(listener: NameListener | null) {
    this.names.listener = listener
  }

  update(key: unknown, process: Process, update: (value: unknown) => unknown): { readonly value: unknown } | undefined {
    if (this.names.whereis(key) !== process) return undefined
    const value = update(this.names.valueOf(key))
    this.names.setValue(key, value)
    return { value }
  }

  keysOf(process: Process): unknown[] {
    return process.namesIn(this.names)
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
  listener: NameListener | null = null
  size = 0
  /** By key, then by process: the value. */
  private readonly byKey = new Map<unknown, Map<Process, unknown>>()
  private readonly holders = new Map<Process, { readonly keys: Set<unknown>; readonly monitor: Monitor }>()

  add(key: unknown, process: Process, value: unknown): void {
    if (process.isDead) throw new RegistryError('noproc', `register: ${process.label} has ended.`)
    const values = this.byKey.get(key) ?? new Map<Process, unknown>()
    const isNew = !values.has(process)
    values.set(process, value)
    this.byKey.set(key, values)
    if (!isNew) return
    this.size++
    const holder = this.holders.get(process) ?? {
      keys: new Set(),
      monitor: process.observe(() => this.removeAll(process)),
    }
    holder.keys.add(key)
    this.holders.set(process, holder)
    this.listener?.('register', key, process, value)
  }

  update(key: unknown, process: Process, update: (value: unknown) => unknown): { readonly value: unknown } | undefined {
    const values = this.byKey.get(key)
    if (values === undefined || !values.has(process)) return undefined
    const value = update(values.get(process))
    values.set(process, value)
    return { value }
  }

  keysOf(process: Process): unknown[] {
    return [...(this.holders.get(process)?.keys ?? [])]
  }

  remove(key: unknown, process: Process | undefined): void {
    const values = this.byKey.get(key)
    if (values === undefined) return
    for (const holder of process === undefined ? [...values.keys()] : [process]) {
      if (!values.has(holder)) continue
      const value = values.get(holder)
      values.delete(holder)
      this.size--
      const held = this.holders.get(holder)
      held?.keys.delete(key)
      if (held !== undefined && held.keys.size === 0) {
        this.holders.delete(holder)
        holder.unwatch(held.monitor)
      }
      this.listener?.('unregister', key, holder, value)
    }
    if (values.size === 0) this.byKey.delete(key)
  }

  private removeAll(process: Process): void {
    for (const key of this.keysOf(process)) this.remove(key, process)
  }

  clear(): void {
    for (const key of [...this.byKey.keys()]) this.remove(key, undefined)
  }

  entries(key: unknown): Entry[] {
    const found: Entry[] = []
    for (const [process, value] of this.byKey.get(key) ?? []) if (!process.isDead) found.push(entryOf(process, value))
    return found
  }
}

function entryOf(process: Process, value: unknown): Entry {
  // AnyRef implements Ref without its types.
  return { ref: process.ref as unknown as Ref, value }
}

/** Tells the listeners of a registry of each key that comes or goes. */
function tellListeners(registry: Process, listeners: readonly (Target | string)[]): NameListener {
  return (type, key, { ref }, value) => {
    const message = { type, registry: registry.ref, key, ref, value }
    for (const listener of listeners) {
      const found = typeof listener === 'string' ? registry.system.names.whereis(listener) : locate(listener)
      found?.deliver(new Envelope(kinds.info, '', message, null))
    }
  }
}

class RegistryAddress extends AnyRef implements Names, TableAddress {
  private readonly directory: Directory

  constructor(process: Process, directory: Directory) {
    super(process)
    this.directory = directory
  }

  /** A registry takes its names with it: who looks for one now finds nobody, not a stale answer. */
  override detach(reason: ExitReason): void {
    super.detach(reason)
    this.directory.listener = null
    this.directory.clear()
  }

  get contents(): Directory {
    return this.directory
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

  async updateValue(key: unknown, target: Target, update: (value: unknown) => unknown): Promise<unknown> {
    const process = locate(target)
    const updated = process === undefined ? undefined : this.directory.update(key, process, update)
    if (updated !== undefined) return updated.value
    throw new RegistryError(
      'not_registered',
      `updateValue: ${target.pid} is not registered under the key ${String(key)} in ${this.pid}.`,
    )
  }

  keysOf(target: Target): unknown[] {
    const process = locate(target)
    return process === undefined ? [] : this.directory.keysOf(process)
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
