/** Random scenarios of supervisors. Workers have the ids a to d, x and y live under the supervisor s. */
import type { AutoShutdown, Restart, Shutdown, Strategy } from 'bough/runtime'
import fc from 'fast-check'
import type { Command, Flags, Kind, Outcome, Spec, SupervisorScenario } from './supervisor-scenario.ts'
import type { ReasonName } from './words.ts'

/** Commands in one scenario at most. */
const COMMANDS_MAX = 16

const workers = ['a', 'b', 'c', 'd'] as const
const anyWorker = fc.constantFrom(...workers)
const anyRestart = fc.constantFrom<Restart>('permanent', 'transient', 'temporary')
const anyReason = fc.constantFrom<ReasonName>('boom', 'normal', 'shutdown', 'shutdown_x')
const anySignal = fc.constantFrom<ReasonName>('kill', 'boom', 'normal', 'shutdown', 'shutdown_x')
const anyIntensity = fc.constantFrom(1, 0, 2, 3, 5, 10, 10)
const anyAutoShutdown = fc.oneof(
  { weight: 3, arbitrary: fc.constant<AutoShutdown>('never') },
  { weight: 2, arbitrary: fc.constantFrom<AutoShutdown>('any_significant', 'all_significant') },
)

/** A stubborn worker outlives every patience: it has a short one. The others end in no time. */
const anyManner = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      shutdown: fc.constantFrom<Shutdown>(5_000, 'infinity', 'brutal_kill'),
      kind: fc.boolean().map((trap): Kind => ['worker', trap, false]),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ shutdown: 1 as Shutdown, kind: ['worker', true, true] as Kind }) },
)

function anyWorkerSpec(anyId: fc.Arbitrary<string>, anySignificant: fc.Arbitrary<boolean>): fc.Arbitrary<Spec> {
  return fc
    .tuple(anyId, anyRestart, anySignificant, anyManner)
    .map(([id, restart, significant, { shutdown, kind }]): Spec => [id, restart, shutdown, significant, kind])
}

/** Makes a list of specs valid: each id once, significant only where that may be. */
function sound(specs: readonly Spec[], autoShutdown: AutoShutdown): Spec[] {
  return specs
    .filter(([id], index) => specs.findIndex((other) => other[0] === id) === index)
    .map(([id, restart, shutdown, significant, kind]): Spec => {
      const isSignificant = significant && restart !== 'permanent' && autoShutdown !== 'never'
      return [id, restart, shutdown, isSignificant, kind]
    })
}

const anyStaticStrategy = fc.constantFrom<Strategy>('one_for_one', 'rest_for_one', 'one_for_all')
const anyFlags: fc.Arbitrary<Flags> = fc.tuple(anyStaticStrategy, anyIntensity, anyAutoShutdown)
/** A combination that bough refuses where it is written has no place in a queue. */
const no = fc.constant(false)

function anySupervisorSpec(anySignificant: fc.Arbitrary<boolean>): fc.Arbitrary<Spec> {
  const anyInner = fc.array(anyWorkerSpec(fc.constantFrom('x', 'y'), fc.boolean()), { maxLength: 2 })
  return fc.tuple(anyRestart, anySignificant, anyFlags, anyInner).map(([restart, significant, flags, given]): Spec => {
    const specs = sound(given, flags[2]).filter(([, , , , kind]) => !kind[2])
    return ['s', restart, 'infinity', significant, ['supervisor', flags, specs]]
  })
}

const anyInitialSpecs = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: anyWorkerSpec(anyWorker, fc.boolean()) },
    { weight: 1, arbitrary: anySupervisorSpec(fc.boolean()) },
  ),
  { maxLength: 6, size: 'max' },
)

function anyPlanFor(anyId: fc.Arbitrary<string>, outcomes: readonly Outcome[]) {
  return fc.tuple(anyId, fc.array(fc.constantFrom(...outcomes), { minLength: 1, maxLength: 3 }))
}

const anyCrash: fc.Arbitrary<Command> = fc
  .tuple(anyWorker, fc.constantFrom('exit', 'stop', 'error'), anyReason)
  .map(([id, how, reason]) => ['crash', id, how, reason])

const failures: readonly Outcome[] = ['fail', 'ok', 'exit', 'error', 'ignore']

function anyStaticCommand(): fc.Arbitrary<Command> {
  const anyId = fc.oneof({ weight: 5, arbitrary: anyWorker }, { weight: 1, arbitrary: fc.constantFrom('s', 'x', 'y') })
  const anyMortal = fc.oneof({ weight: 5, arbitrary: anyWorker }, { weight: 1, arbitrary: fc.constantFrom('x', 'y') })
  const anyTarget = fc.oneof({ weight: 6, arbitrary: fc.constant('root') }, { weight: 1, arbitrary: fc.constant('s') })
  const anyPlan = fc
    .oneof(
      { weight: 5, arbitrary: anyPlanFor(anyWorker, [...failures, 'early']) },
      { weight: 1, arbitrary: anyPlanFor(fc.constantFrom('s', 'x', 'y'), failures) },
    )
    .map(([id, plan]): Command => ['plan', id, plan])
  const request = (target: fc.Arbitrary<string>, significant: fc.Arbitrary<boolean>): fc.Arbitrary<Command> =>
    fc.oneof(
      { weight: 4, arbitrary: fc.tuple(target, anyId).map(([t, id]): Command => ['terminate_child', t, id]) },
      { weight: 3, arbitrary: fc.tuple(target, anyId).map(([t, id]): Command => ['restart_child', t, id]) },
      { weight: 2, arbitrary: fc.tuple(target, anyId).map(([t, id]): Command => ['delete_child', t, id]) },
      { weight: 1, arbitrary: fc.tuple(target, anyId).map(([t, id]): Command => ['get_childspec', t, id]) },
      {
        weight: 1,
        arbitrary: fc.tuple(target, anyId).map(([t, id]): Command => ['terminate_child', t, ['latest', id]]),
      },
      {
        weight: 3,
        arbitrary: target.chain((t) =>
          fc
            .oneof(
              {
                weight: 5,
                arbitrary: anyWorkerSpec(t === 'root' ? anyWorker : fc.constantFrom('x', 'y'), significant),
              },
              { weight: t === 'root' ? 1 : 0, arbitrary: anySupervisorSpec(significant) },
            )
            .map((spec): Command => ['start_child', t, spec]),
        ),
      },
    )
  const anySignalTo = (id: fc.Arbitrary<string>) =>
    fc.tuple(id, anySignal).map(([one, reason]): Command => ['signal', one, reason])
  const anyBatch = fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: anyCrash },
        { weight: 1, arbitrary: anySignalTo(anyWorker) },
        { weight: 1, arbitrary: fc.constant<Command>(['signal', 's', 'kill']) },
        { weight: 1, arbitrary: anyWorker.map((id): Command => ['unlink', id]) },
        { weight: 5, arbitrary: request(fc.constant('root'), no) },
      ),
      { minLength: 1, maxLength: 4 },
    )
    .map((commands): Command => ['batch', commands])
  // What is asked of a child while its restart is tried again and again.
  const anyRetry = anyWorker.chain((id) =>
    fc
      .tuple(
        fc.array(fc.constantFrom<Outcome>('fail', 'exit', 'error'), { minLength: 1, maxLength: 3 }),
        anyReason,
        fc.array(
          fc.oneof(
            fc.constantFrom<Command>(
              ['terminate_child', 'root', id],
              ['restart_child', 'root', id],
              ['delete_child', 'root', id],
              ['start_child', 'root', [id, 'permanent', 5_000, false, ['worker', true, false]]],
            ),
            request(fc.constant('root'), no),
            anyCrash,
          ),
          { minLength: 1, maxLength: 4 },
        ),
      )
      .map(([plan, reason, then]): Command => ['batch', [['plan', id, plan], ['crash', id, 'stop', reason], ...then]]),
  )
  return fc.oneof(
    { weight: 5, arbitrary: anyRetry },
    {
      weight: 5,
      arbitrary: fc
        .tuple(anyMortal, fc.constantFrom('exit', 'stop', 'error'), anyReason)
        .map(([id, how, reason]): Command => ['crash', id, how, reason]),
    },
    { weight: 3, arbitrary: anySignalTo(anyId) },
    { weight: 8, arbitrary: request(anyTarget, fc.boolean()) },
    { weight: 5, arbitrary: anyPlan },
    { weight: 5, arbitrary: anyBatch },
    { weight: 1, arbitrary: anyMortal.map((id): Command => ['unlink', id]) },
  )
}

/** The end of the supervisor itself, rare enough to leave time for the rest; what follows it is asked of a dead one. */
const anyEnd: fc.Arbitrary<Command> = fc.oneof(
  anySignal.map((reason): Command => ['signal', 'root', reason]),
  anyReason.map((reason): Command => ['stop', reason]),
)

function anyLife(anyCommand: fc.Arbitrary<Command>): fc.Arbitrary<Command[]> {
  const weighted = fc.oneof({ weight: 60, arbitrary: anyCommand }, { weight: 1, arbitrary: anyEnd })
  return fc
    .tuple(fc.array(weighted, { maxLength: COMMANDS_MAX, size: 'max' }), fc.option(anyEnd, { nil: undefined }))
    .map(([commands, end]) => (end === undefined ? commands : [...commands, end]))
}

/**
 * Where one crash ends many, a child that crashes on its own does so in the middle of it, and there is no order to compare:
 * such outcomes are left to one_for_one.
 */
function withoutEarly(command: Command): Command {
  if (command[0] !== 'plan') return command
  return ['plan', command[1], command[2].map((outcome) => (outcome === 'early' ? 'fail' : outcome))]
}

/** Supervisors one_for_one, rest_for_one and one_for_all, with one more supervisor among their children. */
export const anyStaticScenario: fc.Arbitrary<SupervisorScenario> = fc
  .record({
    flags: anyFlags,
    specs: anyInitialSpecs,
    // One in a few keeps what may be forbidden.
    isSound: fc.integer({ min: 0, max: 19 }).map((chance) => chance < 19),
    plans: fc.array(anyPlanFor(fc.constantFrom(...workers, 's', 'x', 'y'), failures.slice(1)), { maxLength: 1 }),
    commands: anyLife(anyStaticCommand()),
    seed: fc.nat(1_000),
  })
  .map(({ flags, specs, isSound, plans, commands, seed }) => ({
    flags,
    specs: isSound ? sound(specs, flags[2]) : specs,
    plans,
    commands: flags[0] === 'one_for_one' ? commands : commands.map(withoutEarly),
    seed,
  }))

const anyTag = fc.constantFrom('a', 'b')
const anyDynamicRequest: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(anyTag, fc.constantFrom<Outcome>('ok', 'ok', 'ok', 'ignore', 'fail', 'exit', 'error'))
      .map(([tag, outcome]): Command => ['start_child', 'root', [tag, outcome]]),
  },
  { weight: 3, arbitrary: anyTag.map((tag): Command => ['terminate_child', 'root', ['latest', tag]]) },
  { weight: 1, arbitrary: anyTag.map((tag): Command => ['get_childspec', 'root', ['latest', tag]]) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('terminate_child', 'restart_child', 'delete_child', 'get_childspec'), anyWorker)
      .map(([op, id]): Command => [op, 'root', id]),
  },
)

const anyDynamicCrash: fc.Arbitrary<Command> = fc
  .tuple(anyTag, fc.constantFrom('exit', 'stop', 'error'), anyReason)
  .map(([id, how, reason]) => ['crash', id, how, reason])

const anyDynamicBlow: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: anyDynamicCrash },
  { weight: 2, arbitrary: fc.tuple(anyTag, anySignal).map(([id, reason]): Command => ['signal', id, reason]) },
  { weight: 1, arbitrary: anyTag.map((id): Command => ['unlink', id]) },
)

const anyDynamicCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: anyDynamicRequest },
  { weight: 5, arbitrary: anyDynamicBlow },
  {
    weight: 3,
    // No `ignore` here: OTP 25 stores a restarted child that is ignored as undefined and crashes over it later.
    arbitrary: anyPlanFor(anyTag, ['fail', 'ok', 'exit', 'error', 'early']).map(
      ([id, plan]): Command => ['plan', id, plan],
    ),
  },
  {
    weight: 3,
    arbitrary: anyTag.chain((tag) =>
      fc
        .tuple(
          fc.array(fc.constantFrom<Outcome>('fail', 'exit', 'error'), { minLength: 1, maxLength: 3 }),
          anyReason,
          fc.array(
            fc.oneof(
              fc.constant<Command>(['terminate_child', 'root', ['latest', tag]]),
              anyDynamicRequest,
              anyDynamicCrash,
            ),
            { minLength: 1, maxLength: 4 },
          ),
        )
        .map(
          ([plan, reason, then]): Command => ['batch', [['plan', tag, plan], ['crash', tag, 'stop', reason], ...then]],
        ),
    ),
  },
  {
    weight: 4,
    arbitrary: fc
      .array(fc.oneof(anyDynamicRequest, anyDynamicBlow), { minLength: 1, maxLength: 4 })
      .map((commands): Command => ['batch', commands]),
  },
)

/** Supervisors simple_one_for_one. */
export const anyDynamicScenario: fc.Arbitrary<SupervisorScenario> = fc
  .record({
    intensity: anyIntensity,
    autoShutdown: anyAutoShutdown,
    spec: anyWorkerSpec(fc.constant('template'), fc.boolean()),
    commands: anyLife(anyDynamicCommand),
    seed: fc.nat(1_000),
  })
  .map(({ intensity, autoShutdown, spec, commands, seed }) => ({
    flags: ['simple_one_for_one', intensity, autoShutdown],
    specs: sound([spec], autoShutdown),
    plans: [],
    commands,
    seed,
  }))
