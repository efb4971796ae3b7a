/**
 * What the processes of a primary share: a table with a slot for each member, written by the process that keeps it, and how long
 * things may take. A *primary* is a program that serves by copies of itself, its *members*; together they are a fleet.
 */
import type { Socket } from 'node:net'
import type { Report } from '#observability/report'
import type { NameTable } from '#runtime'
import type { Counters } from '#structures/counters'
import type { Handover } from './handover.ts'
import type { Address, FromMember, Load, ToMember } from './member-messages.ts'
import type { KeyRecord } from './sealing.ts'
import type { Services } from './services.ts'

/** A copy of the program that runs. */
export interface Program {
  readonly pid: number
  /** Resolves when it has ended, to how: 'status 1', 'SIGKILL'. */
  readonly ended: Promise<string>
  readonly isAlive: boolean
  /** Sends a message, with a socket if one is given; whether it arrives is seen by what comes back. */
  send(message: ToMember, socket?: Socket): void
  kill(signal: 'SIGKILL' | 'SIGTERM'): void
}

export type StartProgram = (index: number, listen: (message: FromMember) => void) => Program

/** One member, over all its incarnations. */
export interface Slot {
  readonly index: number
  /** 'ready' is when it takes connections. */
  state: 'down' | 'starting' | 'ready' | 'stopping'
  program: Program | undefined
  load: Load
  /** Connections that it has, as it said last; those in `handed` come on top. */
  connections: number
  /** The doors at which it takes connections. */
  readonly doors: Set<string>
  /** Connections that it has not answered for yet. */
  readonly handed: Map<number, HandedConnection>
  /** What failed its start, if it said so. */
  fault: { readonly name: string; readonly code: string | undefined; readonly message: string } | undefined
  /** Called at each change of `state`. */
  readonly watchers: Set<() => void>
}

/** A connection on its way to a member. */
export interface HandedConnection {
  readonly socket: Socket
  readonly door: string
  /** What was read of it. */
  readonly head: Uint8Array | undefined
  /** The member whose session it asks for. */
  readonly owner: number | undefined
  tries: number
}

export interface FleetTimes {
  /** Milliseconds that a member may take to start. */
  readonly startMs: number
  /** Milliseconds between two questions whether a member is alive. */
  readonly beatMs: number
  /** Milliseconds without an answer after which it is killed. */
  readonly silentMs: number
  /** Milliseconds that it may take to drain and end. */
  readonly stopMs: number
}

export interface Fleet {
  readonly slots: readonly Slot[]
  /** The folder of the private sockets, and what opens them. */
  readonly folder: string
  readonly secret: string
  /** What all members seal with, newest first. */
  keys: readonly KeyRecord[]
  /** Where the members are reached. */
  urls: readonly string[]
  /** What is listened on, so that doors which are started anew listen there again. */
  readonly bound: Map<string, Address>
  readonly handover: Handover
  readonly start: StartProgram
  readonly times: FleetTimes
  readonly names: NameTable
  readonly counters: Counters
  readonly report: Report
  /** Health and metrics on a port of their own. */
  outside: Services['outside']
}

export function makeSlot(index: number): Slot {
  return {
    index,
    state: 'down',
    program: undefined,
    load: { connections: 0, metrics: {}, text: '' },
    connections: 0,
    doors: new Set(),
    handed: new Map(),
    fault: undefined,
    watchers: new Set(),
  }
}

export function setState(slot: Slot, state: Slot['state']): void {
  if (slot.state === state) return
  slot.state = state
  for (const watcher of [...slot.watchers]) watcher()
}
