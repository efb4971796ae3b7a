/**
 * A table from names to live processes. A system has one for `whereis`; a registry wraps one; a subtree may have its own, so
 * that siblings find each other across restarts without a name that is global. An entry goes with its process, before
 * anybody learns of the end. Reading costs a map look-up and no message.
 */
import { RegistryError } from './errors.ts'
import type { Process } from './process.ts'

/** Told of each name that comes or goes. */
export type NameListener = (change: 'register' | 'unregister', key: unknown, process: Process, value: unknown) => void

/** Names of live processes; `createNames` makes one. Its `register` takes the kernel's processes: users start with `name: via(table, key)`. */
export class NameTable {
  private readonly entries = new Map<unknown, Process>()
  /** What registrars said beside the name; most say nothing. */
  private values: Map<unknown, unknown> | null = null
  /** For a registry that has listeners. */
  listener: NameListener | null = null

  /** How many names there are. */
  get size(): number {
    return this.entries.size
  }

  /** The process that has the name, or undefined. */
  whereis(key: unknown): Process | undefined {
    return this.entries.get(key)
  }

  /** All names, in registration order. */
  keys(): IterableIterator<unknown> {
    return this.entries.keys()
  }

  /** The value that was registered with `key`. */
  valueOf(key: unknown): unknown {
    return this.values?.get(key)
  }

  /** Gives `key` to `process`, with a value for readers. Throws `RegistryError` 'already_registered' when another live process has it. */
  register(key: unknown, process: Process, value?: unknown): void {
    const holder = this.entries.get(key)
    if (holder !== undefined && holder !== process) {
      throw new RegistryError(
        'already_registered',
        `The name ${String(key)} is taken by ${holder.label}. End that process first, or use another name.`,
        holder.ref,
      )
    }
    if (process.isDead)
      throw new RegistryError('noproc', `The name ${String(key)} cannot be given to ${process.label}: it has ended.`)
    if (holder === undefined) {
      this.entries.set(key, process)
      process.addName(this, key)
    }
    this.setValue(key, value)
    if (holder === undefined) this.listener?.('register', key, process, value)
  }

  /** Puts another value beside a name that is there. */
  setValue(key: unknown, value: unknown): void {
    if (value !== undefined) {
      this.values ??= new Map()
      this.values.set(key, value)
    } else this.values?.delete(key)
  }

  /** Takes a name out; nothing happens when it is not there. */
  unregister(key: unknown): void {
    const holder = this.entries.get(key)
    if (holder === undefined) return
    holder.removeName(this, key)
    this.forget(key, holder)
  }

  /** Called by a process that ends. */
  release(key: unknown, process: Process): void {
    if (this.entries.get(key) === process) this.forget(key, process)
  }

  private forget(key: unknown, process: Process): void {
    const value = this.values?.get(key)
    this.entries.delete(key)
    this.values?.delete(key)
    this.listener?.('unregister', key, process, value)
  }
}

/** Creates a table of names for one subtree; give it to `via`. */
export function createNames(): NameTable {
  return new NameTable()
}
