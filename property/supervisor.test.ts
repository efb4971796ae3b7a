/**
 * How it works: 1. generate a strategy, flags, children and a list of commands; 2. run them against a real supervisor in a
 * simulation and against a model in plain data; 3. after each command the log of starts and ends, the tree and the answer
 * of the command must be the model's.
 */
import {
  type ChildSpec,
  child,
  defineActor,
  defineSupervisor,
  isOrderly,
  type Ref,
  type Restart,
  type Self,
  type Strategy,
  type SupervisorRef,
} from 'bough/runtime'
import { createSimulation, type Simulation } from 'bough/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from './settings.ts'

// ---- the model --------------------------------------------------------------------------------------------------------

interface ModelChild {
  readonly id: string
  readonly restart: Restart
  isUp: boolean
}

interface Model {
  readonly strategy: Strategy
  readonly intensity: number
  readonly period: number
  now: number
  isAlive: boolean
  children: ModelChild[]
  /** All restarts ever, as OTP's list would hold them. */
  restarts: number[]
  /** How many of the next starts fail, by id. */
  readonly failures: Map<string, number>
  readonly log: string[]
}

const model = {
  start(state: Model, one: ModelChild): boolean {
    const failures = state.failures.get(one.id) ?? 0
    if (failures > 0) {
      state.failures.set(one.id, failures - 1)
      return false
    }
    one.isUp = true
    state.log.push(`start ${one.id}`)
    return true
  },

  end(state: Model, one: ModelChild, reason: string): void {
    if (one.isUp) state.log.push(`end ${one.id} ${reason}`)
    one.isUp = false
  },

  crash(state: Model, one: ModelChild, reason: string): void {
    model.end(state, one, reason)
    if (one.restart === 'permanent' || (one.restart === 'transient' && !isOrderly(reason))) model.restart(state, one)
    else if (one.restart === 'temporary') state.children = state.children.filter((other) => other !== one)
  },

  restart(state: Model, one: ModelChild): void {
    state.restarts = [state.now, ...state.restarts].filter((time) => time >= state.now - state.period)
    if (state.restarts.length > state.intensity) {
      for (const other of [...state.children].reverse()) model.end(state, other, 'shutdown')
      state.isAlive = false
      return
    }
    const place = state.children.indexOf(one)
    const group =
      state.strategy === 'one_for_one' ? [one] : state.children.slice(state.strategy === 'one_for_all' ? 0 : place)
    for (const other of [...group].reverse()) if (other !== one) model.end(state, other, 'shutdown')
    const bystanders = group.filter((other) => other !== one && other.restart === 'temporary')
    state.children = state.children.filter((other) => !bystanders.includes(other))
    for (const other of group) {
      if (bystanders.includes(other)) continue
      if (!model.start(state, other)) return model.restart(state, other)
    }
  },
}

// ---- the real thing ---------------------------------------------------------------------------------------------------

interface Real {
  readonly sim: Simulation
  readonly tree: SupervisorRef
  readonly log: string[]
  readonly failures: Map<string, number>
  /** The live incarnations of each id, by what they said at their start and what the system knows. */
  readonly pids: Map<string, string>
}

interface Life {
  readonly id: string
  readonly log: string[]
  readonly failures: Map<string, number>
  readonly pids: Map<string, string>
  readonly startMs?: number
  readonly endMs?: number
}

function pause(self: Pick<Self, 'system'>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    self.system.timers.start(ms, resolve)
  })
}

const Worker = defineActor({
  name: 'worker',
  trapExits: true,
  init: (life: Life, self: Self<never>) => {
    const failures = life.failures.get(life.id) ?? 0
    if (failures > 0) {
      life.failures.set(life.id, failures - 1)
      throw 'not yet'
    }
    const begin = (): Life => {
      life.log.push(`start ${life.id}`)
      life.pids.set(self.pid, life.id)
      return life
    }
    return life.startMs === undefined ? begin() : pause(self, life.startMs).then(begin)
  },
  cast: { stop: (_life, reason: string, self) => self.stop(reason) },
  terminate: (life, reason, self) => {
    life.log.push(`end ${life.id} ${String(reason)}`)
    return life.endMs === undefined ? undefined : pause(self, life.endMs)
  },
})

function liveIds({ sim, pids }: Pick<Real, 'sim' | 'pids'>): string[] {
  return sim.system
    .processes()
    .flatMap((ref) => pids.get(ref.pid) ?? [])
    .sort()
}

async function compare(state: Model, real: Real): Promise<void> {
  await real.sim.settle()
  expect(real.log).toEqual(state.log)
  expect(real.tree.alive).toBe(state.isAlive)
  const ids = liveIds(real)
  expect(ids, 'at most one live incarnation of each id').toEqual([...new Set(ids)])
  expect(ids).toEqual(
    state.children
      .filter((one) => one.isUp)
      .map((one) => one.id)
      .sort(),
  )
  if (!state.isAlive) return
  const rows = await real.sim.run(real.tree.whichChildren())
  expect(rows.map((row) => [row.id, (row.ref as Ref | undefined)?.alive ?? false]).reverse()).toEqual(
    state.children.map((one) => [one.id, one.isUp]),
  )
  expect(await real.sim.run(real.tree.countChildren())).toEqual({
    specs: state.children.length,
    active: ids.length,
    supervisors: 0,
    workers: state.children.length,
  })
}

// ---- commands ---------------------------------------------------------------------------------------------------------

type Command = fc.AsyncCommand<Model, Real>

function command(
  text: string,
  check: (state: Readonly<Model>) => boolean,
  run: (state: Model, real: Real) => Promise<void>,
): Command {
  return {
    check: (state) => state.isAlive && check(state),
    run: async (state, real) => {
      await run(state, real)
      await compare(state, real)
    },
    toString: () => text,
  }
}

/** 'done', or the code of the refusal. */
function outcomeOf(real: Real, promise: Promise<unknown>): Promise<string> {
  return real.sim.run(
    promise.then(
      () => 'done',
      (error: { code: string }) => error.code,
    ),
  )
}

const specOf = (real: Real, id: string, restart: Restart): ChildSpec =>
  child(Worker, { id, log: real.log, failures: real.failures, pids: real.pids }, { id, restart })

const startChild = (id: string, restart: Restart): Command =>
  command(
    `start ${id} ${restart}`,
    () => true,
    async (state, real) => {
      const present = state.children.find((one) => one.id === id)
      let expected = 'done'
      if (present !== undefined) expected = present.isUp ? 'already_started' : 'already_present'
      else {
        const one = { id, restart, isUp: false }
        if (model.start(state, one)) state.children.push(one)
        else expected = 'init'
      }
      expect(await outcomeOf(real, real.tree.startChild(specOf(real, id, restart)))).toBe(expected)
    },
  )

const terminateChild = (id: string): Command =>
  command(
    `terminate ${id}`,
    () => true,
    async (state, real) => {
      const one = state.children.find((other) => other.id === id)
      if (one !== undefined) model.end(state, one, 'shutdown')
      if (one?.restart === 'temporary') state.children = state.children.filter((other) => other !== one)
      expect(await outcomeOf(real, real.tree.terminateChild(id))).toBe(one === undefined ? 'not_found' : 'done')
    },
  )

const restartChild = (id: string): Command =>
  command(
    `restart ${id}`,
    () => true,
    async (state, real) => {
      const one = state.children.find((other) => other.id === id)
      let expected = 'done'
      if (one === undefined) expected = 'not_found'
      else if (one.isUp) expected = 'running'
      else if (!model.start(state, one)) expected = 'init'
      expect(await outcomeOf(real, real.tree.restartChild(id))).toBe(expected)
    },
  )

const deleteChild = (id: string): Command =>
  command(
    `delete ${id}`,
    () => true,
    async (state, real) => {
      const one = state.children.find((other) => other.id === id)
      if (one?.isUp === false) state.children = state.children.filter((other) => other !== one)
      expect(await outcomeOf(real, real.tree.deleteChild(id))).toBe(
        one === undefined ? 'not_found' : one.isUp ? 'running' : 'done',
      )
    },
  )

const crash = (id: string, reason: string): Command =>
  command(
    `crash ${id} ${reason}`,
    (state) => state.children.some((one) => one.id === id && one.isUp),
    async (state, real) => {
      const rows = await real.sim.run(real.tree.whichChildren())
      const ref = rows.find((row) => row.id === id)?.ref as Ref<typeof Worker>
      model.crash(state, state.children.find((one) => one.id === id)!, reason)
      ref.cast('stop', reason)
    },
  )

const failNext = (id: string, count: number): Command =>
  command(
    `fail the next ${count} starts of ${id}`,
    () => true,
    async (state, real) => {
      state.failures.set(id, count)
      real.failures.set(id, count)
    },
  )

const advance = (ms: number): Command =>
  command(
    `advance ${ms}`,
    () => true,
    async (state, real) => {
      state.now += ms
      await real.sim.advance(ms)
    },
  )

// ---- the laws ---------------------------------------------------------------------------------------------------------

const ids = ['a', 'b', 'c', 'd']
const anyId = fc.constantFrom(...ids)
const anyRestart = fc.constantFrom<Restart>('permanent', 'transient', 'temporary')
const anyReason = fc.constantFrom('normal', 'shutdown', 'boom')
const anyFlags = fc.record({
  seed: fc.nat(),
  intensity: fc.nat(4),
  period: fc.constantFrom(1, 10, 100),
  restarts: fc.array(anyRestart, { maxLength: ids.length }),
})

async function setUp(
  strategy: Strategy,
  flags: { seed: number; intensity: number; period: number; restarts: Restart[] },
) {
  const sim = createSimulation({ seed: flags.seed, traceLinesMax: 0 })
  const parts = { sim, log: [], failures: new Map(), pids: new Map() }
  const children = flags.restarts.map((restart, index) =>
    specOf({ ...parts, tree: undefined as never }, ids[index]!, restart),
  )
  const { intensity, period } = flags
  const tree = await sim.start(defineSupervisor({ strategy, intensity, period, children }))
  const state: Model = {
    strategy,
    intensity,
    period,
    now: 0,
    isAlive: true,
    children: children.map(({ id, restart }) => ({ id, restart, isUp: true })),
    restarts: [],
    failures: new Map(),
    log: children.map(({ id }) => `start ${id}`),
  }
  return { model: state, real: { ...parts, tree } satisfies Real }
}

describe.each<Strategy>(['one_for_one', 'rest_for_one', 'one_for_all'])('a supervisor %s', (strategy) => {
  it('does what the model does: same starts and ends in the same order, same answers, same tree, same end', async () => {
    const commands = fc.commands(
      [
        fc.tuple(anyId, anyRestart).map(([id, restart]) => startChild(id, restart)),
        anyId.map(terminateChild),
        anyId.map(restartChild),
        anyId.map(deleteChild),
        fc.tuple(anyId, anyReason).map(([id, reason]) => crash(id, reason)),
        fc.tuple(anyId, fc.integer({ min: 1, max: 3 })).map(([id, count]) => failNext(id, count)),
        fc.constantFrom(1, 5, 10, 11, 100).map(advance),
      ],
      { maxCommands: 40 },
    )
    await fc.assert(
      fc.asyncProperty(anyFlags, commands, async (flags, list) => {
        const { real, model: state } = await setUp(strategy, flags)
        await fc.asyncModelRun(() => ({ model: state, real }), list)
        if (!state.isAlive) return
        for (const one of [...state.children].reverse()) model.end(state, one, 'shutdown')
        await real.sim.run(real.tree.stop())
        expect(real.log, 'children end in reverse start order').toEqual(state.log)
        expect(real.sim.system.processCount).toBe(0)
      }),
      runs(150),
    )
  }, 60_000)

  it('has at most one live incarnation of each id and a whole tree at rest, whatever ends at once', async () => {
    const anyBlow = fc.record({
      id: anyId,
      how: fc.constantFrom('kill', 'stop', 'exit', 'terminate', 'restart', 'fail' as const),
      waitMs: fc.constantFrom(0, 0, 0, 1, 7, 30),
    })
    const anyLife = fc.record({
      restart: anyRestart,
      startMs: fc.constantFrom(undefined, 0, 5),
      endMs: fc.constantFrom(undefined, 0, 5, 40),
      shutdown: fc.constantFrom(10, 'infinity' as const, 'brutal_kill' as const),
      backoff: fc.constantFrom(undefined, { min: 3, max: 20 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(anyLife, { minLength: 1, maxLength: 4 }),
        fc.array(anyBlow, { maxLength: 25 }),
        async (seed, lives, blows) => {
          const sim = createSimulation({ seed, traceLinesMax: 0 })
          const parts = {
            sim,
            log: [] as string[],
            failures: new Map<string, number>(),
            pids: new Map<string, string>(),
          }
          const children = lives.map(({ restart, startMs, endMs, shutdown, backoff }, index) => {
            const id = ids[index]!
            const times = { ...(startMs === undefined ? {} : { startMs }), ...(endMs === undefined ? {} : { endMs }) }
            const options = { id, restart, shutdown, ...(backoff === undefined ? {} : { backoff }) }
            return child(Worker, { id, log: parts.log, failures: parts.failures, pids: parts.pids, ...times }, options)
          })
          const tree = await sim.start(defineSupervisor({ strategy, intensity: 1_000, period: 1, children }))
          const checkIncarnations = (): void => {
            const live = liveIds(parts)
            expect(live).toEqual([...new Set(live)])
          }
          for (const { id, how, waitMs } of blows) {
            const ref = sim.system.processes().find((one) => parts.pids.get(one.pid) === id)
            if (how === 'kill') ref?.exit('kill')
            else if (how === 'stop') ref?.cast('stop', 'boom')
            else if (how === 'exit') ref?.exit('boom')
            else if (how === 'terminate') void tree.terminateChild(id).catch(() => undefined)
            else if (how === 'restart') void tree.restartChild(id).catch(() => undefined)
            else parts.failures.set(id, 2)
            if (waitMs > 0) await sim.advance(waitMs)
            checkIncarnations()
          }
          await sim.advance(10_000)
          checkIncarnations()
          expect(tree.alive).toBe(true)
          const rows = await sim.run(tree.whichChildren())
          expect(rows.map((row) => row.id).reverse()).toEqual(
            children.map((spec) => spec.id).filter((id) => rows.some((row) => row.id === id)),
          )
          for (const row of rows) {
            expect(row.ref).not.toBe('restarting')
            if (row.ref !== undefined) expect((row.ref as Ref).alive).toBe(true)
          }
          expect(liveIds(parts)).toHaveLength(rows.filter((row) => row.ref !== undefined).length)
          await sim.run(tree.stop())
          expect(sim.system.processCount).toBe(0)
        },
      ),
      runs(150),
    )
  }, 60_000)
})
