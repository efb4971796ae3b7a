/**
 * Metrics as Prometheus reads them. Source: Prometheus, exposition formats, text format 0.0.4.
 */
import type { Histogram } from '#structures/histogram'
import type { MetricRow } from './metric-table.ts'
import type { Collected } from './metrics.ts'

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Every metric with its help and type, and one line for each value. Ends with a newline, as the format asks for. */
export function prometheusText(metrics: Iterable<Collected>): string {
  const lines: string[] = []
  for (const { row, series } of metrics) {
    lines.push(`# HELP ${row.name} ${escapeHelp(row.description)}`, `# TYPE ${row.name} ${row.kind}`)
    for (const { labels, value } of series) {
      const pairs = row.labels.map((name, at) => `${name}="${escapeLabel(labels[at] ?? '')}"`)
      if (typeof value === 'number') lines.push(`${row.name}${braced(pairs)} ${formatted(value * row.scale)}`)
      else pushHistogram(lines, row, pairs, value)
    }
  }
  return `${lines.join('\n')}\n`
}

function pushHistogram(
  lines: string[],
  { name, scale }: MetricRow,
  pairs: readonly string[],
  histogram: Histogram,
): void {
  const cumulative = histogram.cumulative()
  for (const [at, count] of cumulative.entries()) {
    const bound = histogram.bounds[at]
    const le = bound === undefined ? '+Inf' : formatted(bound * scale)
    lines.push(`${name}_bucket${braced([...pairs, `le="${le}"`])} ${count}`)
  }
  lines.push(`${name}_sum${braced(pairs)} ${formatted(histogram.sum * scale)}`)
  lines.push(`${name}_count${braced(pairs)} ${histogram.count}`)
}

function braced(pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function formatted(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  // A scale of a thousandth makes 0.1 into 0.00010000000000000002.
  return String(Number(value.toPrecision(15)))
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
