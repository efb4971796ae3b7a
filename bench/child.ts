// A measured child process: a Node program with the probe loaded, and a handle to ask what it used and to end it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { pathToFileURL } from 'node:url'
import { built, root } from './paths.ts'
import type { Question, Usage } from './probe.ts'

const READY_WITHIN_MS = 15_000
const ANSWER_WITHIN_MS = 10_000
const STOP_WITHIN_MS = 5_000
const STDERR_KEPT_MAX = 4_000

export interface Child {
  readonly process: ChildProcess
  /** Asks the probe. Rejects when the child has ended or does not answer. */
  usage(collect?: boolean): Promise<Usage>
  /** Ends the child: stdin first, SIGTERM at once, SIGKILL when it overstays. */
  stop(): Promise<void>
  /** The last of what it wrote to stderr, for error messages. */
  stderr(): string
}

/** Starts `node ...nodeFlags <program> ...args`; stdin and stdout are pipes. */
export function startChild(program: string, args: readonly string[], nodeFlags: readonly string[] = []): Child {
  const flags = ['--expose-gc', '--import', pathToFileURL(built('probe.js')).href, ...nodeFlags]
  const child = spawn(process.execPath, [...flags, program, ...args], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const { stdin, stderr } = child
  if (stdin === null || stderr === null) throw new Error(`${program} was started without pipes.`)
  let errors = ''
  stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-STDERR_KEPT_MAX)
  })
  stdin.on('error', () => {}) // a child that died is reported by its exit, with its stderr
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const describeEnd = () =>
    `${program} ended (status ${child.exitCode}, signal ${child.signalCode}). Its stderr:\n${errors}`
  return {
    process: child,
    stderr: () => errors,
    async usage(collect = false) {
      if (hasEnded()) throw new Error(describeEnd())
      child.send({ type: 'bench:usage', collect } satisfies Question)
      const [usage] = await once(child, 'message', { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
      return usage as Usage // the probe's only answer
    },
    async stop() {
      if (hasEnded()) return
      const exited = once(child, 'exit')
      stdin.end()
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
      await exited
      clearTimeout(timer)
    },
  }
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('The probe socket has no port.')
  return address.port
}

/** Resolves once `port` accepts connections; rejects when the child ends first or takes too long. */
export async function untilListening(child: Child, port: number): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const accepted = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (accepted) return
    const { exitCode, signalCode } = child.process
    if (exitCode !== null || signalCode !== null || performance.now() > deadline) {
      throw new Error(
        `The server did not listen on port ${port} (status ${exitCode}, signal ${signalCode}, waited at most ` +
          `${READY_WITHIN_MS} ms). Its stderr:\n${child.stderr()}`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
