/**
 * A circuit breaker stands before something that may be down, and says at once what asking would find out late. It counts
 * failures in a row; with too many the circuit opens, after a while it lets a few calls through to see, and closes with the first
 * that succeeds. Callers read its table, which outlives it, and tell it only what changes something.
 *
 *     const admission = admit(circuit, now)        // 'yes', 'trial', or { retryAfterMs }
 *     tellBreaker(circuit, 'failed', admission === 'trial')
 */
import { type CircuitEvent, type CircuitPhase, firstCircuitPhase, nextCircuitPhase } from '#lifecycles/circuit'
import { type ChildSpec, child, createNames, defineActor, type NameTable, type Self, type Timer, via } from '#runtime'

export interface BreakerSettings {
  /** Failures in a row that open the circuit. */
  readonly failures: number
  /** Milliseconds that it stays open before calls are tried again. */
  readonly resetMs: number
  /** Calls that are tried at once while it is half open. */
  readonly trials: number
}

/** What a call told of the other side: it answers, it does not, or the call says nothing of that. */
export type Verdict = 'succeeded' | 'failed' | 'neutral'

/** The breaker's table. Written by its process; `trials` also by those that are admitted. */
export interface Circuit {
  readonly settings: BreakerSettings
  readonly names: NameTable
  /** Told of each change. Must not throw. */
  readonly changed: (phase: CircuitPhase) => void
  phase: CircuitPhase
  /** Failures in a row. */
  failures: number
  /** Until when it stays open, on the system's clock. */
  openUntilMs: number
  /** Trials under way. */
  trials: number
}

const BREAKER = 'circuit-breaker'

/** A closed circuit, for a breaker to keep. */
export function createCircuit(settings: BreakerSettings, changed: Circuit['changed'] = () => undefined): Circuit {
  const phase = firstCircuitPhase
  return { settings, names: createNames(), changed, phase, failures: 0, openUntilMs: 0, trials: 0 }
}

interface State {
  readonly circuit: Circuit
  timer: Timer | undefined
}

export const CircuitBreaker = defineActor({
  name: BREAKER,
  init: (circuit: Circuit, self: Self<never>): State => {
    // Nobody tells this incarnation of trials that an earlier one let through and was to hear of.
    circuit.trials = 0
    const state: State = { circuit, timer: undefined }
    if (circuit.phase === 'open') coolLater(state, self)
    return state
  },
  cast: {
    told: (
      state,
      { verdict, isTrial }: { readonly verdict: Verdict; readonly isTrial: boolean },
      self: Self<State>,
    ) => {
      const { circuit } = state
      if (isTrial) circuit.trials = Math.max(circuit.trials - 1, 0)
      if (verdict === 'succeeded') {
        circuit.failures = 0
        // A call from before the circuit opened is no news of how it is now.
        if (isTrial) go(state, 'succeed', self)
      } else if (verdict === 'failed') {
        circuit.failures++
        if (circuit.phase === 'half_open' && isTrial) go(state, 'fail', self)
        else if (circuit.failures >= circuit.settings.failures) go(state, 'trip', self)
      }
    },
    /** There is a sign of life from elsewhere: calls may be tried before the time is over. */
    alive: (state, _none: undefined, self: Self<State>) => {
      go(state, 'cool', self)
    },
  },
  info: (state, _cool, self: Self<State>) => {
    state.timer = undefined
    go(state, 'cool', self)
  },
})

function go(state: State, event: CircuitEvent, self: Self<State> | Self<never>): void {
  const { circuit } = state
  const phase = nextCircuitPhase(circuit.phase, event)
  if (phase === undefined) return
  circuit.phase = phase
  circuit.trials = 0
  if (state.timer !== undefined) self.cancelTimer(state.timer)
  state.timer = undefined
  if (phase === 'open') {
    circuit.openUntilMs = self.now() + circuit.settings.resetMs
    coolLater(state, self)
  } else if (phase === 'closed') circuit.failures = 0
  circuit.changed(phase)
}

function coolLater(state: State, self: Self<State> | Self<never>): void {
  state.timer = self.sendAfter(Math.max(state.circuit.openUntilMs - self.now(), 0), 'cool')
}

/** Whether a call may be made now. 'trial' is one of a few, and must be told of; otherwise, when to come again. */
export function admit(circuit: Circuit, nowMs: number): 'yes' | 'trial' | { readonly retryAfterMs: number } {
  if (circuit.phase === 'closed') return 'yes'
  if (circuit.phase === 'half_open' && circuit.trials < circuit.settings.trials) {
    circuit.trials++
    return 'trial'
  }
  // While a trial is under way nobody knows; by then it will have failed or succeeded.
  const untilMs = circuit.phase === 'open' ? circuit.openUntilMs : nowMs + circuit.settings.resetMs
  return { retryAfterMs: Math.max(Math.ceil(untilMs - nowMs), 1) }
}

/** Tells the breaker how a call went. Costs nothing while all is well. */
export function tellBreaker(circuit: Circuit, verdict: Verdict, isTrial = false): void {
  const isNews = isTrial || verdict === 'failed' || (verdict === 'succeeded' && circuit.failures > 0)
  if (isNews) void via<typeof CircuitBreaker>(circuit.names, BREAKER).cast('told', { verdict, isTrial })
}

/** Tells the breaker that the other side is there, though no call went through. */
export function tellAlive(circuit: Circuit): void {
  if (circuit.phase === 'open') void via<typeof CircuitBreaker>(circuit.names, BREAKER).cast('alive')
}

export function circuitBreakerChild(circuit: Circuit): ChildSpec {
  return child(CircuitBreaker, circuit, { id: BREAKER, name: via(circuit.names, BREAKER) })
}
