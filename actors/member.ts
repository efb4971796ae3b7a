/**
 * A member, as its primary sees it: one process for one copy of the program. It starts the copy, tells it what it must know,
 * asks whether it is alive, and ends with it; its supervisor then starts another. A copy that takes too long to start, or does
 * not answer, is killed. Ended in order, it lets the copy drain first.
 */
import { type ChildSpec, child, defineActor, type ExitReason, type Self, via } from '#runtime'
import { bindDoor } from './doors.ts'
import { type Fleet, type Program, type Slot, setState } from './fleet.ts'
import type { FromMember } from './member-messages.ts'
import type { KeyRecord } from './sealing.ts'

/** Keys that are kept; the newest seals. */
const KEYS_MAX = 8
/** Milliseconds beyond `stopMs` that a killed copy may take to be gone. */
const KILL_MS = 5_000

interface State {
  readonly fleet: Fleet
  readonly slot: Slot
  readonly program: Program
  /** When it last answered. */
  aliveAt: number
  lastNumber: number
}

type Note =
  | { readonly type: 'said'; readonly message: FromMember }
  | { readonly type: 'ended'; readonly how: string }
  | { readonly type: 'late' }
  | { readonly type: 'beat' }

export const Member = defineActor({
  name: 'member',
  trapExits: true,
  init: ({ fleet, index }: { fleet: Fleet; index: number }, self: Self<never>): State => {
    const slot = fleet.slots[index]
    if (slot === undefined) throw new RangeError(`There is no slot ${index}.`)
    const { ref } = self
    const program = fleet.start(index, (message) => ref.send({ type: 'said', message } satisfies Note))
    void program.ended.then((how) => ref.send({ type: 'ended', how } satisfies Note))
    slot.program = program
    slot.load = { connections: 0, metrics: {}, text: '' }
    slot.connections = 0
    setState(slot, 'starting')
    self.signal.addEventListener('abort', () => over(fleet, slot, program), { once: true })
    self.sendAfter(fleet.times.startMs, { type: 'late' } satisfies Note)
    return { fleet, slot, program, aliveAt: self.now(), lastNumber: 0 }
  },
  cast: {
    /** Lets the copy drain and end; the supervisor starts another. */
    replace: ({ slot, program }) => {
      setState(slot, 'stopping')
      program.send({ type: 'stop' })
    },
  },
  info: (state, message, self) => {
    const note = message as Note | { readonly type: 'EXIT'; readonly reason: ExitReason }
    const { slot, program, fleet } = state
    switch (note.type) {
      case 'said':
        return hear(state, note.message, self)
      case 'late':
        if (slot.state !== 'starting') return
        throw new Error(
          `Member ${slot.index} (process ${program.pid}) did not serve within ${fleet.times.startMs} ms. ` +
            'Every copy of the program must come to the same serve(); raise processes.startMs if it takes long.',
        )
      case 'beat':
        return beat(state, self)
      case 'ended': {
        const wasMeant = slot.state === 'stopping'
        if (wasMeant) return self.stop('normal')
        throw new Error(`Member ${slot.index} (process ${program.pid}) ended with ${note.how}.`)
      }
      case 'EXIT':
        return self.stop(note.reason)
    }
  },
  terminate: async ({ fleet, slot, program }, _reason, self) => {
    if (!program.isAlive) return
    if (slot.state !== 'stopping') program.send({ type: 'stop' })
    setState(slot, 'stopping')
    const { clock } = self.system
    const timer = clock.setTimer(() => program.kill('SIGKILL'), fleet.times.stopMs)
    await program.ended
    clock.clearTimer(timer)
  },
})

function hear(state: State, message: FromMember, self: Self<State>): void {
  const { fleet, slot, program } = state
  const { folder, secret, slots } = fleet
  state.aliveAt = self.now()
  switch (message.type) {
    case 'hello': {
      const welcome = { index: slot.index, count: slots.length, folder, secret, keys: fleet.keys }
      return program.send({ type: 'welcome', welcome })
    }
    case 'bind': {
      const { number, address } = message
      void bindDoor(fleet, address).then((bound) => {
        if ('code' in bound) return program.send({ type: 'not_bound', number, ...bound })
        slot.doors.add(address.name)
        program.send({ type: 'bound', number, port: bound.port })
        fleet.handover.flush()
      })
      return
    }
    case 'shut':
      slot.doors.delete(message.door)
      return
    case 'taken':
      slot.connections = message.connections
      return fleet.handover.answered(slot, message.number, message.isTaken)
    case 'ready':
      fleet.urls = message.urls
      share(fleet, message.keys)
      setState(slot, 'ready')
      fleet.handover.flush()
      return beat(state, self)
    case 'failed':
      slot.fault = message
      return
    case 'alive':
      slot.load = message.load
      slot.connections = message.load.connections
      return
    case 'stopping':
      return setState(slot, 'stopping')
  }
}

/** Asks whether it is alive, and gives it up when it has not said anything for too long. */
function beat(state: State, self: Self<State>): void {
  const { fleet, slot, program } = state
  const { beatMs, silentMs } = fleet.times
  const silentForMs = self.now() - state.aliveAt
  if (silentForMs > silentMs && slot.state === 'ready') {
    program.kill('SIGKILL')
    throw new Error(`Member ${slot.index} (process ${program.pid}) has not answered for ${Math.round(silentForMs)} ms.`)
  }
  program.send({ type: 'beat', number: ++state.lastNumber })
  self.sendAfter(beatMs, { type: 'beat' } satisfies Note)
}

/** Keys that a member found in its store are everybody's. */
function share(fleet: Fleet, found: readonly KeyRecord[]): void {
  const known = new Map([...fleet.keys, ...found].map((key) => [key.id, key]))
  if (known.size === fleet.keys.length) return
  fleet.keys = [...known.values()].sort((one, other) => other.createdAt - one.createdAt).slice(0, KEYS_MAX)
  for (const { state, program } of fleet.slots) {
    if (state !== 'down') program?.send({ type: 'keys', keys: fleet.keys })
  }
}

/** The process of a member has ended, however: its copy must not live on. */
function over(fleet: Fleet, slot: Slot, program: Program): void {
  if (program.isAlive) program.kill('SIGKILL')
  slot.program = undefined
  setState(slot, 'down')
  fleet.handover.lost(slot)
}

/** Milliseconds before a member is started anew, longer each time in a row. */
const BACKOFF = { min: 50, max: 5_000, factor: 2 }

export function memberChild(fleet: Fleet, index: number): ChildSpec {
  return child(
    Member,
    { fleet, index },
    {
      id: `member-${index}`,
      name: via(fleet.names, `member-${index}`),
      shutdown: fleet.times.stopMs + KILL_MS,
      backoff: BACKOFF,
    },
  )
}
