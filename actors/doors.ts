/**
 * The doors are the sockets that a primary listens on for its members: opened when the first member asks for an address, kept over
 * the end of any of them. Each accepted connection goes to the hand-over, unread.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { type ChildSpec, type Clock, child, defineActor, type Ref, type Self, via } from '#runtime'
import { listenOn } from '#transports/network'
import { TransportError } from '#transports/port'
import { firstBytes, ownerAskedFor } from './first-bytes.ts'
import type { Fleet } from './fleet.ts'
import type { Address } from './member-messages.ts'

/** Connections of one door whose first bytes are waited for; one more is handed over unread. */
const LOOKING_MAX = 10_000
/** Doors that one program may have. */
const DOORS_MAX = 16

interface State {
  readonly fleet: Fleet
  readonly clock: Clock
  readonly doors: Map<string, Door>
}

interface Door {
  readonly address: Address
  readonly server: Server
  /** Where it listens; rejects when it cannot. */
  port: Promise<number> | undefined
}

/** Where a door is, or why it could not be opened. */
export type Bound = { readonly port: number } | { readonly code: string; readonly message: string }

export const Doors = defineActor({
  name: 'doors',
  trapExits: true,
  init: async (fleet: Fleet, self: Self<never>): Promise<State> => {
    const state: State = { fleet, clock: self.system.clock, doors: new Map() }
    // Killed, it has no last words, but its ports must be free for the next incarnation.
    self.signal.addEventListener('abort', () => closeAll(state), { once: true })
    for (const address of fleet.bound.values()) await open(state, address)
    return state
  },
  call: {
    bind: async (state, address: Address): Promise<Bound> => {
      try {
        return { port: await open(state, address) }
      } catch (error) {
        if (error instanceof TransportError) return { code: error.code, message: error.message }
        throw error
      }
    },
    /** Accepts no more. */
    close: (state) => closeAll(state),
  },
  terminate: (state) => closeAll(state),
})

/** The port of a door, opened if it is not yet. Every member asks for the same doors, and several at once. */
async function open(state: State, address: Address): Promise<number> {
  const { doors, fleet } = state
  const { name, host } = address
  const known = doors.get(name)
  if (known === undefined) {
    if (doors.size >= DOORS_MAX)
      throw new TransportError('invalid_option', `${name}: several processes may listen on ${DOORS_MAX} ports.`)
    const door: Door = { address, server: doorServer(state, address), port: undefined }
    doors.set(name, door)
    door.port = listenOn(door.server, name, address)
    try {
      fleet.bound.set(name, { ...address, port: await door.port })
    } catch (error) {
      doors.delete(name)
      throw error
    }
    return door.port
  }
  const port = (await known.port) ?? 0
  if (known.address.host === host && (address.port === port || address.port === known.address.port)) return port
  const there = `${known.address.host} port ${port}, not ${host} port ${address.port}`
  throw new TransportError(
    'invalid_option',
    `${name}: all processes of a server listen at one place, which is ${there}.`,
  )
}

function doorServer({ fleet, clock }: State, { name, isPlainHttp }: Address): Server {
  const { handover } = fleet
  let looking = 0
  return createServer({ pauseOnConnect: true, highWaterMark: 1 }, (socket) => {
    // Node would have its members report the end of each connection; they keep count themselves.
    ;(socket as Socket & { server?: unknown }).server = undefined
    socket.on('error', () => {})
    if (!isPlainHttp || looking >= LOOKING_MAX) return handover.arrive(socket, name)
    looking++
    let isLooking = true
    const looked = (): void => {
      if (isLooking) looking--
      isLooking = false
    }
    socket.once('close', looked)
    firstBytes(socket, clock, (head) => {
      looked()
      handover.arrive(socket, name, ownerAskedFor(head), head)
    })
  })
}

function closeAll({ doors, fleet }: State): void {
  for (const { server } of doors.values()) server.close()
  doors.clear()
  fleet.handover.close()
}

/** Opens a door, or finds it open. */
export async function bindDoor({ names }: Fleet, address: Address): Promise<Bound> {
  try {
    return (await via<typeof Doors>(names, 'doors').call('bind', address)) as Bound
  } catch {
    return { code: 'address_unavailable', message: `${address.name}: the primary could not be asked to listen.` }
  }
}

/** Takes no more connections. */
export async function closeDoors({ names }: Fleet): Promise<void> {
  await (via<typeof Doors>(names, 'doors') as Ref<typeof Doors>).call('close').catch(() => undefined)
}

export function doorsChild(fleet: Fleet): ChildSpec {
  return child(Doors, fleet, { id: 'doors', name: via(fleet.names, 'doors') })
}
