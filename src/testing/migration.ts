/**
 * A test kit for hot swaps: holds a `codeChange` against what it promises, on states that you give or that a property test
 * draws. It needs no running system of yours: each state goes through a real upgrade in a simulation.
 *
 *     await checkMigration({ from: CounterV1, to: CounterV2, states: [{ count: 0 }, { count: 7 }] })
 */
import { type Definition, defineActor, type Self, sys } from '#runtime'
import { createSimulation } from './simulation.ts'

export interface MigrationCheck {
  /** The version whose states come in; its `init` is not run. */
  readonly from: Definition
  readonly to: Definition
  /** States of the old version. */
  readonly states: Iterable<unknown>
  /** Looks at each new state; a throw is a fault. */
  readonly check?: (after: unknown, before: unknown) => void
  /** Whether going back to `from` must give the old state again; default false. */
  readonly roundTrip?: boolean
}

/** A migration does not do what it promises. `state` is the old state that shows it. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
  readonly state: unknown
  constructor(message: string, state: unknown, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.state = state
  }
}

/**
 * Takes each state from one version to the other. Rejects with `MigrationError` when `codeChange` throws, when the new state
 * does not match the schema, when the old state was changed in place (a failure elsewhere could then not be taken back), when
 * the new state is not plain data, when `check` throws, or when a round trip does not end where it began. Resolves to the
 * number of states tried.
 */
export async function checkMigration(options: MigrationCheck): Promise<number> {
  const { from, to, roundTrip = false } = options
  let tried = 0
  for (const given of options.states) {
    tried++
    const before = plainCopy(given, 'The old state', given)
    const state = structuredClone(before)
    const after = await migrate(from, to, state, before)
    if (!isSame(state, before)) {
      throw new MigrationError(
        `codeChange of ${to.name} version ${to.version} changes the old state in place. Return a new object.`,
        before,
      )
    }
    plainCopy(after, `The state of ${to.name} version ${to.version}`, before)
    try {
      options.check?.(after, before)
    } catch (error) {
      throw new MigrationError(
        `The state of ${to.name} version ${to.version} is not as expected: ${messageOf(error)}`,
        before,
        error,
      )
    }
    if (!roundTrip) continue
    const back = await migrate(to, from, after, before)
    if (!isSame(back, before)) {
      throw new MigrationError(
        `Going to version ${to.version} of ${to.name} and back to ${from.version} gives another state: ${JSON.stringify(back)}.`,
        before,
      )
    }
  }
  return tried
}

/** The state that a real upgrade of a process with `state` leads to. */
async function migrate(from: Definition, to: Definition, state: unknown, before: unknown): Promise<unknown> {
  const sim = createSimulation({ seed: 1 })
  const Holder = defineActor({
    name: from.name,
    version: from.version,
    init: (held: { state: unknown }, _self: Self<never>) => held.state as object,
  })
  const ref = await sim.start(Holder, { state })
  try {
    await sim.run(sim.system.upgrade(to))
    return await sim.run(sys.getState(ref))
  } catch (error) {
    throw new MigrationError(
      `${from.name} cannot go from version ${from.version} to ${to.version}: ${messageOf(error)}`,
      before,
      error,
    )
  } finally {
    ref.exit('kill')
  }
}

function plainCopy(value: unknown, what: string, before: unknown): unknown {
  try {
    return structuredClone(value)
  } catch (error) {
    throw new MigrationError(
      `${what} is not plain data (${messageOf(error)}): what is code of the old version stays so after a swap.`,
      before,
      error,
    )
  }
}

/** Equal by value, as far as plain data goes. */
function isSame(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (left instanceof Map && right instanceof Map) return isSame([...left], [...right])
  if (left instanceof Set && right instanceof Set) return isSame([...left], [...right])
  if (left instanceof Date && right instanceof Date) return left.getTime() === right.getTime()
  if (Array.isArray(left) !== Array.isArray(right)) return false
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && isSame(Reflect.get(left, key), Reflect.get(right, key)))
  )
}

function messageOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}
