/**
 * What can be counted and read of one application, in one place: counters that the work adds to, histograms it records into, and
 * readings, functions that are asked only when somebody looks. The table of metrics (metric-table.ts) says what each is called
 * outside, in which unit, with which labels.
 *
 *     metrics.counters.add('tasks_refused')
 *     metrics.read('sessions', () => open.size)
 *     for (const { row, series } of metrics.collect()) ...
 */
import type { Counters } from '#structures/counters'
import { durationBoundsMs, Histogram } from '#structures/histogram'
import { type MetricRow, metricTable } from './metric-table.ts'

/** Where a value is read when somebody looks: one number, or one per label. Must not throw, nor be slow. */
export type Reading = () => number | Iterable<readonly [label: string, value: number]>

/** The values of one metric. Labels are in the order of the row's. */
export interface Collected {
  readonly row: MetricRow
  readonly series: readonly { readonly labels: readonly string[]; readonly value: number | Histogram }[]
}

/** Between the values of several labels in one counter's label. Only the last of them may hold it. */
export const LABEL_SEPARATOR = '|'

/** Labels under one histogram; what comes later is recorded under 'other'. */
export const HISTOGRAM_LABELS_MAX = 200

/** Labels that one reading may give; what comes later is left out. */
export const READING_LABELS_MAX = 1_000

export class Metrics {
  readonly counters: Counters
  private readonly histograms = new Map<string, Map<string, Histogram>>()
  private readonly readings = new Map<string, Reading>()

  constructor(counters: Counters) {
    this.counters = counters
  }

  /** The histogram under `name` and `label`, made when first asked for, to be kept and recorded into. In milliseconds. */
  histogram(name: string, label = '', bounds: readonly number[] = durationBoundsMs): Histogram {
    let labels = this.histograms.get(name)
    if (labels === undefined) this.histograms.set(name, (labels = new Map()))
    const key = labels.has(label) || labels.size < HISTOGRAM_LABELS_MAX ? label : 'other'
    let histogram = labels.get(key)
    if (histogram === undefined) labels.set(key, (histogram = new Histogram(bounds)))
    return histogram
  }

  /** Names a reading; the latest of a name counts, so that a part that is started anew replaces its earlier self. */
  read(name: string, reading: Reading): void {
    this.readings.set(name, reading)
  }

  /** Every metric of the table with its values as they stand, in the table's order. */
  *collect(rows: readonly MetricRow[] = metricTable): Iterable<Collected> {
    for (const row of rows) yield { row, series: row.kind === 'histogram' ? this.recorded(row) : this.counted(row) }
  }

  private recorded(row: MetricRow): Collected['series'] {
    const labels = [...(this.histograms.get(row.from) ?? [])]
    return labels.map(([label, value]) => ({ labels: labelsOf(row, label), value }))
  }

  private counted(row: MetricRow): Collected['series'] {
    const reading = this.readings.get(row.from)
    const found = reading === undefined ? this.counters.series(row.from) : valuesOf(reading)
    if (row.labels.length === 0) {
      let sum = 0
      let isKnown = row.kind === 'counter'
      for (const [, value] of found) {
        isKnown = true
        sum += value
      }
      return isKnown ? [{ labels: [], value: sum }] : []
    }
    const series: { labels: readonly string[]; value: number }[] = []
    for (const [label, value] of found) {
      if (series.length >= READING_LABELS_MAX) break
      series.push({ labels: labelsOf(row, label), value })
    }
    return series
  }
}

function valuesOf(reading: Reading): Iterable<readonly [string, number]> {
  const value = reading()
  return typeof value === 'number' ? [['', value]] : value
}

/** A counter's one label as the values of the row's labels; those that are missing are empty, as 'other' has them. */
function labelsOf({ labels }: MetricRow, label: string): readonly string[] {
  if (labels.length <= 1) return labels.length === 0 ? [] : [label]
  const parts = label.split(LABEL_SEPARATOR)
  const last = parts.slice(labels.length - 1).join(LABEL_SEPARATOR)
  return labels.map((_name, at) => (at === labels.length - 1 ? last : (parts[at] ?? '')))
}
