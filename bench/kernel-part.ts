// The part 'kernel': runs it beside its libraries, prints its table, and says what is to be reached.
import type { Figure, Target } from './figures.ts'
import { haveErlang, type KernelRow, kernelLibraries, kernelSizes, measureKernel } from './kernel.ts'
import { havePeers, type Wish } from './options.ts'
import { formatNumber, formatRatio, formatTable } from './table.ts'

/** Of what the bare kernel takes; bytes and milliseconds where the scenario is about them. */
const targets: readonly { readonly scenario: RegExp; readonly ratio?: number; readonly atMost?: number }[] = [
  { scenario: /^(tell|call|start|crash)/, ratio: 2 },
  { scenario: /^heap per idle actor/, atMost: 400 },
  { scenario: /^event-loop delay p99/, atMost: 5 },
]

/** The libraries to measure the kernel beside; says aloud which are left out, and why. */
function chooseLibraries(wish: Wish): ReadonlySet<string> {
  const named = kernelLibraries.filter(({ name, needs }) =>
    wish.isSmall && !wish.isChosen ? needs === 'nothing' : wish.isWanted(name),
  )
  const lacks = {
    nothing: false,
    peers: named.some(({ needs }) => needs === 'peers') && !havePeers(wish.isSmall),
    erlang: named.some(({ needs }) => needs === 'erlang') && !haveErlang(),
  }
  if (lacks.erlang)
    console.log('NOT MEASURED: Erlang. There is no escript on the PATH; install Erlang/OTP 25 or later.\n')
  return new Set(named.filter(({ needs }) => !lacks[needs]).map(({ name }) => name))
}

export async function runKernel(wish: Wish): Promise<{ rows: KernelRow[]; figures: Figure[] }> {
  const libraries = chooseLibraries(wish)
  const size = kernelSizes[wish.isSmall ? 'small' : 'large']
  const rows = await measureKernel({ ...size, passes: wish.rounds ?? size.passes }, ({ name }) => libraries.has(name))
  console.log(
    'kernel: CPU ns per operation, least and median of the runs (where the scenario says so: bytes, or wall ms)',
  )
  const head = ['scenario', 'library', 'least', 'median', 'of the bare kernel', 'of Erlang', 'operations', 'checksum']
  const ratioTo = (row: KernelRow, library: string): number | undefined => {
    const other = rows.find((one) => one.scenario === row.scenario && one.library === library)
    return other && (row.unit === 'ms' ? row.median / other.median : row.least / other.least)
  }
  const cells = rows.map((row) => {
    const digits = row.unit === 'ms' ? 3 : 0
    return [
      row.scenario,
      row.library,
      formatNumber(row.least, digits),
      formatNumber(row.median, digits),
      formatRatio(ratioTo(row, 'bare kernel')),
      formatRatio(ratioTo(row, 'erlang')),
      formatNumber(row.operations, 0),
      row.checksum.toString(16),
    ]
  })
  console.log(`${formatTable(head, cells)}\n`)
  const figures = rows.map((row): Figure => {
    const value = row.unit === 'ms' ? row.median : row.least
    const found = targets.find(({ scenario }) => scenario.test(row.scenario))
    const target: Target | undefined =
      row.library === 'bough' && found?.atMost !== undefined ? { atMost: found.atMost } : undefined
    return {
      group: `kernel: ${row.scenario}`,
      name: row.library,
      value,
      unit: row.unit === 'ms' ? 'ms' : row.scenario.endsWith('bytes') ? 'bytes' : 'ns',
      better: 'less',
      ...(target !== undefined && { target }),
    }
  })
  for (const row of rows) {
    const found = targets.find(({ scenario }) => scenario.test(row.scenario))
    if (row.library !== 'bough' || found?.ratio === undefined) continue
    for (const [library, atMost] of [
      ['bare kernel', found.ratio],
      ['erlang', 1],
    ] as const) {
      const value = ratioTo(row, library)
      if (value === undefined) continue
      const group = `kernel: ${row.scenario}, of ${library === 'erlang' ? 'Erlang' : 'the bare kernel'}`
      figures.push({ group, name: 'bough', value, unit: 'x', better: 'less', target: { atMost } })
    }
  }
  return { rows, figures }
}
