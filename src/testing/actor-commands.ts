/**
 * Model-based tests of an actor: fast-check chooses calls and casts, the actor and a model in plain functions do them, and
 * every reply must be the model's.
 *
 *     const steps = actorCommands(fc, {
 *       start: (sim) => sim.start(Counter, 0),
 *       init: () => ({ count: 0 }),
 *       calls: { add: fc.integer(), get: fc.constant(undefined) },
 *       casts: { reset: fc.constant(undefined) },
 *       model: {
 *         add: (state, by) => (state.count += by as number),
 *         get: (state) => state.count,
 *         reset: (state) => { state.count = 0 },
 *       },
 *     })
 *     await fc.assert(modelled(fc, steps))
 *
 * Some calls wait for their reply, others are followed by more at once. A model that throws says that the actor must end with
 * that call; both then start anew.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Ref } from '#runtime'
import { type Arbitrary, asArbitrary, type Command, type FastCheck, type Given } from './fast-check.ts'
import type { Modelled } from './simulated.ts'
import type { Simulation } from './simulation.ts'

export interface ActorCommandsOptions<S> {
  /** Starts the actor; called again when the model says that it has ended. */
  readonly start: (sim: Simulation) => Promise<unknown>
  /** The model's first state. */
  readonly init: () => S
  /** The argument of each call that is tried. */
  readonly calls?: Readonly<Record<string, Given<unknown>>>
  readonly casts?: Readonly<Record<string, Given<unknown>>>
  /** What each call and cast does to the model's state; what one for a call returns is the reply that is expected. */
  readonly model: Readonly<Record<string, (state: S, arg: unknown) => unknown>>
  /** Virtual milliseconds to let pass between steps; default: time does not pass but in calls. */
  readonly pauses?: Given<number>
  /** Looked at after every step that waits; throws when the two differ in what replies do not show. */
  readonly check?: (state: S, ref: Ref, sim: Simulation) => unknown
}

/** The model's state, replaced whole when the actor starts anew. */
export interface ActorModel<S> {
  state: S
}

export interface RealActor {
  readonly sim: Simulation
  ref: Ref
  /** Calls whose reply has not been looked at. */
  readonly open: Open[]
}

interface Open {
  readonly text: string
  readonly expected: unknown
  readonly reply: Promise<{ readonly value: unknown } | { readonly error: unknown }>
}

/** Steps for `modelled`, or for `fc.commands` by hand. Throws a `TypeError` for an operation that the model lacks. */
export function actorCommands<S>(fc: FastCheck, options: ActorCommandsOptions<S>): Modelled<ActorModel<S>, RealActor> {
  const { start, init, calls = {}, casts = {}, model, pauses, check } = options
  const handlerOf = (op: string): ((state: S, arg: unknown) => unknown) => {
    const handler = model[op]
    if (handler === undefined)
      throw new TypeError(`actorCommands: model.${op} is missing; every call and cast needs one.`)
    return handler
  }

  const settleOpen = async ({ state }: ActorModel<S>, real: RealActor): Promise<void> => {
    for (const { text, expected, reply } of real.open.splice(0)) {
      const outcome = await real.sim.run(reply)
      if ('error' in outcome)
        throw new Error(`${text} was to reply ${show(expected)} but failed: ${show(outcome.error)}.`)
      if (!isDeepStrictEqual(outcome.value, expected))
        throw new Error(`${text} was to reply ${show(expected)} but replied ${show(outcome.value)}.`)
    }
    await real.sim.settle()
    await check?.(state, real.ref, real.sim)
  }

  const call = (op: string, arg: unknown, isPatient: boolean): Command<ActorModel<S>, RealActor> => {
    const handler = handlerOf(op)
    const text = `${op}(${arg === undefined ? '' : show(arg)})`
    return {
      check: () => true,
      toString: () => (isPatient ? text : `${text}, not waiting`),
      run: async (both, real) => {
        let expected: unknown
        try {
          expected = structuredClone(handler(both.state, arg))
        } catch (error) {
          await settleOpen(both, real)
          const outcome = await real.sim.run(outcomeOf(real.ref.call(op, arg)))
          if (!('error' in outcome))
            throw new Error(`${text} was to fail with ${show(error)} but replied ${show(outcome.value)}.`)
          if (real.ref.alive) throw new Error(`${text} was to end the actor, but it is alive: ${show(outcome.error)}.`)
          both.state = init()
          real.ref = await begin(real.sim)
          return
        }
        real.open.push({ text, expected, reply: outcomeOf(real.ref.call(op, arg)) })
        if (isPatient) await settleOpen(both, real)
      },
    }
  }

  const cast = (op: string, arg: unknown): Command<ActorModel<S>, RealActor> => {
    const handler = handlerOf(op)
    return {
      check: () => true,
      toString: () => `${op}(${arg === undefined ? '' : show(arg)}) cast`,
      run: async ({ state }, real) => {
        handler(state, arg)
        real.ref.cast(op as never, arg as never)
      },
    }
  }

  const pause = (ms: number): Command<ActorModel<S>, RealActor> => ({
    check: () => true,
    toString: () => `${ms} ms pass`,
    run: async (both, real) => {
      await settleOpen(both, real)
      await real.sim.advance(ms)
    },
  })

  const begin = async (sim: Simulation): Promise<Ref> => {
    // Whatever kind of ref it is: operations are named by the caller.
    return (await start(sim)) as Ref
  }

  const commands: Arbitrary<Command<ActorModel<S>, RealActor>>[] = []
  for (const [op, arg] of Object.entries(calls)) {
    handlerOf(op)
    const waiting = asArbitrary(arg).map((value) => call(op, value, true))
    const hasty = asArbitrary(arg).map((value) => call(op, value, false))
    commands.push(asArbitrary(fc.oneof(waiting, hasty)))
  }
  for (const [op, arg] of Object.entries(casts)) {
    handlerOf(op)
    commands.push(asArbitrary(arg).map((value) => cast(op, value)))
  }
  if (pauses !== undefined) commands.push(asArbitrary(pauses).map(pause))
  return {
    commands,
    setup: async (sim) => ({ model: { state: init() }, real: { sim, ref: await begin(sim), open: [] } }),
    finish: settleOpen,
  }
}

function outcomeOf(reply: Promise<unknown>): Open['reply'] {
  return reply.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
