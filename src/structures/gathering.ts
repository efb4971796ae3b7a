/**
 * A gathering holds what comes one by one until `later` runs what it is given, and hands it on together then, in the order it
 * came. Many small pieces of one kind of work behind one another take less time than each of them between other work.
 */
export class Gathering<T> {
  readonly #take: (item: T) => void
  readonly #later: (flush: () => void) => void
  readonly #portion: (waiting: number) => number
  #items: T[] = []

  /**
   * `take` gets each item; `later` is to run what it gets soon: how much is gathered until then is its bound. `portion` says how many
   * of those that wait are handed on at once, at least 1; the others go the next time. Without it all do.
   */
  constructor(
    take: (item: T) => void,
    later: (flush: () => void) => void,
    portion: (waiting: number) => number = (waiting) => waiting,
  ) {
    this.#take = take
    this.#later = later
    this.#portion = portion
  }

  add(item: T): void {
    if (this.#items.push(item) === 1) this.#later(this.#flush)
  }

  readonly #flush = (): void => {
    const items = this.#items
    const count = Math.min(this.#portion(items.length), items.length)
    this.#items = count === items.length ? [] : items.slice(count)
    if (this.#items.length > 0) this.#later(this.#flush)
    let taken = 0
    try {
      for (; taken < count; taken++) this.#take(items[taken] as T)
    } finally {
      // One that throws costs the others nothing.
      if (taken < count - 1) {
        if (this.#items.length === 0) this.#later(this.#flush)
        this.#items = [...items.slice(taken + 1, count), ...this.#items]
      }
    }
  }
}
