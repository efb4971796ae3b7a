/**
 * Scenarios of a gen_statem and how bough plays them. An event brings its own reactions, so one machine plays all machines.
 * After each command both sides say: the answer, and what calls have come to | what was handled, in order | the state.
 *
 *     sent 0=yes | cast:e1@s1 enter:s1>s2 call:e2@s2 | s2
 */
import {
  type Action,
  CallError,
  cancel,
  defineStateMachine,
  eventTimeout,
  keep,
  type MachineEvent,
  type MachineSelf,
  next,
  nextEvent,
  postpone,
  type Ref,
  repeat,
  reply,
  stateTimeout,
  stop,
  sys,
  timeout,
  update,
} from 'bough/runtime'
import { createSimulation, type Simulation } from 'bough/testing'
import { describeEnd, type ReasonName, reasonNamed } from './words.ts'

export type State = 's1' | 's2' | 's3'
/** `t1` and `t2` are generic time-outs. */
export type Timer = 'state_timeout' | 'event_timeout' | 't1' | 't2'
/** Milliseconds: at once, or longer than a scenario takes; or never, which cancels. */
export type Time = 0 | 1_000_000 | 'infinity'
export type ScriptedAction =
  | readonly ['reply', 'yes' | 'no']
  | readonly ['postpone']
  | readonly ['next_event', 'internal' | 'cast' | 'info', Event]
  | readonly ['start', Timer, Time, Event]
  | readonly ['cancel', Timer]
  | readonly ['update', Timer, Event]
export type Result = 'keep' | 'repeat' | 'error' | readonly ['next', State] | readonly ['stop', ReasonName]
export type Reaction = readonly [state: State, result: Result, actions: readonly ScriptedAction[]]
export type Event = readonly [tag: string, reactions: readonly Reaction[]]
export type Command =
  | readonly ['call' | 'cast' | 'info', Event]
  | readonly ['stop', ReasonName]
  | readonly ['batch', commands: readonly Command[]]

export interface StatemScenario {
  /** Of the start. */
  readonly actions: readonly ScriptedAction[]
  readonly enters: readonly Reaction[]
  readonly commands: readonly Command[]
  readonly seed: number
}

/** Events that the machine handles as they say, in one command. */
const FUEL = 25

/** Plays a scenario with bough; a line for the start and for each command. */
export async function playWithBough({ actions, enters, commands, seed }: StatemScenario): Promise<string[]> {
  const sim = createSimulation({ seed, traceLinesMax: 0 })
  const world: World = { sim, enters, fuel: FUEL, notes: [], answers: [], calls: 0, end: 'no end' }
  const machine = await sim.start(Machine, { world, actions })
  const seen = [await rest(world, machine, 'ok')]
  for (const command of commands) {
    world.fuel = FUEL
    seen.push(await rest(world, machine, await run(world, machine, command)))
  }
  return seen
}

// ---- the machine ------------------------------------------------------------------------------------------------------

interface World {
  readonly sim: Simulation
  readonly enters: readonly Reaction[]
  readonly notes: string[]
  readonly answers: { readonly number: number; readonly said: string }[]
  fuel: number
  calls: number
  end: string
}

const Machine = defineStateMachine({
  name: 'machine',
  stateEnter: true,
  init: ({ world, actions }: { world: World; actions: readonly ScriptedAction[] }, self: MachineSelf<never, never>) => {
    void self.ref.down.then((reason) => {
      world.end = describeEnd(reason)
    })
    return { state: 's1', data: world, actions: actions.map(actionOf) }
  },
  handle: (event, state, world) => {
    if (event.type === 'enter') {
      world.notes.push(`enter:${String(event.previous)}>${state}`)
      return react(world, event, state as State, world.enters)
    }
    const [tag, reactions] = scripted(event)
    world.notes.push(`${typeOf(event)}:${tag}@${state}`)
    return react(world, event, state as State, reactions)
  },
  terminate: ({ state, data }, reason) => {
    data.notes.push(`terminate:${describeEnd(reason)}@${state}`)
  },
})

function react(world: World, event: MachineEvent, state: State, reactions: readonly Reaction[]): unknown {
  const reaction = reactions.find(([within]) => within === state)
  if (--world.fuel < 0 || reaction === undefined) return keep()
  const [, result, given] = reaction
  const actions = given.filter((action) => isPossible(action, event)).map(actionOf)
  if (result === 'keep') return keep(...actions)
  if (result === 'repeat') return repeat(...actions)
  if (result === 'error') throw new Error('oops')
  if (result[0] === 'next') return next(result[1], ...actions)
  const replies = given.flatMap((action) => (action[0] === 'reply' && event.type === 'call' ? [reply(action[1])] : []))
  return stop(reasonNamed(result[1]), ...replies)
}

function isPossible([type]: ScriptedAction, event: MachineEvent): boolean {
  if (type === 'reply') return event.type === 'call'
  return event.type !== 'enter' || (type !== 'postpone' && type !== 'next_event')
}

function actionOf(action: ScriptedAction): Action {
  switch (action[0]) {
    case 'reply':
      return reply(action[1])
    case 'postpone':
      return postpone()
    case 'next_event':
      return action[1] === 'info' ? nextEvent('info', action[2]) : nextEvent(action[1], 'event', action[2])
    case 'start': {
      const [, timer, time, event] = action
      const ms = time === 'infinity' ? Number.POSITIVE_INFINITY : time
      if (timer === 'state_timeout') return stateTimeout(ms, event)
      return timer === 'event_timeout' ? eventTimeout(ms, event) : timeout(timer, ms, event)
    }
    case 'cancel': {
      const [, timer] = action
      if (timer === 'state_timeout') return cancel('stateTimeout')
      return timer === 'event_timeout' ? cancel('eventTimeout') : cancel('timeout', timer)
    }
    case 'update': {
      const [, timer, event] = action
      if (timer === 'state_timeout') return update('stateTimeout', event)
      return timer === 'event_timeout' ? update('eventTimeout', event) : update('timeout', timer, event)
    }
  }
}

/** The script in an event that is not 'enter'. */
function scripted(event: MachineEvent): Event {
  if (event.type === 'call' || event.type === 'cast') return event.arg as Event
  if (event.type === 'info') return event.message as Event
  return (event as { readonly content: unknown }).content as Event
}

function typeOf(event: MachineEvent): string {
  if (event.type === 'timeout') return event.name
  if (event.type === 'stateTimeout') return 'state_timeout'
  return event.type === 'eventTimeout' ? 'event_timeout' : event.type
}

// ---- commands ---------------------------------------------------------------------------------------------------------

async function run(world: World, machine: Ref<typeof Machine>, command: Command): Promise<string> {
  switch (command[0]) {
    case 'call': {
      const number = world.calls++
      const note = (said: string): void => {
        world.answers.push({ number, said })
      }
      // The handler of all events has no named operations.
      const asked = (machine as Ref).call('event', command[1], { timeout: Number.POSITIVE_INFINITY })
      asked.then(
        (value) => note(String(value)),
        (error: unknown) => note(refusal(error)),
      )
      return 'asked'
    }
    case 'cast':
      ;(machine as Ref).cast('event', command[1])
      return 'sent'
    case 'info':
      machine.send(command[1])
      return 'sent'
    case 'stop':
      return world.sim.run(machine.stop(reasonNamed(command[1])).then(() => 'ok', refusal))
    case 'batch': {
      if (!machine.alive) return 'noproc'
      await world.sim.run(sys.suspend(machine))
      const said: string[] = []
      for (const one of command[1]) said.push(await run(world, machine, one))
      if (machine.alive) void sys.resume(machine).catch(() => undefined)
      return said.join(', ')
    }
  }
}

async function rest(world: World, machine: Ref<typeof Machine>, said: string): Promise<string> {
  await world.sim.settle()
  const answers = world.answers.splice(0).sort((one, other) => one.number - other.number)
  const state = machine.alive ? ((await world.sim.run(sys.getState(machine))) as { state: State }) : undefined
  const told = answers.map((one) => ` ${one.number}=${one.said}`).join('')
  return `${said}${told} | ${world.notes.splice(0).join(' ')} | ${state?.state ?? `dead ${world.end}`}`
}

function refusal(error: unknown): string {
  if (!(error instanceof CallError)) throw error
  return error.reason === 'noproc' ? 'noproc' : `exit ${describeEnd(error.reason)}`
}
