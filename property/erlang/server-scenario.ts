/**
 * Scenarios of gen_servers and how bough plays them. After each command both sides say: the answer, and what earlier calls
 * have come to since | for each process its links/monitors, or the reason of its end, and what it noted.
 *
 *     sent 0=late | p1(1/0)[EXIT q2 boom] q2(dead boom)[terminate boom]
 */
import { CallError, defineActor, type ExitReason, ignore, type Ref, type Self, StartError, sys } from 'bough/runtime'
import { createSimulation, type Simulation } from 'bough/testing'
import { describeEnd, type ReasonName, reasonNamed } from './words.ts'

export type Outcome = 'ok' | 'continue' | 'fail' | 'exit' | 'error' | 'ignore'

/** What both calls and casts may ask for. */
type Fatal = readonly ['exit', ReasonName] | readonly ['error']
export type CallOp =
  | Fatal
  | readonly ['reply' | 'noreply' | 'reply_early']
  | readonly ['reply_continue', count: number]
  | readonly ['stop_reply' | 'stop_noreply', ReasonName]
  | readonly ['ask', id: string, op: CallOp]
  | readonly ['start', id: string, outcome: Outcome, trap: boolean]
export type CastOp =
  | Fatal
  | readonly ['note' | 'release' | 'demonitor']
  | readonly ['continue', count: number]
  | readonly ['stop', ReasonName]
  | readonly ['manner', Manner]
  | readonly ['trap', boolean]
  | readonly ['link' | 'unlink' | 'monitor', id: string]
  | readonly ['signal', id: string, ReasonName]
/** How `terminate` ends. */
export type Manner = 'ok' | 'exit' | 'error'
export type Command =
  | readonly ['start', id: string, parent: string, outcome: Outcome, trap: boolean]
  | readonly ['call', id: string, op: CallOp]
  | readonly ['cast', id: string, op: CastOp]
  | readonly ['info', id: string, text: string]
  | readonly ['signal' | 'stop', id: string, reason: ReasonName]
  | readonly ['batch', id: string, commands: readonly Command[]]

export interface ServerScenario {
  readonly processes: readonly (readonly [id: string, trap: boolean])[]
  readonly commands: readonly Command[]
  /** Of bough's interleaving. */
  readonly seed: number
}

/** Plays a scenario with bough; a line for the start and for each command. */
export async function playWithBough(scenario: ServerScenario): Promise<string[]> {
  const world = new World(scenario.seed)
  for (const [id, trap] of scenario.processes) await world.run(['start', id, 'none', 'ok', trap])
  const seen = [await world.rest('ok')]
  for (const command of scenario.commands) seen.push(await world.rest(await world.run(command)))
  return seen
}

// ---- the server -------------------------------------------------------------------------------------------------------

interface Life {
  readonly world: World
  readonly id: string
  readonly outcome: Outcome
  readonly trap: boolean
}

interface State {
  readonly world: World
  readonly notes: string[]
  waiting: Self['from'][]
  manner: Manner
  readonly monitors: number[]
}

const Server = defineActor({
  name: 'server',
  init: ({ world, id, outcome, trap }: Life, self: Self<never>) => {
    if (outcome === 'fail') throw 'sorry'
    if (outcome === 'exit') throw 'bad'
    if (outcome === 'error') throw new Error('oops')
    if (outcome === 'ignore') return ignore
    self.trapExits(trap)
    if (outcome === 'continue') self.continueWith('go', 2)
    const state: State = { world, notes: world.enter(id, self.ref), waiting: [], manner: 'ok', monitors: [] }
    return state
  },
  call: { do: (state, op: CallOp, self) => answer(state, op, self) },
  cast: { do: (state, op: CastOp, self) => act(state, op, self) },
  continue: {
    go: (state, count: number, self) => {
      state.notes.push(`continue ${count}`)
      if (count > 0) self.continueWith('go', count - 1)
    },
  },
  info: (state, message, self) => {
    if (typeof message === 'string') {
      if (message === 'stop') self.stop()
      else state.notes.push(`info ${message}`)
    } else {
      const { type, ref, reason } = message as { type: string; ref: Ref | null; reason: ExitReason }
      state.notes.push(`${type} ${state.world.nameOf(ref)} ${describeEnd(reason)}`)
    }
  },
  terminate: (state, reason) => {
    state.notes.push(`terminate ${describeEnd(reason)}`)
    if (state.manner === 'exit') throw 'worse'
    if (state.manner === 'error') throw new Error('worse')
  },
})

function answer(state: State, op: CallOp, self: Self<State>): unknown {
  switch (op[0]) {
    case 'reply':
      state.notes.push('call')
      return 'value'
    case 'noreply':
      state.notes.push('call noreply')
      state.waiting.push(self.from)
      return self.noreply
    case 'reply_early':
      self.from.reply('early')
      return 'ignored'
    case 'reply_continue':
      state.notes.push('call')
      self.continueWith('go', op[1])
      return 'value'
    case 'stop_reply':
      self.stop(reasonNamed(op[1]))
      return 'last words'
    case 'stop_noreply':
      self.stop(reasonNamed(op[1]))
      return self.noreply
    case 'exit':
      throw reasonNamed(op[1])
    case 'error':
      throw new Error('oops')
    case 'ask':
      return state.world
        .ref(op[1])
        .call('do', op[2], { timeout: Number.POSITIVE_INFINITY })
        .then((value) => `asked ${String(value)}`)
    case 'start': {
      const [, id, outcome, trap] = op
      return self.start(Server, { world: state.world, id, outcome, trap }).then(
        (started) => (started === undefined ? 'ignored' : 'ok'),
        (error: StartError) => `failed ${describeEnd(error.reason)}`,
      )
    }
  }
}

function act(state: State, op: CastOp, self: Self<State>): void {
  const { world, notes, monitors } = state
  switch (op[0]) {
    case 'note':
      notes.push('cast')
      break
    case 'continue':
      notes.push('cast')
      self.continueWith('go', op[1])
      break
    case 'release':
      for (const from of state.waiting.reverse()) {
        from.reply('late')
        from.reply('later')
      }
      state.waiting = []
      break
    case 'stop':
      self.stop(reasonNamed(op[1]))
      break
    case 'exit':
      throw reasonNamed(op[1])
    case 'error':
      throw new Error('oops')
    case 'manner':
      state.manner = op[1]
      break
    case 'trap':
      self.trapExits(op[1])
      break
    case 'link':
      notes.push('link')
      self.link(world.ref(op[1]))
      break
    case 'unlink':
      self.unlink(world.ref(op[1]))
      break
    case 'monitor':
      // OTP makes no monitor of the process itself. bough counts one; the difference shows in that count alone.
      monitors.push(world.ref(op[1]).pid === self.pid ? -1 : self.monitor(world.ref(op[1])))
      break
    case 'demonitor': {
      const last = monitors.pop()
      if (last !== undefined) self.demonitor(last)
      break
    }
    case 'signal':
      notes.push('signal')
      world.ref(op[1]).exit(reasonNamed(op[2]))
      break
  }
}

// ---- the world --------------------------------------------------------------------------------------------------------

interface Known {
  readonly name: string
  readonly id: string
  readonly ref: Ref<typeof Server>
  readonly notes: string[]
  end: string
}

class World {
  private readonly sim: Simulation
  private readonly known = new Map<string, Known>()
  private readonly latest = new Map<string, Known>()
  private calls = 0
  private answers: { readonly number: number; readonly said: string }[] = []

  constructor(seed: number) {
    this.sim = createSimulation({ seed, traceLinesMax: 0 })
  }

  enter(id: string, ref: Ref): string[] {
    // The ref of a Server's own self is one of its definition.
    const typed = ref as unknown as Ref<typeof Server>
    const known: Known = { name: `${id}${this.known.size + 1}`, id, ref: typed, notes: [], end: 'no end' }
    void ref.down.then((reason) => {
      known.end = describeEnd(reason)
    })
    this.known.set(ref.pid, known)
    this.latest.set(id, known)
    return known.notes
  }

  ref(id: string): Ref<typeof Server> {
    return this.latest.get(id)!.ref
  }

  /** A signal from code that is no process has no ref. */
  nameOf(ref: Ref | null): string {
    return ref === null ? 'stranger' : this.known.get(ref.pid)!.name
  }

  async run(command: Command): Promise<string> {
    const { sim } = this
    const ref = this.latest.get(command[1])?.ref
    switch (command[0]) {
      case 'start': {
        const [, id, parent, outcome, trap] = command
        if (ref?.alive) return 'running'
        if (parent !== 'none') return this.call(parent, ['start', id, outcome, trap])
        try {
          return (await sim.start(Server, { world: this, id, outcome, trap })) === undefined ? 'ignored' : 'ok'
        } catch (error) {
          if (error instanceof StartError) return `failed ${describeEnd(error.reason)}`
          throw error
        }
      }
      case 'call':
        return this.call(command[1], command[2])
      case 'cast':
        ref?.cast('do', command[2])
        return 'sent'
      case 'info':
        ref?.send(command[2])
        return 'sent'
      case 'signal':
        ref?.exit(reasonNamed(command[2]))
        return 'sent'
      case 'stop':
        return sim.run(ref!.stop(reasonNamed(command[2])).then(() => 'ok', refusal))
      case 'batch': {
        if (!ref?.alive) return 'noproc'
        await sim.run(sys.suspend(ref))
        const said: string[] = []
        for (const one of command[2]) {
          said.push(await this.run(one))
          await sim.settle()
        }
        if (ref.alive) void sys.resume(ref).catch(() => undefined)
        return said.join(', ')
      }
    }
  }

  /** Asks and does not wait: the answer is told when it is there. */
  private call(id: string, op: CallOp): string {
    const number = this.calls++
    const note = (said: string): void => {
      this.answers.push({ number, said })
    }
    this.ref(id)
      .call('do', op, { timeout: Number.POSITIVE_INFINITY })
      .then(
        (value) => note(String(value)),
        (error: unknown) => note(refusal(error)),
      )
    return 'asked'
  }

  async rest(said: string): Promise<string> {
    await this.sim.settle()
    const answers = this.answers.splice(0).sort((one, other) => one.number - other.number)
    const shown: string[] = []
    for (const known of this.known.values()) {
      const notes = known.notes.splice(0)
      if (this.latest.get(known.id) !== known && notes.length === 0) continue
      const info = known.ref.info()
      const state = info === undefined ? `dead ${known.end}` : `${info.links}/${info.monitors}`
      shown.push(`${known.name}(${state})[${notes.join(', ')}]`)
    }
    return `${said}${answers.map((one) => ` ${one.number}=${one.said}`).join('')} | ${shown.join(' ')}`
  }
}

function refusal(error: unknown): string {
  if (!(error instanceof CallError)) throw error
  // OTP does not tell a target that was dead from one that died of a dead link.
  return error.reason === 'noproc' ? 'noproc' : `exit ${describeEnd(error.reason)}`
}
