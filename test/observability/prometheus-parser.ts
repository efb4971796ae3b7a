/**
 * A strict reader of Prometheus text 0.0.4: it throws for whatever the format does not allow, also for what real readers forgive.
 * Source: Prometheus, exposition formats; data model (names).
 */

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly value: number
  }[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const VALUE = /^(?:NaN|[+-]Inf|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/

/** The families of a text by their name. */
export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('The last line has no end.')
  if (text.includes('\r')) throw new Error('A line ends with a carriage return.')
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let help: { name: string; text: string } | undefined
  let current: Family | undefined
  for (const [at, line] of text.slice(0, -1).split('\n').entries()) {
    const fail = (why: string): never => {
      throw new Error(`Line ${at + 1}: ${why}: ${line}`)
    }
    if (line.startsWith('# HELP ')) {
      const [, name = '', words = ''] = /^# HELP (\S+) (.*)$/.exec(line) ?? fail('no help')
      if (!NAME.test(name)) fail('no name')
      if (/\\(?![\\n])/.test(words.replaceAll('\\\\', ''))) fail('a wrong escape')
      help = { name, text: words }
    } else if (line.startsWith('# TYPE ')) {
      const [, name = '', type = ''] =
        /^# TYPE (\S+) (counter|gauge|histogram|summary|untyped)$/.exec(line) ?? fail('no type')
      if (help?.name !== name) fail('help must come right before')
      if (families.has(name)) fail('a family that was there before')
      current = { name, type, help: help?.text ?? '', samples: [] }
      families.set(name, current)
    } else {
      const family = current ?? fail('a sample before its type')
      const sample = sampleOf(line, fail)
      const base = family.type === 'histogram' ? sample.name.replace(/_(bucket|sum|count)$/, '') : sample.name
      if (base !== family.name) fail(`a sample of another family than ${family.name}`)
      if (family.type === 'histogram' && base === sample.name) fail('a histogram has buckets, a sum and a count only')
      if (family.type === 'counter' && (!sample.name.endsWith('_total') || sample.value < 0)) fail('no counter')
      const key = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`
      if (seen.has(key)) fail('a sample that was there before')
      seen.add(key)
      family.samples.push(sample)
    }
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family)
  return families
}

function sampleOf(line: string, fail: (why: string) => never): Family['samples'][number] {
  const name = /^[^{ ]+/.exec(line)?.[0] ?? fail('no name')
  if (!NAME.test(name)) fail('a wrong name')
  const labels: Record<string, string> = {}
  let at = name.length
  if (line[at] === '{') {
    at++
    while (line[at] !== '}') {
      const label = /^[^=]+/.exec(line.slice(at))?.[0] ?? fail('no label')
      if (!LABEL.test(label) || label.startsWith('__') || Object.hasOwn(labels, label)) fail(`a wrong label ${label}`)
      at += label.length
      if (line.slice(at, at + 2) !== '="') fail('a label without a value')
      at += 2
      let value = ''
      for (; line[at] !== '"'; at++) {
        if (at >= line.length) fail('a value without an end')
        if (line[at] !== '\\') value += line[at]
        else value += { '\\': '\\', '"': '"', n: '\n' }[line[++at] ?? ''] ?? fail('a wrong escape')
      }
      labels[label] = value
      at++
      if (line[at] === ',') at++
      else if (line[at] !== '}') fail('no comma between labels')
    }
    at++
  }
  const rest = line.slice(at)
  if (!rest.startsWith(' ') || !VALUE.test(rest.slice(1))) fail('no value, or more than one')
  return { name, labels, value: Number(rest.slice(1).replace('Inf', 'Infinity')) }
}

function checkHistogram({ name, samples }: Family): void {
  const series = new Map<string, { buckets: [number, number][]; sum?: number; count?: number }>()
  for (const { name: own, labels, value } of samples) {
    const { le, ...rest } = labels
    const key = JSON.stringify(Object.entries(rest).sort())
    const one = series.get(key) ?? { buckets: [] }
    series.set(key, one)
    if (own.endsWith('_bucket')) one.buckets.push([Number((le ?? 'x').replace('Inf', 'Infinity')), value])
    else if (own.endsWith('_sum')) one.sum = value
    else one.count = value
  }
  for (const [key, { buckets, sum, count }] of series) {
    const bounds = buckets.map(([bound]) => bound)
    const rises = (numbers: number[], isStrict: boolean): boolean =>
      numbers.every((one, at) => at === 0 || one > (numbers[at - 1] ?? 0) || (!isStrict && one === numbers[at - 1]))
    const isWhole = bounds.at(-1) === Number.POSITIVE_INFINITY && buckets.at(-1)?.[1] === count && sum !== undefined
    if (
      !isWhole ||
      !rises(bounds, true) ||
      !rises(
        buckets.map(([, value]) => value),
        false,
      )
    )
      throw new Error(`The histogram ${name}${key} is not whole.`)
  }
}
