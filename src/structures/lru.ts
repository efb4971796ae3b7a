/**
 * A map that keeps what was used last: bounded in entries and in bytes, it forgets the entry that was used longest ago when
 * one of the bounds is passed. What an entry weighs is said by whoever puts it in.
 *
 *     const lru = new Lru<string>({ entriesMax: 2, bytesMax: 1_000 })
 *     lru.set('a', 'x', 1); lru.set('b', 'y', 1); lru.get('a'); lru.set('c', 'z', 1)      // 'b' is forgotten
 */

export interface LruBounds {
  /** Entries kept at most. */
  readonly entriesMax: number
  /** The sum of their weights at most; an entry that is heavier by itself is not taken. */
  readonly bytesMax: number
}

interface Row<V> {
  readonly value: V
  readonly bytes: number
}

export class Lru<V> {
  private readonly bounds: LruBounds
  /** In the order of use, the last one last. */
  private readonly rows = new Map<string, Row<V>>()
  private weight = 0

  constructor(bounds: LruBounds) {
    this.bounds = bounds
  }

  get size(): number {
    return this.rows.size
  }

  /** The sum of the weights. */
  get bytes(): number {
    return this.weight
  }

  /** The value under `key`, which has then been used just now. */
  get(key: string): V | undefined {
    const row = this.rows.get(key)
    if (row === undefined) return undefined
    this.rows.delete(key)
    this.rows.set(key, row)
    return row.value
  }

  /** Puts or replaces; false when `bytes` is more than all may weigh, and then nothing is kept under `key`. */
  set(key: string, value: V, bytes = 0): boolean {
    this.delete(key)
    if (bytes > this.bounds.bytesMax) return false
    this.rows.set(key, { value, bytes })
    this.weight += bytes
    while (this.rows.size > this.bounds.entriesMax || this.weight > this.bounds.bytesMax) this.dropOldest()
    return true
  }

  /** Whether there was something to forget. */
  delete(key: string): boolean {
    const row = this.rows.get(key)
    if (row === undefined) return false
    this.weight -= row.bytes
    return this.rows.delete(key)
  }

  clear(): void {
    this.rows.clear()
    this.weight = 0
  }

  private dropOldest(): void {
    const [oldest] = this.rows.keys()
    if (oldest !== undefined) this.delete(oldest)
  }
}
