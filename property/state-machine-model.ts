/**
 * A model of state machines made of plain lists: OTP's rules of gen_statem written down as simply as they can be, and the
 * scripts that it plays. A script says what a machine does with each event, the n-th time it handles it, and what arrives
 * when; since each event has finitely many reactions, every script ends.
 */
import fc from 'fast-check'

export type Timer = 'stateTimeout' | 'eventTimeout' | 'x' | 'y'

/** One action of a handler, in the words of all: `as` belongs to 'insert', `timer` to those about timers. */
export interface Act {
  readonly do: 'postpone' | 'insert' | 'start' | 'startAt' | 'cancel' | 'never' | 'update'
  readonly as: 'internal' | 'cast' | 'info' | 'stateTimeout'
  readonly timer: Timer
  readonly ms: number
  /** The number of the event that the action makes. */
  readonly event: number
}

export interface Reaction {
  /** A state to go to, or to keep or repeat the current one. */
  readonly move: 'a' | 'b' | 'c' | 'keep' | 'repeat'
  readonly acts: readonly Act[]
  /** Whether the real handler gives a promise: it must make no difference. */
  readonly isAsync: boolean
}

export interface Script {
  /** By event number: what each handling of it does; after the last one nothing. */
  readonly events: readonly (readonly Reaction[])[]
  /** By state: what each entry does; 'repeat' or 'keep', and timers. */
  readonly enters: Readonly<Record<string, readonly Reaction[]>>
  readonly arrivals: readonly { readonly afterMs: number; readonly as: 'cast' | 'info'; readonly event: number }[]
}

const EVENTS = 6
/** Virtual milliseconds after the last arrival in which every timer ends. */
export const REST_MS = 10_000
const anyEvent = fc.nat(EVENTS - 1)
const anyActOf = (...kinds: Act['do'][]): fc.Arbitrary<Act> =>
  fc.record({
    do: fc.constantFrom(...kinds),
    as: fc.constantFrom('internal', 'cast', 'info', 'stateTimeout'),
    timer: fc.constantFrom('stateTimeout', 'eventTimeout', 'x', 'y'),
    ms: fc.constantFrom(0, 0, 0, 1, 7, 20, 33),
    event: anyEvent,
  })
const anyTimerAct = anyActOf('start', 'start', 'start', 'startAt', 'cancel', 'never', 'update')
const anyAct = fc.oneof(
  { arbitrary: anyActOf('postpone'), weight: 3 },
  { arbitrary: anyActOf('insert'), weight: 2 },
  { arbitrary: anyTimerAct, weight: 3 },
)
const anyReaction: fc.Arbitrary<Reaction> = fc.record({
  move: fc.constantFrom('a', 'b', 'c', 'keep', 'repeat'),
  acts: fc.array(anyAct, { maxLength: 3 }),
  isAsync: fc.boolean(),
})
const anyEntry: fc.Arbitrary<Reaction> = fc.record({
  move: fc.constantFrom('keep' as const, 'keep' as const, 'repeat' as const),
  acts: fc.array(anyTimerAct, { maxLength: 2 }),
  isAsync: fc.boolean(),
})
const anyEntries = fc.array(anyEntry, { maxLength: 3 })
export const anyScript: fc.Arbitrary<Script> = fc.record({
  events: fc.array(fc.array(anyReaction, { maxLength: 4 }), { minLength: EVENTS, maxLength: EVENTS }),
  enters: fc.record({ a: anyEntries, b: anyEntries, c: anyEntries }),
  arrivals: fc.array(
    fc.record({
      afterMs: fc.constantFrom(0, 0, 0, 1, 7, 15, 40),
      as: fc.constantFrom('cast' as const, 'info' as const),
      event: anyEvent,
    }),
    { minLength: 1, maxLength: 10 },
  ),
})

/** A moment of the clock is always later here; only a length of time can be zero. */
export function delayOf(act: Act): number {
  return act.do === 'startAt' ? act.ms + 1 : act.ms
}

export const nothing: Reaction = { move: 'keep', acts: [], isAsync: false }

/** Says what a script's machine does, and notes it: used by the model and, as transitions, by the real machines. */
export class Player {
  readonly seen: string[] = []
  private readonly script: Script
  private readonly times = new Map<string, number>()

  constructor(script: Script) {
    this.script = script
  }

  handled(type: string, state: string, event: number): Reaction {
    this.seen.push(`${type} ${event} in ${state}`)
    return this.nth(`${event}`, this.script.events[event] ?? [])
  }

  entered(state: string, previous: string): Reaction {
    this.seen.push(`enter ${state} from ${previous}`)
    return this.nth(state, this.script.enters[state] ?? [])
  }

  private nth(key: string, reactions: readonly Reaction[]): Reaction {
    const time = this.times.get(key) ?? 0
    this.times.set(key, time + 1)
    return reactions[time] ?? nothing
  }
}

// ---- the model ---------------------------------------------------------------------------------------------------------

interface ModelEvent {
  readonly type: string
  event: number
}

interface ModelTimer {
  readonly type: string
  readonly event: ModelEvent
  readonly deadline: number
}

/** Plays a script on lists. Time passes only between events. */
export function playModel(script: Script): readonly string[] {
  const player = new Player(script)
  let now = 0
  let state = 'a'
  let queue: ModelEvent[] = []
  let postponed: ModelEvent[] = []
  let zero: ModelEvent[] = []
  let timers: ModelTimer[] = []
  let mailbox: ModelEvent[] = []
  /** Timer events that are in the mailbox: still cancelled and updated as timers are. */
  let fired: ModelEvent[] = []

  const stopTimer = (type: string): void => {
    timers = timers.filter((timer) => timer.type !== type)
    zero = zero.filter((event) => event.type !== type)
    mailbox = mailbox.filter((event) => event.type !== type || !fired.includes(event))
    fired = fired.filter((event) => event.type !== type)
  }
  const find = (type: string): ModelEvent | undefined =>
    timers.find((timer) => timer.type === type)?.event ??
    zero.find((event) => event.type === type) ??
    fired.find((event) => event.type === type)

  const transit = (current: ModelEvent | null, reaction: Reaction): void => {
    const previous = state
    const acts = [...reaction.acts]
    const isChange = !['keep', 'repeat', state].includes(reaction.move)
    if (isChange) state = reaction.move
    for (let isEntering = isChange || reaction.move === 'repeat' || current === null; isEntering; ) {
      const entry = player.entered(state, previous)
      acts.push(...entry.acts)
      isEntering = entry.move === 'repeat'
    }
    if (current !== null && acts.some((act) => act.do === 'postpone')) postponed.push(current)
    if (isChange) {
      queue = [...postponed, ...queue]
      postponed = []
      stopTimer('stateTimeout')
    }
    stopTimer('eventTimeout')
    queue = [...acts.flatMap((act) => (act.do === 'insert' ? [{ type: act.as, event: act.event }] : [])), ...queue]
    const timerActs = acts.filter((act) => act.do !== 'postpone' && act.do !== 'insert')
    for (const [place, act] of timerActs.entries()) {
      if (timerActs.slice(place + 1).some((later) => later.timer === act.timer)) continue
      const running = find(act.timer)
      if (act.do === 'update' && running !== undefined) {
        running.event = act.event
        continue
      }
      stopTimer(act.timer)
      if (act.do === 'cancel' || act.do === 'never') continue
      const event = { type: act.timer, event: act.event }
      const delayMs = delayOf(act)
      if (act.do === 'update' || delayMs === 0) zero.push(event)
      else timers.push({ type: act.timer, event, deadline: now + delayMs })
    }
  }

  const settle = (): void => {
    for (;;) {
      const event = queue.shift() ?? zero.shift() ?? mailbox.shift()
      if (event === undefined) return
      fired = fired.filter((other) => other !== event)
      transit(event, player.handled(event.type, state, event.event))
    }
  }

  const goTo = (time: number): void => {
    for (;;) {
      const deadline = Math.min(...timers.map((timer) => timer.deadline))
      if (deadline > time) break
      now = deadline
      const due = timers.filter((timer) => timer.deadline === now).map((timer) => timer.event)
      timers = timers.filter((timer) => timer.deadline !== now)
      mailbox.push(...due)
      fired.push(...due)
      settle()
    }
    now = time
  }

  transit(null, nothing)
  settle()
  for (const [place, { afterMs, as, event }] of script.arrivals.entries()) {
    // What arrives together is in the mailbox together.
    if (afterMs > 0 || place === 0) settle()
    goTo(now + afterMs)
    mailbox.push({ type: as, event })
  }
  settle()
  goTo(now + REST_MS)
  return [...player.seen, `ends in ${state}`]
}
