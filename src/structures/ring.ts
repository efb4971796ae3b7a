/**
 * A ring is a first-in first-out queue in a power-of-two array that doubles when it is full. Taking an item resets its
 * slot, so the ring holds nothing back from the garbage collector. Push and shift cost constant time.
 */

const CAPACITY_MIN = 4

export class Ring<T> {
  private slots: (T | undefined)[]
  private head = 0
  private count = 0

  constructor(capacity = CAPACITY_MIN) {
    let size = CAPACITY_MIN
    while (size < capacity) size *= 2
    this.slots = new Array(size).fill(undefined)
  }

  get length(): number {
    return this.count
  }

  /** Places in the array now, taken or not. */
  get capacity(): number {
    return this.slots.length
  }

  push(item: T): void {
    if (this.count === this.slots.length) this.grow()
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = item
    this.count++
  }

  /** Puts an item before the oldest: it is the next to be taken. */
  unshift(item: T): void {
    if (this.count === this.slots.length) this.grow()
    this.head = (this.head - 1) & (this.slots.length - 1)
    this.slots[this.head] = item
    this.count++
  }

  /** Removes and returns the oldest item; undefined when the ring is empty. */
  shift(): T | undefined {
    if (this.count === 0) return undefined
    const item = this.slots[this.head]
    this.slots[this.head] = undefined
    this.head = (this.head + 1) & (this.slots.length - 1)
    this.count--
    return item
  }

  /** The item `index` places behind the oldest, without removing it. */
  at(index: number): T | undefined {
    return index < this.count ? this.slots[(this.head + index) & (this.slots.length - 1)] : undefined
  }

  /** Removes and returns the item `index` places behind the oldest, keeping the order of the rest. Linear. */
  removeAt(index: number): T | undefined {
    if (index >= this.count) return undefined
    const mask = this.slots.length - 1
    const item = this.slots[(this.head + index) & mask]
    for (let place = index; place > 0; place--) {
      this.slots[(this.head + place) & mask] = this.slots[(this.head + place - 1) & mask]
    }
    this.slots[this.head] = undefined
    this.head = (this.head + 1) & mask
    this.count--
    return item
  }

  private grow(): void {
    const size = this.slots.length
    const next: (T | undefined)[] = new Array(size * 2).fill(undefined)
    for (let place = 0; place < this.count; place++) next[place] = this.slots[(this.head + place) & (size - 1)]
    this.slots = next
    this.head = 0
  }
}
