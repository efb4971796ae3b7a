/** Runs `child-server.mjs` on the build, as a program of its own. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const childPath = fileURLToPath(new URL('./child-server.mjs', import.meta.url))

export interface Child {
  readonly program: ChildProcessWithoutNullStreams
  /** Resolves with the exit status, or the signal that ended it. */
  readonly ended: Promise<number | string | null>
  /** Whole lines of standard output, so far. */
  readonly lines: string[]
  line(index: number): Promise<string>
}

export function spawnChild(transport: 'http' | 'ws' | 'tcp' | 'sse' | 'stdio', options: object = {}): Child {
  const program = spawn(process.execPath, ['--expose-gc', childPath, transport, JSON.stringify(options)], { cwd: root })
  const lines: string[] = []
  let rest = ''
  program.stderr.resume()
  program.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
    program.emit('lines')
  })
  const ended = once(program, 'close').then(([status, signal]) => {
    // Bytes behind the last line break are bytes too.
    if (rest !== '') lines.push(rest)
    return (status ?? signal) as number | string | null
  })
  onTestFinished(() => void program.kill('SIGKILL'))
  const line = async (index: number): Promise<string> => {
    while (lines.length <= index)
      await Promise.race([once(program, 'lines'), ended.then(() => Promise.reject(new Error('The program ended.')))])
    return lines[index] ?? ''
  }
  return { program, ended, lines, line }
}

/** Processes of this machine whose parent is `pid`. */
export function childrenOf(pid: number): string[] {
  return spawnSync('ps', ['--ppid', String(pid), '-o', 'pid='], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean)
}
