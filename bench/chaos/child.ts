// The server under chaos, seen by who brings it about: started, told what to do, killed, started again on the same port.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { built, root } from '../paths.ts'
import type { Order, ServerSettings, ServerState } from './server.ts'

const START_MS = 30_000
const ANSWER_MS = 30_000
const END_MS = 15_000
const STDERR_MAX = 4_000

export class ServerChild {
  readonly settings: ServerSettings
  /** Ends that nobody asked for: each is a crash of the node. */
  crashes = 0
  /** Exit status or signal of the last end. */
  lastEnd: number | string | null = null
  private program: ChildProcess | undefined
  private isEnding = false
  private lastId = 0
  private errors = ''
  private readonly waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()

  constructor(settings: ServerSettings) {
    this.settings = settings
  }

  get url(): string {
    return `http://127.0.0.1:${this.settings.port}/mcp`
  }

  get pid(): number {
    return this.program?.pid ?? 0
  }

  async start(): Promise<void> {
    const program = spawn(process.execPath, [built('chaos/server.js'), JSON.stringify(this.settings)], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.program = program
    this.isEnding = false
    program.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-STDERR_MAX)
    })
    program.on('exit', (status, signal) => {
      this.lastEnd = status ?? signal
      if (!this.isEnding) this.crashes++
      for (const { reject } of this.waiting.values())
        reject(new Error(`The server ended (${this.lastEnd}): ${this.errors}`))
      this.waiting.clear()
    })
    const ready = once(program, 'message', { signal: AbortSignal.timeout(START_MS) })
    const ended = once(program, 'exit').then(() => Promise.reject(new Error(`No server: ${this.errors}`)))
    await Promise.race([ready, ended])
    ended.catch(() => undefined)
    program.on('message', ({ id, result, error }: { id: number; result?: unknown; error?: string }) => {
      if (error === undefined) this.waiting.get(id)?.resolve(result)
      else this.waiting.get(id)?.reject(new Error(error))
      this.waiting.delete(id)
    })
  }

  /** Has the server do something to itself. */
  order(order: Order): Promise<unknown> {
    const id = ++this.lastId
    const { program } = this
    if (program === undefined || program.exitCode !== null) return Promise.reject(new Error('There is no server.'))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`No answer to ${order.op} in ${ANSWER_MS} ms.`)), ANSWER_MS)
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer)
          then(value)
        }
      this.waiting.set(id, { resolve: settle(resolve), reject: settle(reject) })
      program.send({ id, order })
    })
  }

  async state(): Promise<ServerState> {
    return (await this.order({ op: 'state' })) as ServerState // what server.ts answers
  }

  /** Ends it with a signal, which is no crash. */
  async end(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<void> {
    const { program } = this
    if (program === undefined || program.exitCode !== null || program.signalCode !== null) return
    this.isEnding = true
    const gone = once(program, 'exit')
    program.kill(signal)
    const late = setTimeout(() => program.kill('SIGKILL'), END_MS)
    await gone
    clearTimeout(late)
  }

  /** Sets a soft limit of the running program; false where that cannot be done here. */
  limit(what: 'nofile' | 'fsize', value: number | 'unlimited'): boolean {
    return spawnSync('prlimit', ['--pid', String(this.pid), `--${what}=${value}:`]).status === 0
  }
}
