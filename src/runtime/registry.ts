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
import type { Process } from './process.ts'
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

/** Processes by key; a process's entries go when it ends, before anybody learns of it. */
class Directory {
  readonly isUnique: boolean
  readonly names = new NameTable()
  private readonly byKey = new Map<unknown, Map<Process, unknown>>()
  size = 0

  constructor(isUnique: boolean) {
    this.isUnique = isUnique
  }

  add(key: unknown, process: Process, value: unknown): void {
    if (process.isDead) throw new RegistryError('noproc', `register: ${process.label} has ended.`)
    if (this.isUnique) this.names.register(key, process)
    const holders = this.byKey.get(key) ?? new Map<Process, unknown>()
    if (!holders.has(process)) {
      this.size++
      process.observe(() => this.remove(key, process))
    }
    holders.set(process, value)
    this.byKey.set(key, holders)
  }

  remove(key: unknown, process?: Process): void {
    const holders = this.byKey.get(key)
    if (holders === undefined) return
    for (const holder of process === undefined ? [...holders.keys()] : [process]) {
      if (!holders.delete(holder)) continue
      this.size--
      if (this.isUnique && this.names.whereis(key) === holder) this.names.unregister(key)
    }
    if (holders.size === 0) this.byKey.delete(key)
  }

  entries(key: unknown): Entry[] {
    const found: Entry[] = []
    // AnyRef implements Ref without its types.
    for (const [process, value] of this.byKey.get(key) ?? [])
      if (!process.isDead) found.push({ ref: process.ref as unknown as Ref, value })
    return found
  }
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
    const directory = (process.ref as RegistryAddress).directory
    return directory
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
    return new RegistryAddress(process, new Directory(this.isUnique))
  }
}

class RegistryAddress extends AnyRef implements Names {
  readonly directory: Directory

  constructor(process: Process, directory: Directory) {
    super(process)
    this.directory = directory
  }

  get table(): NameTable {
    return this.directory.names
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
    this.directory.remove(key, target === undefined ? undefined : locate(target))
  }

  lookup(key: unknown): Ref | undefined | Entry[] {
    return this.directory.isUnique ? this.directory.entries(key)[0]?.ref : this.entries(key)
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
