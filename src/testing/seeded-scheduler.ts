/**
 * A scheduler whose order comes from a seed: every process handles one message at a time, which of the waiting ones is next
 * is drawn, and so is how many messages pass before pending promises get their say. Turns are microtasks: between two
 * macrotasks the simulated world runs until nothing is left to do.
 */
import type { Random, Scheduler } from '#runtime'

/** Messages in one turn at most: the length of a turn is drawn from 1 to this. */
const MESSAGES_PER_TURN_MAX = 16

export class SeededScheduler implements Scheduler {
  readonly messagesPerActor = 1
  readonly turnMs = Number.POSITIVE_INFINITY
  private readonly random: Random
  private readonly turnsMax: number
  private turns = 0

  constructor(random: Random, turnsMax: number) {
    this.random = random
    this.turnsMax = turnsMax
  }

  get messagesPerTurn(): number {
    return 1 + Math.floor(this.random.next() * MESSAGES_PER_TURN_MAX)
  }

  request(turn: () => void): void {
    queueMicrotask(() => {
      // Microtasks that never end would hold the whole program; so the world stops here, for good.
      if (++this.turns <= this.turnsMax) turn()
    })
  }

  proceed(turn: () => void): void {
    this.request(turn)
  }

  pick(runnable: number): number {
    return runnable === 1 ? 0 : Math.floor(this.random.next() * runnable)
  }

  /** A macrotask has passed: the bound on turns starts anew. False when it was reached. */
  rest(): boolean {
    if (this.turns > this.turnsMax) return false
    this.turns = 0
    return true
  }
}
