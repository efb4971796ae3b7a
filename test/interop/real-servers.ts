/** Real servers as programs of their own, for our client: started, found by their address, killed, and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Client, type ConnectOptions, connect, type Target } from 'bough/client'
import { onTestFinished } from 'vitest'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const serversFolder = fileURLToPath(new URL('./servers', import.meta.url))
export const peersFolder = fileURLToPath(new URL('../peers', import.meta.url))

/** How a program is started on a port, and where it is then. */
export interface Program {
  readonly args: (port: number) => readonly string[]
  readonly env?: (port: number) => Readonly<Record<string, string>>
  /** Default http. */
  readonly scheme?: 'http' | 'ws' | 'tcp'
  readonly path: string
}

/** A server on a port of its own. */
export interface Running {
  readonly url: string
  /** Ends it without a word, as a crash does. */
  kill(): Promise<void>
  /** Starts it anew, on the same port. */
  start(): Promise<void>
}

/** How long a program may take to listen, in milliseconds. */
const LISTEN_MS = 15_000
const LOOK_MS = 50

export const handlers: NonNullable<ConnectOptions['handlers']> = {
  elicitation: () => ({ action: 'accept', content: { name: 'Ann' } }),
  sampling: () => ({ role: 'assistant', content: { type: 'text', text: 'Well, thank you.' }, model: 'none' }),
  roots: () => ({ roots: [{ uri: 'file:///home/ann', name: 'home' }] }),
}

export async function run(program: Program): Promise<Running> {
  const port = await freePort()
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const env = { ...process.env, ...program.env?.(port) }
    child = spawn(process.execPath, program.args(port), { cwd: root, env, stdio: 'ignore' })
    for (let waitedMs = 0; !(await accepts(port)); waitedMs += LOOK_MS) {
      if (waitedMs > LISTEN_MS) throw new Error(`${program.args(port).join(' ')} does not listen on ${port}.`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  await start()
  return { url: `${program.scheme ?? 'http'}://127.0.0.1:${port}${program.path}`, kill, start }
}

/** A connected client, closed when the test is over. */
export async function connected(target: Target, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(target, { handlers, ...options })
  onTestFinished(() => client.close())
  return client
}

/** The text of a result's only block. */
export function textOf({ content }: { readonly content: readonly object[] }): string {
  const [block] = content as readonly { readonly text?: string }[]
  return block?.text ?? ''
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('There is no free port.')
  return address.port
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = dial(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
