/**
 * Hands accepted connections to members: to the owner of the session that a connection asks for, where that can be seen, else to
 * one of those with the fewest connections. A connection stays ours too until its member has said that it took it, so that the end of
 * a member loses none of those that were on their way: another one gets them. All of it is bounded: how many are on their way to
 * one member, how many wait for a member at all, how often one is tried.
 */
import type { Socket } from 'node:net'
import type { Random } from '#runtime'
import type { Counters } from '#structures/counters'
import { Ring } from '#structures/ring'
import type { HandedConnection, Slot } from './fleet.ts'

/** Connections on their way to one member; it is behind, and the others are asked first. */
const HANDED_MAX = 256
/** Connections that wait while no member takes any; one more is closed. */
const WAITING_MAX = 10_000
/** Connections that a member may hold more than the one with the fewest, and still be given one: so many, */
const EVEN_SLACK = 8
/** and one for so many of the other's. */
const EVEN_SHARE = 8
/** What is remembered of that a member was given more than others, in connections. */
const LEAD_MAX = 8
/** Members that one connection is offered to. */
const TRIES_MAX = 128

export class Handover {
  readonly #slots: readonly Slot[]
  readonly #counters: Counters
  /** Connections that wait for a member, by door, oldest first. */
  readonly #waiting = new Map<string, Ring<HandedConnection>>()
  #waitingCount = 0
  #lastNumber = 0
  readonly #random: Random
  /** How many connections a member was given more than the others of late. */
  readonly #leads = new Map<number, number>()

  constructor(slots: readonly Slot[], counters: Counters, random: Random) {
    this.#random = random
    this.#slots = slots
    this.#counters = counters
  }

  /** A connection has come in. `owner` is the member that it asks for. */
  arrive(socket: Socket, door: string, owner?: number, head?: Uint8Array): void {
    this.#offer({ socket, door, owner, head, tries: 0 })
  }

  /** A member has said whether it took a connection. */
  answered(slot: Slot, number: number, isTaken: boolean): void {
    const connection = slot.handed.get(number)
    if (connection === undefined) return
    slot.handed.delete(number)
    if (isTaken) {
      // Only our copy is closed.
      connection.socket.destroy()
      this.#counters.add('connections_handed', 1, String(slot.index))
    } else this.#offer(connection)
    this.flush()
  }

  /** A member has ended: what was on its way to it goes to the others. */
  lost(slot: Slot): void {
    const connections = [...slot.handed.values()]
    slot.handed.clear()
    slot.doors.clear()
    for (const connection of connections) this.#offer(connection)
  }

  /** Some member can take more than before. */
  flush(): void {
    if (this.#waitingCount === 0) return
    for (const waiting of this.#waiting.values()) {
      for (let next = waiting.at(0); next !== undefined; next = waiting.at(0)) {
        const slot = this.#pick(next)
        // One that nobody takes is the first of many.
        if (slot === undefined) break
        waiting.shift()
        this.#waitingCount--
        this.#hand(next, slot)
      }
    }
  }

  /** Nobody will take any more. */
  close(): void {
    for (const waiting of this.#waiting.values()) {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next.socket.destroy()
    }
    this.#waitingCount = 0
    for (const slot of this.#slots) {
      for (const { socket } of slot.handed.values()) socket.destroy()
      slot.handed.clear()
    }
  }

  #offer(connection: HandedConnection): void {
    const slot = this.#pick(connection)
    if (slot !== undefined) this.#hand(connection, slot)
    else if (this.#waitingCount < WAITING_MAX && connection.tries < TRIES_MAX) {
      let waiting = this.#waiting.get(connection.door)
      if (waiting === undefined) this.#waiting.set(connection.door, (waiting = new Ring()))
      waiting.push(connection)
      this.#waitingCount++
    } else {
      this.#counters.add('connections_dropped')
      connection.socket.destroy()
    }
  }

  #hand(connection: HandedConnection, slot: Slot): void {
    const number = ++this.#lastNumber
    connection.tries++
    slot.handed.set(number, connection)
    const { door, head, socket } = connection
    slot.program?.send({ type: 'connection', number, door, head }, socket)
  }

  #pick({ door, owner, tries }: HandedConnection): Slot | undefined {
    if (tries >= TRIES_MAX) return undefined
    const owning = owner === undefined ? undefined : this.#slots[owner]
    if (owning !== undefined && takes(owning, door)) return owning
    const fit = this.#slots.filter((slot) => takes(slot, door))
    const least = Math.min(...fit.map(load))
    // Connections that only wait are no load: a member that holds a few more of them is as good.
    const even = fit.filter((slot) => load(slot) <= least + EVEN_SLACK + least / EVEN_SHARE)
    const lowest = Math.min(...even.map(({ index }) => this.#lead(index)))
    const behind = even.filter(({ index }) => this.#lead(index) === lowest)
    // Chance decides between equals: a client that opens as many connections at a time as there are members would otherwise meet
    // the same one with its first, for ever.
    const slot = behind[Math.floor(this.#random.next() * behind.length)]
    if (slot !== undefined) this.#leads.set(slot.index, Math.min(lowest + 1, LEAD_MAX))
    if (lowest > 0) for (const { index } of even) this.#leads.set(index, this.#lead(index) - lowest)
    return slot
  }

  #lead(index: number): number {
    return this.#leads.get(index) ?? 0
  }
}

function takes({ state, doors, handed }: Slot, door: string): boolean {
  return state === 'ready' && doors.has(door) && handed.size < HANDED_MAX
}

function load({ connections, handed }: Slot): number {
  return connections + handed.size
}
