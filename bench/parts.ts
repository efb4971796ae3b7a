// The parts of a run. A part that is a program of its own prints its tables and records its figures (figures.ts); to add one,
// write `bench/<name>.ts`, which takes `--small`, and add its row here.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTransport } from './echo-part.ts'
import { FIGURES_FILE, type Figure, readFigures } from './figures.ts'
import { runKernel } from './kernel-part.ts'
import type { Wish } from './options.ts'
import { built, root } from './paths.ts'

/** What a part found: its figures, and its rows or the lines that it printed. */
export interface Found {
  readonly figures: readonly Figure[]
  readonly rows: unknown
}

export interface Part {
  readonly name: string
  readonly title: string
  /** Only when it is named: it takes long. */
  readonly isLong?: boolean
  readonly run: (wish: Wish) => Promise<Found>
}

const program = (name: string, title: string, more: Pick<Part, 'isLong'> = {}): Part => ({
  name,
  title,
  ...more,
  run: (wish) => runProgram(name, title, wish),
})

export const parts: readonly Part[] = [
  { name: 'kernel', title: 'the actor runtime beside others', run: runKernel },
  { name: 'stdio', title: 'echo over stdio', run: (wish) => runTransport('stdio', wish) },
  { name: 'http', title: 'echo over Streamable HTTP', run: (wish) => runTransport('http', wish) },
  program('path', 'where the time of a call goes'),
  program('threads', 'calls to an actor in a thread'),
  program('protocol', 'tasks, completions, questions and both eras, latencies of a client'),
  program('client', 'what a call costs its client, beside others'),
  program('sessions', 'idle sessions, and tools that hang or loop beside other calls'),
  program('cache', 'reads of what is kept, in process, across threads and across processes'),
  program('fanout', 'one change told to many subscribers'),
  program('observability', 'what being watched costs a server that nobody reads'),
  program('processes', 'one server in one process and in two'),
  program('overload', 'five times the load that a server can take'),
  program('growth', 'the heap over a million calls', { isLong: true }),
  program('connections', 'ten thousand connections that call, and are cut', { isLong: true }),
  program('soak', 'sessions that come and go on every transport for millions of calls', { isLong: true }),
]

/** Runs a program that measures by itself. Throws what it said when it fails. */
function runProgram(name: string, title: string, wish: Wish): Promise<Found> {
  const folder = mkdtempSync(join(tmpdir(), 'bough-bench-'))
  const file = join(folder, 'figures')
  try {
    const args = [built(`${name}.js`), ...(wish.isSmall ? ['--small'] : [])]
    const env = { ...process.env, [FIGURES_FILE]: file }
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', ...args], {
      cwd: root,
      encoding: 'utf8',
      env,
    })
    if (status !== 0) throw new Error(`${name} ended with status ${status}:\n${stdout}\n${stderr}`)
    console.log(`${name}: ${title}\n${stdout}`)
    return Promise.resolve({ figures: readFigures(file), rows: stdout.trimEnd().split('\n') })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
