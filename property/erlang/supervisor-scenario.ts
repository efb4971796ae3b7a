/**
 * Scenarios of supervisors: what is generated, how the oracle is told, and how bough plays the same. After each command both
 * sides say the same four things: the answer | starts (+) and ends (-) in order | the tree | the numbers of all that live.
 *
 *     sent | -a1:boom +a2 | a:2 #1/1/0/1 | 0 2
 *
 * A child takes the next number at each successful start. `#` is specs/active/supervisors/workers; `3+` is a child that has
 * ended without its supervisor's knowledge.
 */
import {
  type AutoShutdown,
  CallError,
  type ChildSpec,
  child,
  defineActor,
  defineSupervisor,
  type ExitReason,
  ignore,
  type Ref,
  type Restart,
  type Self,
  type Shutdown,
  StartError,
  type Strategy,
  SupervisorError,
  type SupervisorFlags,
  type SupervisorRef,
  sys,
} from 'bough/runtime'
import { createSimulation, type Simulation } from 'bough/testing'
import { describeEnd, type ReasonName, reasonNamed } from './words.ts'

export type Flags = readonly [strategy: Strategy, intensity: number, autoShutdown: AutoShutdown]
export type Kind =
  | readonly ['worker', trap: boolean, isStubborn: boolean]
  | readonly ['supervisor', flags: Flags, specs: readonly Spec[]]
export type Spec = readonly [id: string, restart: Restart, shutdown: Shutdown, significant: boolean, kind: Kind]
/** What a start comes to; `early` starts and then crashes at once. */
export type Outcome = 'ok' | 'fail' | 'exit' | 'error' | 'ignore' | 'early'
/** A child by its id, or under simple_one_for_one by the ref of the latest one with that tag. */
export type ChildName = string | readonly ['latest', string]
export type Command =
  | readonly ['plan', id: string, outcomes: readonly Outcome[]]
  | readonly ['crash', id: string, how: 'exit' | 'stop' | 'error', reason: ReasonName]
  | readonly ['signal', id: string, reason: ReasonName]
  | readonly ['unlink', id: string]
  | readonly ['start_child', supervisor: string, given: Spec | readonly [tag: string, outcome: Outcome]]
  | readonly ['terminate_child' | 'get_childspec', supervisor: string, child: ChildName]
  | readonly ['restart_child' | 'delete_child', supervisor: string, id: string]
  | readonly ['batch', commands: readonly Command[]]
  | readonly ['stop', reason: ReasonName]

export interface SupervisorScenario {
  readonly flags: Flags
  readonly specs: readonly Spec[]
  readonly plans: readonly (readonly [id: string, outcomes: readonly Outcome[]])[]
  readonly commands: readonly Command[]
  /** Of bough's interleaving; when odd, every init and terminate of a worker is asynchronous. */
  readonly seed: number
}

/** Changes what bough is given, and the oracle is not: to plant a fault. */
export type Fault = (flags: SupervisorFlags) => SupervisorFlags

/** Plays a scenario with bough; a line for the start and for each command. */
export async function playWithBough(scenario: SupervisorScenario, fault: Fault = (flags) => flags): Promise<string[]> {
  const world = new World(scenario, fault)
  const started = await world.answer(() => world.startTree())
  const seen = [started + (await world.rest())]
  if (world.tree === undefined) return seen
  for (const command of scenario.commands) {
    const said = await world.run(command)
    seen.push(said + (await world.rest()))
  }
  return seen
}

// ---- workers ----------------------------------------------------------------------------------------------------------

interface Life {
  readonly world: World
  readonly id: string
  readonly trap: boolean
  readonly isStubborn: boolean
  /** Under simple_one_for_one: what every start with this argument comes to. */
  readonly outcome?: Outcome
  number: number
  isLeaving: boolean
}

const Worker = defineActor({
  name: 'worker',
  init: (life: Life, self: Self<never>) => {
    const begin = () => {
      let outcome = life.outcome ?? 'ok'
      if (outcome === 'ok') outcome = life.world.nextOutcome(life.id)
      if (outcome === 'ignore') return ignore
      if (outcome === 'fail') throw 'sorry'
      if (outcome === 'exit') throw 'bad'
      if (outcome === 'error') throw new Error('oops')
      self.trapExits(life.trap)
      if (outcome === 'early') self.continueWith('early')
      return { ...life, number: life.world.enter(life.id, self.ref, life.isStubborn) }
    }
    return life.world.isLazy ? Promise.resolve().then(begin) : begin()
  },
  call: { unlink: (_life, parent: Ref, self) => self.unlink(parent) },
  cast: {
    crash: (life, { how, reason }: { how: 'exit' | 'stop' | 'error'; reason: ExitReason }, self) => {
      life.isLeaving = true
      if (how === 'exit') throw reason
      if (how === 'error') throw new Error('oops')
      self.stop(reason)
    },
  },
  continue: { early: (_life, _arg: undefined, self) => self.stop('early') },
  info: () => undefined,
  terminate: (life, reason) => {
    // These come at any time, see the oracle.
    if (reason === 'killed' || reason === 'early') return undefined
    life.world.log.push(`-${life.id}${life.number}:${describeEnd(reason)}`)
    if (life.isStubborn && !life.isLeaving) return new Promise<never>(() => undefined)
    return life.world.isLazy ? Promise.resolve() : undefined
  },
})

// ---- the world --------------------------------------------------------------------------------------------------------

class World {
  readonly log: string[] = []
  readonly isLazy: boolean
  tree: SupervisorRef | undefined
  private readonly scenario: SupervisorScenario
  private readonly fault: Fault
  private readonly sim: Simulation
  private readonly plans: Map<string, readonly Outcome[]>
  private readonly numbers = new Map<string, number>()
  private readonly latest = new Map<string, Ref>()
  private readonly stubborn = new Set<string>()
  private count = 0
  private end = 'no end'

  constructor(scenario: SupervisorScenario, fault: Fault) {
    this.scenario = scenario
    this.fault = fault
    this.isLazy = scenario.seed % 2 === 1
    this.sim = createSimulation({ seed: scenario.seed, traceLinesMax: 0 })
    this.plans = new Map(scenario.plans)
  }

  async startTree(): Promise<'ok'> {
    const tree = await this.sim.run(
      this.sim.system.start(this.supervisor('root', this.scenario.flags, this.scenario.specs), undefined),
    )
    if (tree === undefined) throw new Error('The root was ignored.')
    this.tree = tree
    void tree.down.then((reason) => {
      this.end = describeEnd(reason)
    })
    return 'ok'
  }

  // ---- for the children

  nextOutcome(id: string): Outcome {
    const [outcome = 'ok', ...rest] = this.plans.get(id) ?? []
    this.plans.set(id, rest)
    return outcome
  }

  enter(id: string, ref: Ref, isStubborn = false): number {
    const number = id === 'root' ? 0 : ++this.count
    this.numbers.set(ref.pid, number)
    this.latest.set(id, ref)
    if (isStubborn) this.stubborn.add(ref.pid)
    if (id !== 'root') this.log.push(`+${id}${number}`)
    return number
  }

  // ---- commands

  async run(command: Command): Promise<string> {
    const { sim } = this
    switch (command[0]) {
      case 'plan':
        if ([command[2], ...this.plans.values()].some((plan) => plan.includes('early'))) this.plans.clear()
        this.plans.set(command[1], command[2])
        return 'planned'
      case 'crash': {
        const ref = this.latest.get(command[1])
        ref?.cast('crash', { how: command[2], reason: reasonNamed(command[3]) })
        return ref === undefined ? 'none' : 'sent'
      }
      case 'signal': {
        const ref = this.latest.get(command[1])
        ref?.exit(reasonNamed(command[2]))
        return ref === undefined ? 'none' : 'sent'
      }
      case 'unlink': {
        const ref = this.latest.get(command[1])
        if (!ref?.alive) return 'none'
        await sim.run(ref.call('unlink', this.latest.get(parentOf(command[1]))))
        return 'unlinked'
      }
      case 'stop':
        return this.answer(() => sim.run(this.tree!.stop(reasonNamed(command[1])).then(() => 'ok')))
      case 'batch':
        return this.batch(command[1])
      default:
        return this.answer(() => sim.run(this.request(command)))
    }
  }

  /** While the supervisor is suspended: calls wait in its mailbox, and so does the news of children that end. */
  private async batch(commands: readonly Command[]): Promise<string> {
    const tree = this.tree!
    if (!tree.alive) return 'noproc'
    await this.sim.run(sys.suspend(tree))
    const said: Promise<string>[] = []
    for (const command of commands) {
      const isRequest = !['plan', 'crash', 'signal', 'unlink'].includes(command[0])
      if (isRequest) said.push(this.answer(() => this.request(command)))
      else said.push(Promise.resolve(await this.run(command)))
      await this.sim.settle()
    }
    await this.sim.run(sys.resume(tree))
    await this.sim.advance(REST_MS)
    return (await this.sim.run(Promise.all(said))).join(', ')
  }

  private async request(command: Command): Promise<unknown> {
    const supervisor = this.latest.get(command[1] as string) as SupervisorRef | undefined
    if (!supervisor?.alive) throw new CallError('noproc', 'no supervisor')
    switch (command[0]) {
      case 'start_child': {
        const given = command[2]
        if (given.length === 5) return supervisor.startChild(this.childSpec(given))
        const { kind } = this.template()
        const [tag, outcome] = given
        return supervisor.startChild(this.life(tag, kind, outcome))
      }
      case 'terminate_child':
        return supervisor.terminateChild(this.childNamed(command[2])).then(() => 'ok')
      case 'restart_child':
        return supervisor.restartChild(command[2])
      case 'delete_child':
        return supervisor.deleteChild(command[2]).then(() => 'ok')
      case 'get_childspec':
        return supervisor
          .getChildSpec(this.childNamed(command[2]))
          .then(({ restart, shutdown, significant, type }) => `${restart} ${shutdown} ${significant} ${type}`)
      default:
        throw new Error(`No request: ${command[0]}`)
    }
  }

  private childNamed(name: ChildName): string | Ref {
    return typeof name === 'string' ? name : (this.latest.get(name[1]) ?? 'none')
  }

  /** A value or a refusal in the words that both sides share. */
  async answer(ask: () => Promise<unknown>): Promise<string> {
    try {
      const value = await ask()
      if (typeof value === 'string') return value
      return value === undefined ? 'ok undefined' : `ok ${this.numbers.get((value as Ref).pid)}`
    } catch (error) {
      if (error instanceof SupervisorError) {
        if (this.tree === undefined) return 'bad spec'
        return error.code === 'already_started'
          ? `already_started ${this.numbers.get((error.detail as Ref).pid)}`
          : error.code
      }
      if (error instanceof StartError) {
        return error.reason instanceof SupervisorError ? 'bad spec' : `failed ${describeEnd(error.reason)}`
      }
      if (error instanceof CallError) return error.code === 'noproc' ? 'noproc' : `exit ${describeEnd(error.reason)}`
      throw error
    }
  }

  // ---- rest

  /** Lets everything come to rest, and says what there is. */
  async rest(): Promise<string> {
    await this.sim.advance(REST_MS)
    const tree = this.tree === undefined ? 'none' : await this.look(this.tree)
    const living = this.sim.system
      .processes()
      .filter(({ pid }) => !this.stubborn.has(pid))
      .map(({ pid }) => this.numbers.get(pid) ?? Number.NaN)
      .sort((one, other) => one - other)
    return ` | ${this.log.splice(0).join(' ')} | ${tree} | ${living.join(' ')}`
  }

  private async look(supervisor: SupervisorRef): Promise<string> {
    if (!supervisor.alive) return supervisor === this.tree ? `dead ${this.end}` : 'dead'
    const rows = await this.sim.run(supervisor.whichChildren())
    const shown: string[] = []
    for (const { id, ref, type } of rows) {
      const label = id === undefined ? '' : `${id}:`
      if (ref === undefined || ref === 'restarting') shown.push(`${label}${ref}`)
      else {
        const number = this.numbers.get(ref.pid)
        if (type === 'supervisor') shown.push(`${label}${number}(${await this.look(ref as unknown as SupervisorRef)})`)
        else shown.push(`${label}${number}${ref.alive ? '' : '+'}`)
      }
    }
    if (rows[0] !== undefined && rows[0].id === undefined) shown.sort()
    const { specs, active, supervisors, workers } = await this.sim.run(supervisor.countChildren())
    return `${shown.join(' ')} #${specs}/${active}/${supervisors}/${workers}`
  }

  // ---- definitions

  private template(): { kind: Kind } {
    return { kind: this.scenario.specs[0]![4] }
  }

  private life(id: string, kind: Kind, outcome?: Outcome): Life {
    const [, trap, isStubborn] = kind as readonly ['worker', boolean, boolean]
    const life = { world: this, id, trap, isStubborn, number: 0, isLeaving: false }
    return outcome === undefined ? life : { ...life, outcome }
  }

  private childSpec([id, restart, shutdown, significant, kind]: Spec): ChildSpec {
    const options = { id, restart, shutdown, significant }
    return kind[0] === 'worker'
      ? child(Worker, this.life(id, kind), options)
      : child(this.supervisor(id, kind[1], kind[2]), undefined, options)
  }

  private supervisor(id: string, flags: Flags, specs: readonly Spec[]) {
    const [strategy, intensity, autoShutdown] = flags
    return defineSupervisor<undefined>(id, () => {
      if (id !== 'root' && this.nextOutcome(id) === 'ignore') return ignore
      // The newest process is the supervisor whose init this is.
      this.enter(id, this.sim.system.processes().at(-1)!)
      const children = specs.map((spec) => this.childSpec(spec))
      return this.fault({ strategy, intensity, period: 1_000_000_000, autoShutdown, children })
    })
  }
}

/** Virtual milliseconds that are enough for every child that is killed in the end. */
const REST_MS = 10

/** The supervisor of the children with that id: x and y live under s. */
function parentOf(id: string): string {
  return id === 'x' || id === 'y' ? 's' : 'root'
}
