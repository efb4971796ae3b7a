/**
 * Model-based tests of a supervision tree: fast-check ends children in every way, terminates, restarts and deletes them and lets
 * time pass; after each step the tree must be what the model says, and whoever had no part in it must be the same process.
 *
 *     const steps = supervisorCommands(fc, { strategy: 'rest_for_one', intensity: 3, children: [child(Store), child(Reader)] })
 *     await fc.assert(modelled(fc, steps))
 */
import { defineSupervisor, type Ref, type SupervisorFlags, type SupervisorRef } from '#runtime'
import { asArbitrary, type Command, type FastCheck } from './fast-check.ts'
import type { Modelled } from './simulated.ts'
import type { Simulation } from './simulation.ts'
import { type ModelChild, SupervisorModel } from './supervisor-model.ts'

export interface RealSupervisor {
  readonly sim: Simulation
  readonly ref: SupervisorRef
  /** The pid of each incarnation seen, by child and number. */
  readonly pids: Map<string, string>
}

/** Milliseconds that a pause may take; periods of intensity are shorter or longer. */
const PAUSE_MS_MAX = 10_000

type Step = Command<SupervisorModel, RealSupervisor>

/** Steps for `modelled`. The children are real ones, and must start and end without help. Throws a `TypeError` for what is not modelled. */
export function supervisorCommands(fc: FastCheck, flags: SupervisorFlags): Modelled<SupervisorModel, RealSupervisor> {
  const Tree = defineSupervisor(flags)
  const ids = new SupervisorModel(flags).children.map(({ id }) => id)

  const step = (
    text: string,
    id: string,
    check: (child: ModelChild) => boolean,
    run: (child: ModelChild, model: SupervisorModel, real: RealSupervisor) => Promise<unknown>,
  ): Step => ({
    check: (model) => {
      const child = model.find(id)
      return model.isAlive && child !== undefined && check(child)
    },
    toString: () => `${text} ${id}`,
    run: async (model, real) => {
      const child = model.find(id)
      if (child === undefined) return
      model.now = real.sim.clock.now()
      await run(child, model, real)
      await compare(model, real)
    },
  })

  const isUp = (child: ModelChild): boolean => child.isUp
  const isDown = (child: ModelChild): boolean => !child.isUp
  const steps = (id: string): Step[] => [
    step('kill', id, isUp, async (child, model, real) => {
      const ref = await refOf(real, id)
      ref.exit('kill')
      model.ended(child, 'killed')
    }),
    ...(['normal', 'shutdown', 'fault'] as const).map((reason) =>
      step(`end (${reason})`, id, isUp, async (child, model, real) => {
        const ref = await refOf(real, id)
        await real.sim.run(ref.stop(reason))
        model.ended(child, reason)
      }),
    ),
    step('terminate', id, isUp, async (child, model, real) => {
      await real.sim.run(real.ref.terminateChild(id))
      model.terminate(child)
    }),
    step('restart', id, isDown, async (child, model, real) => {
      await real.sim.run(real.ref.restartChild(id))
      model.start(child)
    }),
    step('delete', id, isDown, async (child, model, real) => {
      await real.sim.run(real.ref.deleteChild(id))
      model.children = model.children.filter((other) => other !== child)
    }),
  ]
  const pauses: Step[] = [1, PAUSE_MS_MAX / 10, PAUSE_MS_MAX].map((ms) => ({
    check: () => true,
    toString: () => `${ms} ms pass`,
    run: async (model, real) => {
      await real.sim.advance(ms)
      await compare(model, real)
    },
  }))
  return {
    commands: [pauses, ...ids.map(steps)].map((some) => asArbitrary(fc.constantFrom(...some))),
    setup: async (sim) => {
      const real = { sim, ref: await sim.start(Tree), pids: new Map<string, string>() }
      const model = new SupervisorModel(flags)
      await compare(model, real)
      return { model, real }
    },
    finish: compare,
  }
}

async function refOf({ sim, ref }: RealSupervisor, id: string): Promise<Ref> {
  const row = (await sim.run(ref.whichChildren())).find((one) => one.id === id)
  if (typeof row?.ref !== 'object') throw new Error(`The child "${id}" was to be up, but it is ${String(row?.ref)}.`)
  return row.ref
}

async function compare(model: SupervisorModel, real: RealSupervisor): Promise<void> {
  const { sim, ref, pids } = real
  await sim.settle()
  if (ref.alive !== model.isAlive) {
    throw new Error(
      `The supervisor was to be ${model.isAlive ? 'alive' : 'at its end'}, but it is ${ref.alive ? 'alive' : 'dead'}.`,
    )
  }
  if (!model.isAlive) return
  const rows = (await sim.run(ref.whichChildren())).reverse()
  const seen = rows.map((row) => `${row.id} ${typeof row.ref === 'object' && row.ref.alive ? 'up' : 'down'}`)
  const expected = model.children.map((child) => `${child.id} ${child.isUp ? 'up' : 'down'}`)
  if (seen.join() !== expected.join()) {
    throw new Error(`The children were to be [${expected.join(', ')}], but are [${seen.join(', ')}].`)
  }
  for (const [index, child] of model.children.entries()) {
    const process = rows[index]?.ref
    if (!child.isUp || typeof process !== 'object') continue
    const key = `${child.incarnation} ${child.id}`
    const known = pids.get(key)
    const isNew = known === undefined && ![...pids.values()].includes(process.pid)
    if (known !== process.pid && !isNew) {
      const fault =
        known === undefined
          ? 'was to be started anew, but is the same process'
          : 'was not to be touched, but is another process'
      throw new Error(`The child "${child.id}" ${fault}: ${process.pid}.`)
    }
    pids.set(key, process.pid)
  }
}
