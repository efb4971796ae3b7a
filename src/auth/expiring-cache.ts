/**
 * A map of bounded size whose entries end at a time of their own. When it is full, the entry that was used least recently
 * goes, expired or not. Reading and writing cost constant time; nothing runs in the background.
 */

interface Entry<V> {
  readonly value: V
  readonly expiresAtMs: number
}

export class ExpiringCache<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #entriesMax: number

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value, unless it is unknown or ended at `nowMs`. */
  get(key: string, nowMs: number): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.expiresAtMs <= nowMs) return undefined
    // Back to the end: a Map keeps the order of insertion, which so becomes the order of use.
    this.#entries.set(key, entry)
    return entry.value
  }

  set(key: string, value: V, expiresAtMs: number): void {
    if (this.#entriesMax === 0) return
    this.#entries.delete(key)
    if (this.#entries.size >= this.#entriesMax) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest)
        break
      }
    }
    this.#entries.set(key, { value, expiresAtMs })
  }

  clear(): void {
    this.#entries.clear()
  }
}
