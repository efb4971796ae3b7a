// A plain text table: the first column to the left, the others to the right, two spaces between.

export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)))
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ')
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

/** 12345.6 -> "12 346"; below 100 with `digits` decimals. NaN and infinity are "-". */
export function formatNumber(value: number, digits = 1): string {
  if (!Number.isFinite(value)) return '-'
  if (Math.abs(value) < 100) return value.toFixed(digits)
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ' ')
}

/** "1.25x"; "-" where there is nothing to compare with. */
export function formatRatio(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '-' : `${value.toFixed(2)}x`
}
