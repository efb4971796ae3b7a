/**
 * A member's end of the channel to its primary. It answers what has to be answered at once (is it alive) and hands the rest on.
 * When the channel closes, the primary has gone.
 */
import type { Socket } from 'node:net'
import { type Address, type FromMember, opened, type ToMember, type Welcome } from '#actors/member-messages'

/** The environment variable that makes a copy of the program a member: its index. */
export const MEMBER_VARIABLE = 'BOUGH_MEMBER'

type Bound = { readonly port: number } | { readonly code: string; readonly message: string }

export interface ChannelListener {
  /** Connections that are open. */
  readonly connections: number
  /** A connection; false when nobody takes it. */
  connection(door: string, socket: Socket, head: Uint8Array | undefined): boolean
  /** Anything else. */
  message(message: ToMember): void
  /** The primary has gone. */
  closed(): void
}

/** Whether this program was started as a member, and has not made use of that yet. */
export function isMember(): boolean {
  return process.env[MEMBER_VARIABLE] !== undefined && process.send !== undefined
}

// Of the whole program, as its environment and its channel are.
let isClaimed = false

/** From now on this program is a primary or a member. Throws when it is one already. Returns what takes that back. */
export function claimProcesses(): () => void {
  if (isClaimed)
    throw new Error(
      'serve: this program serves by several processes already, and its copies could not tell which serve() is theirs. ' +
        'Leave out processes in all but one, or start another program.',
    )
  isClaimed = true
  return () => {
    isClaimed = false
  }
}

export class MemberChannel {
  listener: ChannelListener | undefined
  readonly #bindings = new Map<number, (bound: Bound) => void>()
  #lastNumber = 0
  #welcomed: ((welcome: Welcome) => void) | undefined

  /** Says hello; resolves when the primary has answered. */
  start(): Promise<Welcome> {
    // A program that a tool starts is no member.
    delete process.env[MEMBER_VARIABLE]
    process.on('message', this.#onMessage)
    // It is what keeps a member alive, whatever the program did to it before.
    process.channel?.ref()
    process.once('disconnect', () => this.listener?.closed())
    return new Promise((resolve) => {
      this.#welcomed = resolve
      this.send({ type: 'hello' })
    })
  }

  get isOpen(): boolean {
    return process.connected
  }

  /** `sent` is called when the message has left, or never will. */
  send(message: FromMember, sent: () => void = () => undefined): void {
    // A primary that has gone is noticed by the end of the channel.
    if (process.connected) process.send?.({ bough: message }, undefined, undefined, sent)
    else sent()
  }

  /** Asks the primary to listen there. */
  bind(address: Address): Promise<Bound> {
    const number = ++this.#lastNumber
    return new Promise((resolve) => {
      this.#bindings.set(number, resolve)
      this.send({ type: 'bind', number, address })
    })
  }

  readonly #onMessage = (wrapped: unknown, handle: unknown): void => {
    const message = opened<ToMember>(wrapped)
    if (message === undefined) return
    switch (message.type) {
      case 'welcome':
        return this.#welcomed?.(message.welcome)
      case 'bound':
      case 'not_bound': {
        this.#bindings.get(message.number)?.(message)
        this.#bindings.delete(message.number)
        return
      }
      case 'connection': {
        // It comes without its socket when the client left on the way.
        const socket = handle as Socket | undefined
        const isTaken = socket === undefined || this.listener?.connection(message.door, socket, message.head) === true
        this.send({ type: 'taken', number: message.number, isTaken, connections: this.listener?.connections ?? 0 })
        // Only this copy is closed: the primary still has the connection and finds another member.
        if (!isTaken) socket?.destroy()
        return
      }
      default:
        this.listener?.message(message)
    }
  }
}
