/**
 * Counters by name and label: plain numbers that whoever does the work adds to, and one process reads out. Adding costs two
 * map look-ups and no message; who counts often takes the cell of its name and label once, and then only adds one to a number.
 * Labels under one name are bounded; what comes after the bound is counted under 'other'.
 *
 *     counters.add('tool_failures', 1, 'search')
 *     const pings = counters.cell('requests', 'ping')
 *     pings.value++
 */

/** Distinct labels kept under one name. */
export const LABELS_MAX = 1_000

/** One number that is counted up. */
export class Cell {
  value = 0
}

export class Counters {
  private readonly cells = new Map<string, Map<string, Cell>>()

  /** Adds `by` (may be negative, for gauges) under `name` and, if given, `label`. */
  add(name: string, by = 1, label = ''): void {
    this.cell(name, label).value += by
  }

  /** The number under `name` and `label`, to be kept and added to; the one of 'other' when there are too many labels. */
  cell(name: string, label = ''): Cell {
    let labels = this.cells.get(name)
    if (labels === undefined) this.cells.set(name, (labels = new Map()))
    const known = labels.get(label)
    if (known !== undefined) return known
    if (labels.size >= LABELS_MAX) {
      const other = labels.get('other')
      if (other !== undefined) return other
      label = 'other'
    }
    const cell = new Cell()
    labels.set(label, cell)
    return cell
  }

  /** The value under a name, over all labels unless one is given. */
  get(name: string, label?: string): number {
    const labels = this.cells.get(name)
    if (labels === undefined) return 0
    if (label !== undefined) return labels.get(label)?.value ?? 0
    let sum = 0
    for (const { value } of labels.values()) sum += value
    return sum
  }

  /** Label and value of everything under a name. */
  *series(name: string): Iterable<readonly [label: string, value: number]> {
    for (const [label, { value }] of this.cells.get(name) ?? []) yield [label, value]
  }

  /** Everything that was ever added to, as plain data: a number per name, or a record of labels. */
  snapshot(): Record<string, number | Record<string, number>> {
    const all: Record<string, number | Record<string, number>> = {}
    for (const [name, labels] of this.cells) {
      // A cell that was taken and never added to is as good as none.
      const used = [...labels].filter(([, { value }]) => value !== 0)
      if (labels.size === 1 && labels.has('')) all[name] = labels.get('')?.value ?? 0
      else if (used.length > 0) all[name] = Object.fromEntries(used.map(([label, { value }]) => [label, value]))
    }
    return all
  }
}
