/**
 * A real Erlang node as an oracle: it plays a scenario with OTP's own supervisor and gen_server and says what it saw, one
 * line in, one line out. The programs are the `.erl` files beside this one, compiled once per content into `.cache/erlang`.
 *
 *     const node = await startErlang()
 *     const seen = await node.play(['supervisor', ...])     // a line for each command
 *     node.stop()
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'

/** What a scenario is made of: atoms, whole numbers, booleans and lists. */
export type Term = string | number | boolean | readonly Term[]

export interface ErlangNode {
  /** Plays a scenario; a line for each of its commands. Rejects when the oracle itself fails. */
  play(scenario: Term): Promise<string[]>
  stop(): void
}

const folders = (process.env['PATH'] ?? '').split(delimiter)

/** Why there is no oracle here, or undefined when there is one. */
export const erlangIsMissing: string | undefined = ['erl', 'erlc'].every((program) =>
  folders.some((folder) => existsSync(join(folder, program))),
)
  ? undefined
  : 'no Erlang (erl, erlc) on this machine: apt-get install erlang-base'

/** A term in Erlang's own notation. */
export function print(term: Term): string {
  if (typeof term === 'string') return /^[a-z][a-z0-9_]*$/.test(term) ? term : `'${term}'`
  if (typeof term === 'object') return `[${term.map(print).join(',')}]`
  return String(term)
}

/** Compiles what has changed and starts the node. */
export function startErlang(): ErlangNode {
  const program = spawn(
    'erl',
    // One scheduler keeps the driver and its processes on one core: faster here, and no wait between them.
    [
      '-noinput',
      '-boot',
      'start_clean',
      '-kernel',
      'logger_level',
      'none',
      '+S',
      '1',
      '+sbwt',
      'none',
      '-pa',
      compiled(),
      '-s',
      'oracle',
      'main',
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  return new Oracle(program)
}

class Oracle implements ErlangNode {
  private readonly program: ChildProcess
  private readonly waiting: { resolve: (seen: string[]) => void; reject: (error: Error) => void }[] = []

  constructor(program: ChildProcess) {
    this.program = program
    createInterface({ input: program.stdout! }).on('line', (line) => {
      const asked = this.waiting.shift()
      if (line.startsWith('oracle fault')) asked?.reject(new Error(line))
      else asked?.resolve(line.split('\t'))
    })
    program.on('exit', (code) => {
      for (const asked of this.waiting.splice(0)) asked.reject(new Error(`The Erlang node ended with status ${code}.`))
    })
  }

  play(scenario: Term): Promise<string[]> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject })
      this.program.stdin!.write(`${print(scenario)}\n`)
    })
  }

  stop(): void {
    this.program.stdin!.end()
  }
}

/** The folder with the compiled programs. Two that compile at once do not meet: the whole folder is put in place. */
function compiled(): string {
  const sources = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.erl'))
    .sort()
  const hash = createHash('sha256')
  for (const name of sources) hash.update(name).update(readFileSync(join(import.meta.dirname, name)))
  const cache = join(import.meta.dirname, '../../.cache/erlang')
  const folder = join(cache, hash.digest('hex').slice(0, 16))
  mkdirSync(cache, { recursive: true })
  if (existsSync(folder)) return folder
  const draft = mkdtempSync(join(cache, 'draft-'))
  execFileSync('erlc', ['-o', draft, ...sources], { cwd: import.meta.dirname, stdio: 'inherit' })
  try {
    renameSync(draft, folder)
  } catch {
    // Another one was faster.
    rmSync(draft, { recursive: true })
  }
  return folder
}
