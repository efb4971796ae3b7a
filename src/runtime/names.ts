/**
 * A table from names to live processes. A system has one for `whereis`; a registry wraps one; a subtree may have its own, so
 * that siblings find each other across restarts without a name that is global. An entry goes with its process, before
 * anybody learns of the end. Reading costs a map look-up and no message.
 */
import { RegistryError } from './errors.ts'
import type { Process } from './process.ts'

export class NameTable {
  private readonly entries = new Map<unknown, Process>()
  /** What registrars said beside the name; most say nothing. */
  private values: Map<unknown, unknown> | null = null

  get size(): number {
    return this.entries.size
  }

  whereis(key: unknown): Process | undefined {
    return this.entries.get(key)
  }

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
    if (value !== undefined) {
      this.values ??= new Map()
      this.values.set(key, value)
    } else this.values?.delete(key)
  }

  unregister(key: unknown): void {
    const holder = this.entries.get(key)
    if (holder === undefined) return
    this.entries.delete(key)
    this.values?.delete(key)
    holder.removeName(this, key)
  }

  /** Called by a process that ends. */
  release(key: unknown, process: Process): void {
    if (this.entries.get(key) !== process) return
    this.entries.delete(key)
    this.values?.delete(key)
  }
}

/** Creates a table of names for one subtree; give it to `via`. */
export function createNames(): NameTable {
  return new NameTable()
}
