/**
 * Counters by name and label: plain numbers that whoever does the work adds to, and one process reads out. Adding costs a
 * map look-up and no message. Labels under one name are bounded; what comes after the bound is counted under 'other'.
 */

/** Distinct labels kept under one name. */
export const LABELS_MAX = 1_000

export class Counters {
  private readonly values = new Map<string, Map<string, number>>()

  /** Adds `by` (may be negative, for gauges) under `name` and, if given, `label`. */
  add(name: string, by = 1, label = ''): void {
    let labels = this.values.get(name)
    if (labels === undefined) this.values.set(name, (labels = new Map()))
    const value = labels.get(label)
    if (value === undefined && labels.size >= LABELS_MAX) label = 'other'
    labels.set(label, (value ?? labels.get(label) ?? 0) + by)
  }

  /** The value under a name, over all labels unless one is given. */
  get(name: string, label?: string): number {
    const labels = this.values.get(name)
    if (labels === undefined) return 0
    if (label !== undefined) return labels.get(label) ?? 0
    let sum = 0
    for (const value of labels.values()) sum += value
    return sum
  }

  /** Everything, as plain data: a number per name, or a record of labels. */
  snapshot(): Record<string, number | Record<string, number>> {
    const all: Record<string, number | Record<string, number>> = {}
    for (const [name, labels] of this.values) {
      all[name] = labels.size === 1 && labels.has('') ? (labels.get('') ?? 0) : Object.fromEntries(labels)
    }
    return all
  }
}
