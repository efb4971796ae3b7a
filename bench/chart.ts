// The figures of a run as one SVG picture: a block for each group, a bar for each figure, drawn to the largest of its group.
import type { Figure } from './figures.ts'
import { formatNumber } from './table.ts'

const WIDTH = 860
const LABEL_WIDTH = 300
const VALUE_WIDTH = 130
const BAR_HEIGHT = 16
const ROW_HEIGHT = 22
const TITLE_HEIGHT = 34
const MARGIN = 20

const escapeXml = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign] ?? sign)

/** The value with its unit: '12 345 calls/s', '1.25x'. */
export function showValue({ value, unit }: Figure): string {
  const digits = Math.abs(value) < 10 ? 2 : 1
  return unit === 'x' ? `${value.toFixed(2)}x` : `${formatNumber(value, digits)} ${unit}`
}

/** Draws the figures; `title` and `subtitle` say what was run and where. Bars of bough are dark, those of others light. */
export function drawChart(title: string, subtitle: string, figures: readonly Figure[]): string {
  const groups = new Map<string, Figure[]>()
  for (const figure of figures) groups.set(figure.group, [...(groups.get(figure.group) ?? []), figure])
  const body: string[] = []
  const text = (x: number, y: number, kind: string, words: string): void => {
    body.push(`<text x="${x}" y="${y}" class="${kind}">${escapeXml(words)}</text>`)
  }
  let y = MARGIN + 18
  text(MARGIN, y, 'title', title)
  y += 20
  text(MARGIN, y, 'quiet', subtitle)
  for (const [group, members] of groups) {
    y += TITLE_HEIGHT
    text(MARGIN, y, 'group', `${group} (${members[0]?.better === 'less' ? 'less' : 'more'} is better)`)
    const largest = Math.max(...members.map(({ value }) => Math.abs(value)).filter(Number.isFinite), Number.MIN_VALUE)
    for (const figure of members) {
      y += ROW_HEIGHT
      const room = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH
      const width = Number.isFinite(figure.value) ? Math.max(1, (Math.abs(figure.value) / largest) * room) : 0
      const x = MARGIN + LABEL_WIDTH
      const kind = figure.name.startsWith('bough') ? 'ours' : 'other'
      text(MARGIN, y, 'label', figure.name)
      body.push(`<rect x="${x}" y="${y - 12}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" class="${kind}"/>`)
      text(x + width + 6, y, 'label', showValue(figure))
    }
  }
  const height = y + MARGIN
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">
<style>
  text { font-family: ui-sans-serif, system-ui, sans-serif; font-size: 13px; fill: #24292f }
  .title { font-size: 18px; font-weight: 600 } .group { font-weight: 600 } .quiet { fill: #57606a }
  .ours { fill: #1a7f5a } .other { fill: #b6c2cd }
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
${body.join('\n')}
</svg>
`
}
