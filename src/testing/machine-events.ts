/**
 * Event sequences for a state machine, from the machine's own words: every event name that its configuration answers to. It
 * looks at the plain configuration of an xstate machine and loads no xstate.
 *
 *     const anyEvents = machineEvents(fc, doorMachine, { payloads: { lock: fc.record({ code: fc.nat() }) } })
 *     await fc.assert(simulated(fc, anyEvents, async (sim, events) => {
 *       const door = await sim.start(Door)
 *       for (const event of events) door.cast('event', event)
 *       ...
 *     }))
 */
import { type Arbitrary, asArbitrary, type FastCheck, type Given } from './fast-check.ts'

export interface MachineEvent {
  readonly type: string
}

/** What is read of a machine. */
export interface MachineShape {
  readonly config: object
}

export interface MachineEventsOptions {
  /** What an event carries beside its type, by type. */
  readonly payloads?: Readonly<Record<string, Given<object>>>
  /** Names beside those of the configuration: events that the machine must bear though it does not know them. */
  readonly strangers?: readonly string[]
  /** Events at most; default 50. */
  readonly maxLength?: number
}

/** Sequences of the machine's events. Throws a `TypeError` when it has none. */
export function machineEvents(
  fc: FastCheck,
  machine: MachineShape,
  options: MachineEventsOptions = {},
): Arbitrary<MachineEvent[]> {
  const { payloads = {}, strangers = [], maxLength = 50 } = options
  const types = [...eventTypes(machine), ...strangers]
  if (types.length === 0)
    throw new TypeError('machineEvents: the machine answers to no event, so there is nothing to send it.')
  const plain = types.filter((type) => payloads[type] === undefined).map((type): MachineEvent => ({ type }))
  const arbitraries = Object.entries(payloads).map(([type, payload]) => {
    if (!types.includes(type))
      throw new TypeError(`machineEvents: the machine has no event "${type}". It has: ${types.join(', ')}.`)
    return asArbitrary(payload).map((rest): MachineEvent => ({ ...rest, type }))
  })
  if (plain.length > 0) arbitraries.unshift(asArbitrary(fc.constantFrom(...plain)))
  return asArbitrary(fc.array(fc.oneof(...arbitraries), { maxLength }))
}

/** The event names of a machine, in the order of its configuration; without wildcards and what xstate sends itself. */
export function eventTypes({ config }: MachineShape): string[] {
  const found = new Set<string>()
  const visit = (node: unknown): void => {
    const { on, states } = (node ?? {}) as { readonly on?: object; readonly states?: object }
    for (const type of Object.keys(on ?? {})) if (!isInternal(type)) found.add(type)
    for (const child of Object.values(states ?? {})) visit(child)
  }
  visit(config)
  return [...found]
}

function isInternal(type: string): boolean {
  return type === '' || type.endsWith('*') || /^(xstate|done|error)\./.test(type)
}
