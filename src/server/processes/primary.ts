/**
 * The primary: the first process of a program that serves by copies of itself. It serves no request; it owns the sockets, starts
 * the copies and keeps them up, and speaks for all of them as one `App`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeDoors } from '#actors/doors'
import { type Fleet, makeSlot, type Slot } from '#actors/fleet'
import { Handover } from '#actors/handover'
import type { Member } from '#actors/member'
import type { FromMember, ToMember } from '#actors/member-messages'
import type { LogLevelName, LogModule } from '#observability/log-levels'
import type { Outside, Readiness } from '#observability/outside'
import { createNames, createSystem, type Random, realRandom, type SupervisorRef, type System, via } from '#runtime'
import { observeOf } from '#server/observe-options'
import type { ServeOptions } from '#server/options'
import { type Reporting, reporter } from '#server/reporting'
import type { App } from '#server/serve'
import { describeTree, type TreeNode } from '#server/tree'
import { fleetTree } from '#supervisors/fleet'
import { TransportError } from '#transports/port'
import { type Metrics, mergeTexts, sumMetrics } from './metrics.ts'
import type { ProcessesSettings } from './options.ts'
import { startProgram } from './program.ts'

/** Random bytes of the secret of the private sockets, and of a key that seals. */
const SECRET_BYTES = 32
/** Milliseconds that a member may take to tell of itself. */
const ASK_MS = 5_000

/** Starts a fleet; resolves when every member serves. Rejects with what the first one failed with. */
export async function startFleet(options: ServeOptions, settings: ProcessesSettings): Promise<FleetApp> {
  const reporting = reporter(options)
  const random = options.random ?? realRandom
  const system = createSystem({
    events: reporting.report,
    ...(options.clock !== undefined && { clock: options.clock }),
    random,
  })
  const folder = makeFolder(random)
  const slots = Array.from({ length: settings.count }, (_, index) => makeSlot(index))
  const createdAt = system.clock.wallNow()
  const asked = new Answers()
  const fleet: Fleet = {
    slots,
    folder,
    secret: random.token(SECRET_BYTES),
    keys: [{ id: `k${createdAt.toString(36)}`, secret: random.token(SECRET_BYTES), createdAt }],
    urls: [],
    bound: new Map(),
    handover: new Handover(slots, reporting.telemetry.metrics.counters, random),
    start: (index, listen) =>
      startProgram(index, (message) => {
        if (message.type === 'answer') asked.settle(message)
        else listen(message)
      }),
    times: settings,
    names: createNames(),
    counters: reporting.telemetry.metrics.counters,
    report: reporting.report,
    outside: undefined,
  }
  const view: Outside = {
    isAlive: () => true,
    ready: () => Promise.resolve(readiness(slots)),
    metrics: () => textOf(fleet, reporting),
  }
  const { address } = observeOf(options.observe)
  if (address !== undefined) fleet.outside = { view, address, url: undefined }
  const end = async (): Promise<void> => {
    await system.stop()
    for (const slot of slots) slot.program?.kill('SIGKILL')
    if (process.platform !== 'win32') rmSync(folder, { recursive: true, force: true })
  }
  try {
    const ref = await system.start(fleetTree(fleet))
    await allReady(fleet, ref)
    return new FleetApp(system, ref, fleet, reporting, asked, end)
  } catch (error) {
    await end()
    throw error
  }
}

/** A folder that nobody but this user may enter; on Windows the beginning of the names of pipes, which need no folder. */
function makeFolder(random: Random): string {
  return process.platform === 'win32' ? `\\\\.\\pipe\\bough-${random.token(8)}` : mkdtempSync(join(tmpdir(), 'bough-'))
}

/** Resolves when every member serves; rejects when one cannot. */
function allReady({ slots }: Fleet, ref: SupervisorRef): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      for (const { watchers } of slots) watchers.delete(look)
      if (error === undefined) resolve()
      else reject(error)
    }
    const look = (): void => {
      const failed = slots.find(({ state }) => state === 'down')
      if (failed !== undefined) settle(faultOf(failed))
      else if (slots.every(({ state }) => state === 'ready')) settle()
    }
    for (const { watchers } of slots) watchers.add(look)
    void ref.down.then((reason) => settle(reason))
    look()
  })
}

/** What a member said that it failed with. */
function faultOf({ fault, index }: Slot): Error {
  if (fault === undefined)
    return new Error(
      `serve: process ${index} ended before it served. Every copy of the program must come to the same serve(); its own ` +
        'messages say why it did not.',
    )
  const { name, code, message } = fault
  if (name === 'TransportError') return new TransportError(code ?? 'address_unavailable', message)
  return name === 'TypeError' ? new TypeError(message) : Object.assign(new Error(message), { name })
}

function readiness(slots: readonly Slot[]): Readiness {
  const checks: Record<string, { ok: boolean; why?: string }> = {}
  for (const { index, state } of slots)
    checks[`member-${index}`] = state === 'ready' ? { ok: true } : { ok: false, why: `Process ${index} is ${state}.` }
  // Those that are there do the work of the one that is being replaced.
  return { isReady: slots.some(({ state }) => state === 'ready'), checks }
}

function textOf({ slots }: Fleet, { telemetry }: Reporting): string {
  const texts = new Map([['primary', telemetry.text()]])
  for (const { index, load } of slots) texts.set(String(index), load.text)
  return mergeTexts(texts)
}

/** What members were asked and have not answered yet. */
class Answers {
  readonly #waiting = new Map<number, (value: unknown) => void>()
  #lastNumber = 0

  /** Asks one member; resolves to undefined when it does not answer. */
  ask(
    { program }: Slot,
    system: System,
    question: { readonly type: 'tree' } | { readonly type: 'updated'; readonly uri: string },
  ): Promise<unknown> {
    if (program === undefined) return Promise.resolve(undefined)
    const number = ++this.#lastNumber
    return new Promise((resolve) => {
      const timer = system.clock.setTimer(() => this.settle({ type: 'answer', number, value: undefined }), ASK_MS)
      this.#waiting.set(number, (value) => {
        system.clock.clearTimer(timer)
        resolve(value)
      })
      program.send({ ...question, number } as ToMember)
    })
  }

  settle({ number, value }: Extract<FromMember, { type: 'answer' }>): void {
    this.#waiting.get(number)?.(value)
    this.#waiting.delete(number)
  }
}

/** A fleet as an `App`. */
export class FleetApp implements App {
  readonly isPrimary = true
  readonly member = undefined
  readonly system: System
  readonly ref: SupervisorRef
  readonly done: Promise<unknown>
  readonly urls: readonly string[]
  readonly #fleet: Fleet
  readonly #reporting: Reporting
  readonly #answers: Answers
  readonly #end: () => Promise<void>
  #stopping: Promise<void> | undefined

  constructor(
    system: System,
    ref: SupervisorRef,
    fleet: Fleet,
    reporting: Reporting,
    answers: Answers,
    end: () => Promise<void>,
  ) {
    this.system = system
    this.ref = ref
    this.done = ref.down
    this.urls = fleet.urls
    this.#fleet = fleet
    this.#reporting = reporting
    this.#answers = answers
    this.#end = end
  }

  get url(): string {
    return this.urls.find((url) => url.includes('://')) ?? ''
  }

  get observeUrl(): string | undefined {
    return this.#fleet.outside?.url
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async resourceUpdated(uri: string): Promise<void> {
    // One tells the others.
    const slot = this.#fleet.slots.find(({ state }) => state === 'ready')
    if (slot !== undefined) await this.#answers.ask(slot, this.system, { type: 'updated', uri })
  }

  /** As the members told it last, a second ago at most. */
  metrics(): Metrics {
    const { slots, counters } = this.#fleet
    return sumMetrics([counters.snapshot(), ...slots.map(({ load }) => load.metrics)])
  }

  metricsText(): string {
    return textOf(this.#fleet, this.#reporting)
  }

  ready(): Promise<Readiness> {
    return Promise.resolve(readiness(this.#fleet.slots))
  }

  setLogLevel(module: LogModule | 'all', level: LogLevelName): void {
    this.#reporting.log?.levels.set(module, level)
    for (const { program } of this.#fleet.slots) program?.send({ type: 'level', module, level })
  }

  async tree(): Promise<TreeNode> {
    const own = await describeTree('fleet', this.ref)
    const { slots } = this.#fleet
    const trees = await Promise.all(slots.map((slot) => this.#answers.ask(slot, this.system, { type: 'tree' })))
    const members = own.children.find(({ id }) => id === 'members')
    // A member's own tree is below the process that keeps it.
    const children = (members?.children ?? []).map((node) => {
      const tree = trees[Number(node.id.replace('member-', ''))] as TreeNode | undefined
      return tree === undefined ? node : { ...node, children: [tree] }
    })
    return {
      ...own,
      children: own.children.map((node) => (node === members ? { ...members, children } : node)),
    }
  }

  async replaceMembers(): Promise<void> {
    for (const slot of this.#fleet.slots) {
      const { names } = this.#fleet
      const before = slot.program
      via<typeof Member>(names, `member-${slot.index}`).cast('replace')
      await new Promise<void>((resolve) => {
        const look = (): void => {
          if (this.#stopping === undefined && (slot.state !== 'ready' || slot.program === before)) return
          slot.watchers.delete(look)
          resolve()
        }
        slot.watchers.add(look)
        void this.done.then(() => look())
      })
    }
  }

  async #stop(): Promise<void> {
    const { slots } = this.#fleet
    await closeDoors(this.#fleet)
    // All drain at once; the supervisor then waits for each.
    for (const { program } of slots) program?.send({ type: 'stop' })
    if (this.ref.alive) await this.ref.stop('shutdown').catch(() => undefined)
    await this.#end()
    this.#reporting.log?.flush()
  }
}
