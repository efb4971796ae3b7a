/** Starts copies of this program: the same command line, marked as members by one variable of their environment. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Program } from '#actors/fleet'
import { type FromMember, opened, type ToMember } from '#actors/member-messages'
import { MEMBER_VARIABLE } from './channel.ts'

/** A debugger's port is taken by the first process that asks for it. */
const INSPECTOR = /^--inspect/

/** Starts member `index`; `listen` gets what it says. Never throws: a copy that cannot be started ends at once. */
export function startProgram(index: number, listen: (message: FromMember) => void): Program {
  const options = process.execArgv.filter((option) => !INSPECTOR.test(option))
  const child = spawn(process.execPath, [...options, ...process.argv.slice(1)], {
    env: { ...process.env, [MEMBER_VARIABLE]: String(index) },
    // The primary alone reads standard input.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
    windowsHide: true,
  })
  child.on('message', (wrapped: unknown) => {
    const message = opened<FromMember>(wrapped)
    if (message !== undefined) listen(message)
  })
  return new ChildProgram(child)
}

class ChildProgram implements Program {
  readonly ended: Promise<string>
  isAlive = true
  readonly #child: ChildProcess

  constructor(child: ChildProcess) {
    this.#child = child
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.isAlive = false
        resolve(how)
      }
      child.once('exit', (status, signal) => end(signal ?? `status ${status}`))
      // Also what concerns a message alone, to a copy that is ending.
      child.on('error', (error) => {
        if (child.pid === undefined) end(error.message)
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  send(message: ToMember, socket?: Socket): void {
    if (!this.#child.connected) return
    // What does not arrive is seen by the end of the copy.
    const sent = (): void => undefined
    if (socket === undefined) this.#child.send({ bough: message }, sent)
    else this.#child.send({ bough: message }, socket, { keepOpen: true }, sent)
  }

  kill(signal: 'SIGKILL' | 'SIGTERM'): void {
    this.#child.kill(signal)
  }
}
