/**
 * A table by whole numbers whose rows come and go all the time: open addressing in two flat arrays, with linear probing and
 * deletion by shifting back. It allocates only when it grows or shrinks. A `Map` gives itself a new array every so many
 * deletions, and the old one, once it is of the collector's old generation, keeps what was in it, and its successor, alive.
 *
 * Several rows may have one key; which of them `get` finds is not said. Numbers in a row, the usual keys, are spread evenly: side
 * by side each deletion would have to look at all that stand behind.
 * After: D. Knuth, The Art of Computer Programming, volume 3, 6.4, algorithms L and R, and Fibonacci hashing.
 */

/** Places of a new table; always a power of two. */
const CAPACITY_MIN = 8
/** The share of its places that may be taken before a table grows. */
const FILLED_MAX = 0.8
/** Places that a table keeps, whatever leaves it. */
const CAPACITY_KEPT = 256
/** A larger one gives places back when it has more than this many for each row. */
const PLACES_PER_ROW_MAX = 16

/** 2^32 over the golden ratio, as a signed integer. */
const GOLDEN = -1_640_531_527

export class NumberTable<V extends object> {
  private keys: number[] = places(CAPACITY_MIN, 0)
  private rows: (V | undefined)[] = places(CAPACITY_MIN, undefined)
  private count = 0
  /** 32 less the bits of a place. */
  private shift = shiftFor(CAPACITY_MIN)

  get size(): number {
    return this.count
  }

  /** A row with this key; undefined when there is none. */
  get(key: number): V | undefined {
    const { keys, rows } = this
    const mask = rows.length - 1
    for (let place = this.home(key); ; place = (place + 1) & mask) {
      const row = rows[place]
      if (row === undefined || keys[place] === key) return row
    }
  }

  has(key: number, row: V): boolean {
    return this.find(key, row) !== -1
  }

  /** Adds a row, whether or not there are others with its key. */
  add(key: number, row: V): void {
    if (this.count + 1 > this.rows.length * FILLED_MAX) this.resize(this.rows.length * 2)
    this.put(key, row)
    this.count++
  }

  /** Takes a row out; false when it was not there. */
  delete(key: number, row: V): boolean {
    let free = this.find(key, row)
    if (free === -1) return false
    const { keys, rows } = this
    const mask = rows.length - 1
    // What stands behind moves up, unless that would be before the place where its key is looked for first.
    for (let place = (free + 1) & mask; rows[place] !== undefined; place = (place + 1) & mask) {
      const moved = keys[place] as number
      if (((place - this.home(moved)) & mask) < ((place - free) & mask)) continue
      keys[free] = moved
      rows[free] = rows[place]
      free = place
    }
    rows[free] = undefined
    this.count--
    if (rows.length > CAPACITY_KEPT && this.count * PLACES_PER_ROW_MAX < rows.length)
      this.resize(Math.max(CAPACITY_KEPT, rows.length / 4))
    return true
  }

  /** Takes out a row with this key. */
  take(key: number): V | undefined {
    const row = this.get(key)
    if (row !== undefined) this.delete(key, row)
    return row
  }

  /** All rows, in no order: the quick way where none is needed. */
  unordered(): V[] {
    return this.rows.filter((row) => row !== undefined)
  }

  /** All rows, the smallest key first. */
  values(): V[] {
    const found: { readonly key: number; readonly row: V }[] = []
    for (const [place, row] of this.rows.entries())
      if (row !== undefined) found.push({ key: this.keys[place] as number, row })
    return found.sort((left, right) => left.key - right.key).map(({ row }) => row)
  }

  /** Where a key is looked for first. */
  private home(key: number): number {
    return Math.imul(key, GOLDEN) >>> this.shift
  }

  private find(key: number, row: V): number {
    const { rows } = this
    const mask = rows.length - 1
    for (let place = this.home(key); ; place = (place + 1) & mask) {
      const found = rows[place]
      if (found === row) return place
      if (found === undefined) return -1
    }
  }

  private put(key: number, row: V): void {
    const { keys, rows } = this
    const mask = rows.length - 1
    let place = this.home(key)
    while (rows[place] !== undefined) place = (place + 1) & mask
    keys[place] = key
    rows[place] = row
  }

  private resize(capacity: number): void {
    const { keys, rows } = this
    this.keys = places(capacity, 0)
    this.rows = places(capacity, undefined)
    this.shift = shiftFor(capacity)
    for (let place = 0; place < rows.length; place++) {
      const row = rows[place]
      if (row !== undefined) this.put(keys[place] as number, row)
    }
  }
}

function shiftFor(capacity: number): number {
  return Math.clz32(capacity) + 1
}

function places<T>(count: number, empty: T): T[] {
  return new Array<T>(count).fill(empty)
}
