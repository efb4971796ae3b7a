/**
 * A gathering holds what comes one by one until `later` runs what it is given, and hands it on together then, in the order it
 * came. Many small pieces of one kind of work behind one another take less time than each of them between other work.
 */
export class Gathering<T> {
  readonly #take: (item: T) => void
  readonly #later: (flush: () => void) => void
  #items: T[] = []

  /** `take` gets each item; `later` is to run what it gets soon: how much is gathered until then is its bound. */
  constructor(take: (item: T) => void, later: (flush: () => void) => void) {
    this.#take = take
    this.#later = later
  }

  add(item: T): void {
    if (this.#items.push(item) === 1) this.#later(this.#flush)
  }

  readonly #flush = (): void => {
    const items = this.#items
    this.#items = []
    let taken = 0
    try {
      for (; taken < items.length; taken++) this.#take(items[taken] as T)
    } finally {
      // One that throws costs the others nothing.
      if (taken < items.length - 1) {
        this.#items = [...items.slice(taken + 1), ...this.#items]
        this.#later(this.#flush)
      }
    }
  }
}
