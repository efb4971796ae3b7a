/** Random scenarios of gen_servers: up to three processes p, q and r that call, link, watch and end each other. */
import fc from 'fast-check'
import type { CallOp, CastOp, Command, Manner, Outcome, ServerScenario } from './server-scenario.ts'
import type { ReasonName } from './words.ts'

/** Commands in one scenario at most. */
const COMMANDS_MAX = 24

const ids = ['p', 'q', 'r'] as const
const anyId = fc.constantFrom(...ids)
const anyReason = fc.constantFrom<ReasonName>('boom', 'normal', 'shutdown', 'shutdown_x')
const anySignal = fc.constantFrom<ReasonName>('boom', 'normal', 'shutdown', 'shutdown_x', 'kill')
const anyCount = fc.nat(2)
const anyOutcome = fc.constantFrom<Outcome>('ok', 'ok', 'ok', 'continue', 'fail', 'exit', 'error', 'ignore')

/** Calls that are answered, or end the server: one that asks may wait for them. */
const anyAnswered: fc.Arbitrary<CallOp> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<CallOp>(['reply'], ['reply_early'], ['error']) },
  { weight: 1, arbitrary: anyCount.map((count): CallOp => ['reply_continue', count]) },
  { weight: 1, arbitrary: anyReason.map((reason): CallOp => ['stop_reply', reason]) },
  { weight: 1, arbitrary: anyReason.map((reason): CallOp => ['stop_noreply', reason]) },
  { weight: 1, arbitrary: anyReason.map((reason): CallOp => ['exit', reason]) },
)

const anyCallOp: fc.Arbitrary<CallOp> = fc.oneof(
  { weight: 4, arbitrary: anyAnswered },
  { weight: 3, arbitrary: fc.constant<CallOp>(['noreply']) },
)

const anyAsk: fc.Arbitrary<Command> = fc
  .tuple(anyId, anyId, anyAnswered)
  .map(([id, other, op]) => ['call', id, ['ask', other, op]])

const anyCastOp: fc.Arbitrary<CastOp> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<CastOp>(['note'], ['release'], ['demonitor'], ['error']) },
  { weight: 1, arbitrary: anyCount.map((count): CastOp => ['continue', count]) },
  { weight: 1, arbitrary: anyReason.map((reason): CastOp => ['stop', reason]) },
  { weight: 1, arbitrary: anyReason.map((reason): CastOp => ['exit', reason]) },
  { weight: 1, arbitrary: fc.constantFrom<Manner>('ok', 'exit', 'error').map((manner): CastOp => ['manner', manner]) },
  { weight: 2, arbitrary: fc.boolean().map((trap): CastOp => ['trap', trap]) },
  {
    weight: 9,
    arbitrary: fc
      .tuple(fc.constantFrom('link', 'link', 'monitor', 'monitor', 'unlink'), anyId)
      .map(([op, id]): CastOp => [op, id]),
  },
  { weight: 3, arbitrary: fc.tuple(anyId, anySignal).map(([id, reason]): CastOp => ['signal', id, reason]) },
)

const anySimple: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(anyId, anyCallOp).map(([id, op]): Command => ['call', id, op]) },
  { weight: 10, arbitrary: fc.tuple(anyId, anyCastOp).map(([id, op]): Command => ['cast', id, op]) },
  {
    weight: 1,
    arbitrary: fc.tuple(anyId, fc.constantFrom('hello', 'stop')).map(([id, text]): Command => ['info', id, text]),
  },
  { weight: 3, arbitrary: fc.tuple(anyId, anySignal).map(([id, reason]): Command => ['signal', id, reason]) },
  { weight: 1, arbitrary: fc.tuple(anyId, anyReason).map(([id, reason]): Command => ['stop', id, reason]) },
)

const anyStart: fc.Arbitrary<Command> = fc
  .tuple(anyId, fc.constantFrom('none', ...ids), anyOutcome, fc.boolean())
  .map(([id, parent, outcome, trap]) => ['start', id, parent, outcome, trap])

/**
 * Signals reach others, and what they cause comes back, at a time of its own: a process that has more to handle at once neither
 * signals others meanwhile nor changes its mind about trapping.
 */
function hasOneOrder(command: Command, suspended: string): boolean {
  if (command[0] !== 'cast' || command[1] !== suspended) return true
  const op = command[2]
  return op[0] !== 'trap' && (op[0] !== 'signal' || op[1] === suspended)
}

/** While one of them is suspended no one may wait for it, so nobody asks or starts another. */
const anyBatch: fc.Arbitrary<Command> = fc
  .tuple(anyId, fc.array(anySimple, { minLength: 1, maxLength: 6 }))
  .map(([id, commands]) => ['batch', id, commands.filter((command) => hasOneOrder(command, id))])

export const anyServerScenario: fc.Arbitrary<ServerScenario> = fc.record({
  processes: fc.tuple(...ids.map((id) => fc.boolean().map((trap) => [id, trap] as const))),
  commands: fc.array(
    fc.oneof(
      { weight: 8, arbitrary: anySimple },
      { weight: 2, arbitrary: anyAsk },
      { weight: 5, arbitrary: anyStart },
      { weight: 3, arbitrary: anyBatch },
    ),
    { maxLength: COMMANDS_MAX, size: 'max' },
  ),
  seed: fc.nat(1_000),
})
