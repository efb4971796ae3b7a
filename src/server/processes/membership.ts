/**
 * A member as its application sees it: the ways to the other members, the connections that the primary hands over, the private
 * door. One is made when `serve` finds that the program was started as a member.
 */
import { rmdirSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { ToMember, Welcome } from '#actors/member-messages'
import { type MemberQuestion, type MemberQuestions, type Members, markOf } from '#actors/members'
import type { KeyRecord } from '#actors/sealing'
import type { Clock } from '#runtime'
import type { Exchange, Transport } from '#transports/port'
import { type ChannelListener, MemberChannel } from './channel.ts'
import { MemberDoorway } from './door.ts'
import { Link } from './link.ts'
import { privatePath, privateTransport } from './private-transport.ts'

/** Milliseconds between two tries to reach a member that is being restarted. */
const RETRY_MS = 100
/** Milliseconds that a member which does not come back is waited for. */
const PATIENCE_MS = 15_000
/** Changes that wait for members that are away; what is more is not told them. */
const UNTOLD_MAX = 10_000
/** Milliseconds between two looks at what is under way. */
const LOOK_MS = 20

export class Membership implements Members, ChannelListener {
  readonly index: number
  readonly count: number
  readonly mark: string
  readonly channel: MemberChannel
  readonly doorway: MemberDoorway
  /** The private door, to be opened before all others and closed after them. */
  readonly transport: Transport
  /** Answers what other members ask; set when there is an application to ask. */
  answer: ((question: MemberQuestion, argument: unknown) => Promise<unknown>) | undefined
  /** What the primary says beside that. */
  onMessage: ((message: ToMember) => void) | undefined
  /** The primary has gone. */
  onClosed: (() => void) | undefined
  readonly #links: Link[]
  /** What members that are away are to be told when they are back. */
  readonly #untold = new Map<string, Promise<void>>()
  readonly #clock: Clock
  readonly #folder: string
  #keys: readonly KeyRecord[]
  #onKeys: (() => void) | undefined

  constructor(channel: MemberChannel, welcome: Welcome, clock: Clock) {
    const { index, count, folder, secret, keys } = welcome
    this.index = index
    this.count = count
    this.mark = markOf(index)
    this.channel = channel
    this.doorway = new MemberDoorway(channel, this.mark, () => this)
    this.#keys = keys
    this.#clock = clock
    this.#folder = folder
    this.#links = Array.from({ length: count }, (_, other) => new Link(privatePath(folder, other), secret))
    const answer = (question: string, argument: unknown): Promise<unknown> =>
      this.answer?.(question as MemberQuestion, argument) ?? Promise.reject(new Error('This process is being started.'))
    this.transport = privateTransport({ folder, index, secret, answer })
    channel.listener = this
  }

  keys(): readonly KeyRecord[] {
    return this.#keys
  }

  /** Calls `listener` whenever the keys have changed. */
  whenKeysChange(listener: () => void): void {
    this.#onKeys = listener
  }

  forward(exchange: Exchange, owner: number): void {
    this.#link(owner).carry(exchange)
  }

  async ask<Q extends MemberQuestion>(
    owner: number,
    question: Q,
    argument: MemberQuestions[Q],
    isPatient = false,
  ): Promise<unknown> {
    const until = this.#clock.now() + (isPatient ? PATIENCE_MS : 0)
    for (;;) {
      try {
        return await this.#link(owner).ask(question, argument)
      } catch (error) {
        if (this.#clock.now() >= until || !this.channel.isOpen) throw error
        await this.#sleep(RETRY_MS)
      }
    }
  }

  async tell<Q extends MemberQuestion>(question: Q, argument: MemberQuestions[Q]): Promise<void> {
    const others = [...this.#links.keys()].filter((index) => index !== this.index)
    await Promise.allSettled(
      others.map((index) =>
        this.ask(index, question, argument).catch(() => this.#tellLater(index, question, argument)),
      ),
    )
  }

  /** Tells a member that is away when it is back. The same thing is told it once, however often it happened meanwhile. */
  async #tellLater(index: number, question: MemberQuestion, argument: unknown): Promise<void> {
    const key = `${index} ${question} ${JSON.stringify(argument)}`
    const known = this.#untold.get(key)
    if (known !== undefined) return known
    if (this.#untold.size >= UNTOLD_MAX) return
    const tell = async (): Promise<void> => {
      const until = this.#clock.now() + PATIENCE_MS
      while (this.#clock.now() < until && this.channel.isOpen) {
        await this.#sleep(RETRY_MS)
        // What happens from now on is told by itself: this telling may be under way already.
        this.#untold.delete(key)
        try {
          await this.#link(index).ask(question, argument)
          return
        } catch {
          if (!this.#untold.has(key)) this.#untold.set(key, telling)
        }
      }
      if (this.#untold.get(key) === telling) this.#untold.delete(key)
    }
    const telling = tell()
    this.#untold.set(key, telling)
    return telling
  }

  /** Resolves when no exchange of a client of ours is under way elsewhere, or the time is up. */
  async drained(withinMs: number): Promise<void> {
    const until = this.#clock.now() + withinMs
    while (this.#links.some(({ size }) => size > 0) && this.#clock.now() < until) await this.#sleep(LOOK_MS)
  }

  get connections(): number {
    return this.doorway.size
  }

  connection(door: string, socket: Socket, head: Uint8Array | undefined): boolean {
    return this.doorway.take(door, socket, head)
  }

  message(message: ToMember): void {
    if (message.type === 'keys') {
      this.#keys = message.keys
      this.#onKeys?.()
    } else this.onMessage?.(message)
  }

  closed(): void {
    this.onClosed?.()
  }

  close(): void {
    for (const link of this.#links) link.close()
  }

  /** Takes the folder of the sockets away, if nobody else is left who would. */
  leave(): void {
    if (process.platform === 'win32') return
    try {
      rmSync(privatePath(this.#folder, this.index), { force: true })
      rmdirSync(this.#folder)
    } catch {
      // Another member is still in it.
    }
  }

  #link(index: number): Link {
    const link = this.#links[index]
    if (link === undefined) throw new RangeError(`There is no member ${index}; there are ${this.count}.`)
    return link
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#clock.setTimer(resolve, delayMs))
  }
}

/** Takes up the membership that this program was started for. */
export async function join(clock: Clock): Promise<Membership> {
  const channel = new MemberChannel()
  return new Membership(channel, await channel.start(), clock)
}
