/** The metrics of several processes as those of one. */

export type Metrics = Record<string, number | Record<string, number>>

/** The sums of all, name by name and label by label. */
export function sumMetrics(all: readonly Metrics[]): Metrics {
  const sums: Metrics = {}
  for (const metrics of all) {
    for (const [name, value] of Object.entries(metrics)) sums[name] = sum(sums[name], value)
  }
  return sums
}

function sum(one: Metrics[string] | undefined, other: Metrics[string]): Metrics[string] {
  if (one === undefined) return other
  if (typeof one === 'number' && typeof other === 'number') return one + other
  const labels = { ...labelled(one) }
  for (const [label, value] of Object.entries(labelled(other))) labels[label] = (labels[label] ?? 0) + value
  return labels
}

/** A number without a label is one under the empty label. */
function labelled(value: Metrics[string]): Record<string, number> {
  return typeof value === 'number' ? { '': value } : value
}

const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?( .*)$/
const ABOUT = /^# (?:HELP|TYPE|UNIT) (\S+)/

/**
 * Prometheus texts as one: each sample gets the label `member`, and the samples of a metric stay together under one HELP and
 * TYPE. Source: Prometheus, exposition formats.
 */
export function mergeTexts(texts: ReadonlyMap<string, string>): string {
  const families = new Map<string, { readonly about: Set<string>; readonly samples: string[] }>()
  for (const [member, text] of texts) {
    let family: { readonly about: Set<string>; readonly samples: string[] } | undefined
    let familyName = ''
    for (const line of text.split('\n')) {
      const about = ABOUT.exec(line)?.[1]
      const sample = about === undefined ? SAMPLE.exec(line) : null
      const name = about ?? (sample === null ? undefined : sample[1])
      if (name === undefined) continue
      // The parts of a histogram (_bucket, _sum, _count) follow its TYPE.
      if (about !== undefined || family === undefined || !name.startsWith(familyName)) {
        familyName = name
        family = families.get(name)
        if (family === undefined) families.set(name, (family = { about: new Set(), samples: [] }))
      }
      if (sample === null) family.about.add(line)
      else {
        const [, , labels = '', value = ''] = sample
        family.samples.push(`${name}{member="${member}"${labels === '' ? '' : `,${labels}`}}${value}`)
      }
    }
  }
  const lines = [...families.values()].flatMap(({ about, samples }) => [...about, ...samples])
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}
