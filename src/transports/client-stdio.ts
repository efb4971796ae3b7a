/**
 * The client's side of stdio: starts the server as a child process and exchanges one JSON text a line with it.
 *
 * It owns the child. It promises that no bytes from the child break the framing, that what is sent in one turn of the event loop
 * leaves in one write, that a failure tells the exit code and the last words on standard error, and that `close` ends the child
 * and what the child started: standard input is closed, then SIGTERM, then SIGKILL, within 5 seconds in all. A program that exits
 * without closing takes its servers along.
 *
 *     const link = await stdioClientTransport({ command: 'node', args: ['server.js'] }).open(receiver)
 *
 * Gotcha: only the few environment variables in `defaultEnvironment()` are passed on, since servers are other people's programs
 * and an environment is full of secrets. Name what a server needs in `env` or `inheritEnv`.
 *
 * Spec: MCP 2026-07-28, basic/transports/stdio, shutdown.
 */
import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { type Clock, realClock } from '#runtime/clock'
import type { ClientTransport, LinkFailure, LinkReceiver } from './client-port.ts'
import { LinkError } from './client-port.ts'
import { defaultEnvironment } from './client-stdio-environment.ts'
import { ChildLink } from './client-stdio-link.ts'
import { TransportError } from './port.ts'

export { defaultEnvironment } from './client-stdio-environment.ts'

export interface StdioClientOptions {
  /** The program, looked up in PATH. No shell takes part. */
  readonly command: string
  readonly args?: readonly string[]
  /** Variables beside the default ones, or instead of them. */
  readonly env?: Readonly<Record<string, string>>
  /** Passes more of this process's environment on: the variables named, or with `true` all. Default: none. */
  readonly inheritEnv?: boolean | readonly string[]
  /** Default: that of this process. */
  readonly cwd?: string
  /** What becomes of standard error: passed on to this process's, thrown away, or handed over. Default 'inherit'. */
  readonly stderr?: 'inherit' | 'ignore' | ((text: string) => void)
  /** The longest line taken, in bytes. Default 32 MiB. */
  readonly maxMessageBytes?: number
  /** What may wait to be read by the child, in bytes (near enough: UTF-16 units before they are encoded). Default 64 MiB. */
  readonly maxBufferedBytes?: number
  readonly clock?: Clock
}

export interface StdioClientSettings {
  readonly target: string
  readonly stderr: 'inherit' | 'ignore' | ((text: string) => void)
  readonly maxMessageBytes: number
  readonly maxBufferedBytes: number
  readonly clock: Clock
}

/** A transport that starts `command` anew for every link. Throws `TransportError` `invalid_option`. */
export function stdioClientTransport(options: StdioClientOptions): ClientTransport {
  if (options.command === '') throw invalid('command must not be empty')
  for (const name of ['maxMessageBytes', 'maxBufferedBytes'] as const) {
    const value = options[name]
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw invalid(`${name} must be a positive integer of bytes, got ${value}`)
    }
  }
  const settings: StdioClientSettings = {
    target: [options.command, ...(options.args ?? [])].join(' '),
    stderr: options.stderr ?? 'inherit',
    maxMessageBytes: options.maxMessageBytes ?? 32 * 1024 * 1024,
    maxBufferedBytes: options.maxBufferedBytes ?? 64 * 1024 * 1024,
    clock: options.clock ?? realClock,
  }
  return {
    name: 'stdio',
    target: settings.target,
    open: (receiver) => open(options, settings, receiver),
  }
}

function open(options: StdioClientOptions, settings: StdioClientSettings, receiver: LinkReceiver): Promise<ChildLink> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: unknown) => reject(new LinkError(notStarted(options, cause)))
    try {
      const child = spawn(options.command, [...(options.args ?? [])], {
        env: environmentOf(options),
        cwd: options.cwd,
        stdio: ['pipe', 'pipe', settings.stderr === 'ignore' ? 'ignore' : 'pipe'],
        // A group of its own, so that what the child starts can be ended with it. On Windows that would open a window.
        detached: process.platform !== 'win32',
        windowsHide: true,
      })
      child.once('error', refuse)
      child.once('spawn', () => {
        child.off('error', refuse)
        resolve(new ChildLink(child, settings, receiver))
      })
    } catch (cause) {
      // Node throws at once for what can be no argument, such as a NUL in a path.
      refuse(cause)
    }
  })
}

function environmentOf({ env, inheritEnv = false }: StdioClientOptions): Record<string, string | undefined> {
  const inherited = inheritEnv === true ? process.env : defaultEnvironment(inheritEnv === false ? [] : inheritEnv)
  return { ...inherited, ...env }
}

function notStarted({ command, cwd }: StdioClientOptions, cause: unknown): LinkFailure {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const why =
    code === 'ENOENT' && cwd !== undefined && statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true
      ? `there is no directory ${JSON.stringify(cwd)} to start it in`
      : code === 'ENOENT'
        ? 'there is no such command; check the name and PATH'
        : cause instanceof Error
          ? cause.message
          : String(cause)
  return { kind: 'refused', message: `${command}: could not be started: ${why}.`, mayHaveRun: false, cause }
}

function invalid(message: string): TransportError {
  return new TransportError('invalid_option', `stdio client: ${message}.`)
}
