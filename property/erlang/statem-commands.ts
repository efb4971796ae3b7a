/** Random scenarios of a gen_statem with the states s1, s2 and s3. */
import fc from 'fast-check'
import type {
  Command,
  Event,
  Reaction,
  Result,
  ScriptedAction,
  State,
  StatemScenario,
  Time,
  Timer,
} from './statem-scenario.ts'
import type { ReasonName } from './words.ts'

/** Commands in one scenario at most. */
const COMMANDS_MAX = 8
/** How deep events are nested in the actions of events. */
const DEPTH_MAX = 3

const anyState = fc.constantFrom<State>('s1', 's2', 's3')
const anyTimer = fc.constantFrom<Timer>('state_timeout', 'event_timeout', 't1', 't2')
const anyTime = fc.constantFrom<Time>(0, 0, 0, 1_000_000, 'infinity')
const anyReason = fc.constantFrom<ReasonName>('normal', 'boom', 'shutdown_x')
const anyTag = fc.nat(99).map((number) => `e${number}`)

const anyResult: fc.Arbitrary<Result> = fc.oneof(
  { weight: 20, arbitrary: anyState.map((state): Result => ['next', state]) },
  { weight: 20, arbitrary: fc.constant<Result>('keep') },
  { weight: 6, arbitrary: fc.constant<Result>('repeat') },
  { weight: 1, arbitrary: anyReason.map((reason): Result => ['stop', reason]) },
  { weight: 1, arbitrary: fc.constant<Result>('error') },
)

function anyTimerAction(depth: number): fc.Arbitrary<ScriptedAction> {
  return fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .tuple(anyTimer, anyTime, anyEvent(depth))
        .map(([timer, time, event]) => ['start', timer, time, event] as const),
    },
    { weight: 1, arbitrary: anyTimer.map((timer) => ['cancel', timer] as const) },
    {
      weight: 1,
      arbitrary: fc.tuple(anyTimer, anyEvent(depth)).map(([timer, event]) => ['update', timer, event] as const),
    },
  )
}

function anyInsertion(depth: number): fc.Arbitrary<ScriptedAction> {
  return fc
    .tuple(fc.constantFrom('internal', 'cast', 'info'), anyEvent(depth))
    .map(([type, event]) => ['next_event', type, event] as const)
}

function anyAction(depth: number): fc.Arbitrary<ScriptedAction> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<ScriptedAction>(['reply', 'yes'], ['reply', 'no']) },
    { weight: 4, arbitrary: fc.constant<ScriptedAction>(['postpone']) },
    { weight: 4, arbitrary: anyInsertion(depth) },
    { weight: 5, arbitrary: anyTimerAction(depth) },
  )
}

function anyEvent(depth: number): fc.Arbitrary<Event> {
  if (depth === 0) return anyTag.map((tag): Event => [tag, []])
  const anyReaction: fc.Arbitrary<Reaction> = fc.tuple(
    anyState,
    anyResult,
    fc.array(anyAction(depth - 1), { maxLength: 3 }),
  )
  return fc.tuple(anyTag, fc.array(anyReaction, { maxLength: 3 }))
}

const anyMessage: fc.Arbitrary<Command> = fc
  .tuple(fc.constantFrom('call', 'cast', 'info'), anyEvent(DEPTH_MAX))
  .map(([type, event]) => [type, event])

/** What a state does when it is entered: the same each time, and little, for it runs often. */
const anyEnter: fc.Arbitrary<Reaction> = fc.tuple(
  anyState,
  fc.oneof(
    { weight: 60, arbitrary: fc.constant<Result>('keep') },
    { weight: 1, arbitrary: fc.constant<Result>('error') },
  ),
  fc.array(anyTimerAction(1), { maxLength: 2 }),
)

export const anyStatemScenario: fc.Arbitrary<StatemScenario> = fc.record({
  actions: fc.array(fc.oneof(anyInsertion(1), anyTimerAction(1)), { maxLength: 2 }),
  enters: fc.array(anyEnter, { maxLength: 3 }),
  commands: fc.array(
    fc.oneof(
      { weight: 20, arbitrary: anyMessage },
      {
        weight: 20,
        arbitrary: fc.array(anyMessage, { minLength: 2, maxLength: 4 }).map((commands): Command => ['batch', commands]),
      },
      { weight: 1, arbitrary: anyReason.map((reason): Command => ['stop', reason]) },
    ),
    { maxLength: COMMANDS_MAX, size: 'max' },
  ),
  seed: fc.nat(1_000),
})
