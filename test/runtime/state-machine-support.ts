/** A state machine for tests that writes down what it handles and in which state, and reacts as the test says. */
import { defineStateMachine, type MachineEvent, type Ref, type StartOptions, sys } from 'bough/runtime'
import type { World } from './support.ts'

export interface Probe {
  /** By event, or by state and event (`b go`): what the handler returns. */
  readonly reactions: Readonly<Record<string, (self: { now(): number }, event: MachineEvent) => unknown>>
  readonly stateEnter?: boolean
  readonly postponedMax?: number
  readonly log: string[]
}

/** How a log names an event: `go`, `hello`, `internal go 1`, `stateTimeout late`, `timeout retry 2`, `enter from a`. */
function nameOf(event: MachineEvent): string {
  if (event.type === 'enter') return `enter from ${String(event.previous)}`
  if (event.type === 'call') return `call ${event.op}`
  if (event.type === 'cast') return event.op
  if (event.type === 'info') return String(event.message)
  const words = [event.type, 'name' in event ? event.name : '', String(event.content ?? '')]
  return words.filter((word) => word !== '').join(' ')
}

/** Starts a machine in state 'a' whose data is the log. `casts` are sent together once it has come to rest. */
export async function play(
  sim: World,
  reactions: Probe['reactions'],
  options: Partial<Probe> & StartOptions & { readonly casts?: readonly string[] } = {},
): Promise<{ ref: Ref; log: string[] }> {
  const { stateEnter = false, postponedMax = 1_000, casts = [], mailbox, log = [] } = options
  const definition = defineStateMachine({
    name: 'probe',
    stateEnter,
    postponedMax,
    init: () => ({ state: 'a', data: log }),
    handle: (event, state, _log, self) => {
      const name = nameOf(event)
      log.push(`${name} in ${String(state)}`)
      return (reactions[`${String(state)} ${name}`] ?? reactions[name])?.(self, event)
    },
    terminate: ({ state }, reason) => {
      log.push(`end in ${String(state)}: ${reason instanceof Error ? reason.message : String(reason)}`)
    },
  })
  const ref: Ref = await sim.start(definition, undefined, mailbox === undefined ? {} : { mailbox })
  await sim.settle()
  for (const op of casts) ref.cast(op)
  await sim.settle()
  return { ref, log }
}

export async function stateOf(sim: World, ref: Ref): Promise<unknown> {
  return ((await sim.run(sys.getState(ref))) as { readonly state: unknown }).state
}
