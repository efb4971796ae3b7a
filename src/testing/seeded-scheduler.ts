/**
 * A scheduler whose order comes from a seed or from a schedule: every process handles one message at a time, which of the
 * waiting ones is next is chosen, and so is how many messages pass before pending promises get their say. Turns are
 * microtasks: between two macrotasks the simulated world runs until nothing is left to do.
 */
import type { Random, Scheduler } from '#runtime'
import type { Choices } from './choices.ts'
import type { Choice } from './schedule.ts'

/** Messages in one turn at most: the length of a turn is chosen from 1 to this; a shorter turn is the rarer choice. */
const MESSAGES_PER_TURN_MAX = 16

export interface SeededSchedulerOptions {
  readonly random: Random
  readonly turnsMax: number
  /** Who went ahead of how many that waited longer. */
  readonly picks: Choices
  /** By how many messages a turn was shorter than the longest. */
  readonly turns: Choices
  /** Lines of the trace so far. */
  readonly line: () => number
}

export class SeededScheduler implements Scheduler {
  readonly messagesPerActor = 1
  readonly turnMs = Number.POSITIVE_INFINITY
  private readonly options: SeededSchedulerOptions
  private turns = 0
  private turn: Choice = { at: 0, value: 0 }

  constructor(options: SeededSchedulerOptions) {
    this.options = options
  }

  get messagesPerTurn(): number {
    const { random, turns } = this.options
    const longest = MESSAGES_PER_TURN_MAX - 1
    this.turn = turns.next(longest, () => longest - Math.floor(random.next() * MESSAGES_PER_TURN_MAX))
    return MESSAGES_PER_TURN_MAX - this.turn.value
  }

  request(turn: () => void): void {
    queueMicrotask(() => {
      // Microtasks that never end would hold the whole program; so the world stops here, for good.
      if (++this.turns <= this.options.turnsMax) turn()
    })
  }

  /** Work was left over: only then has the length of the turn made a difference. */
  proceed(turn: () => void): void {
    this.options.turns.note(this.turn, this.options.line())
    this.request(turn)
  }

  pick(runnable: number): number {
    if (runnable === 1) return 0
    const { random, picks } = this.options
    const choice = picks.next(runnable - 1, () => Math.floor(random.next() * runnable))
    picks.note(choice, this.options.line())
    return choice.value
  }

  /** A macrotask has passed: the bound on turns starts anew. False when it was reached. */
  rest(): boolean {
    if (this.turns > this.options.turnsMax) return false
    this.turns = 0
    return true
  }
}
