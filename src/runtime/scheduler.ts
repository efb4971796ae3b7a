/**
 * When the run queue gets the processor. A scheduler is asked for a *turn* whenever a process becomes runnable; in a turn
 * the system handles at most `messagesPerTurn` messages or `turnMs` milliseconds, each process at most `messagesPerActor`
 * before the next one.
 *
 * The real scheduler is a hybrid. The first turn of a burst runs as a microtask (a call's round trip takes one third of
 * what it takes through the event loop); once a macrotask has spent its budget, turns go through `setImmediate`, so input,
 * output and timers are served between them. Microtasks alone would starve both for ever under actors that feed each other.
 *
 * Nor may input starve the processes: under a flood the event loop reads whatever has come before it gives them a turn, so a turn
 * is longer after a long wait for it, `PROCESS_SHARE` times as long, once one long wait follows another (a garbage collection is no
 * flood). Without this a server that is asked for too much would spend its time on taking requests in. After: J. Mogul, K. Ramakrishnan, Eliminating receive livelock in an interrupt-driven kernel,
 * ACM TOCS 15(3), 1997.
 */
export interface Scheduler {
  /** Messages that one process handles before the next one's turn. */
  readonly messagesPerActor: number
  /** Messages in one turn at most; read at each turn. */
  readonly messagesPerTurn: number
  /** Milliseconds in one turn at most; `Infinity` for no bound. */
  readonly turnMs: number
  /**
   * Runs `turn` soon, not now. `handled` says how many messages the system has handled so far in all, `lastTurnAt` when its
   * last turn began, in milliseconds of its clock.
   */
  request(turn: () => void, handled: number, lastTurnAt: number): void
  /** A turn ended with work left over: let input and output be served, then run `turn`. */
  proceed(turn: () => void): void
  /**
   * Runs `callback` once the event loop has read what input has come by now. What a server reads in one pass it then works on
   * together, one stage behind the other, and not between the reads. Absent: at once.
   */
  afterInput?(callback: () => void): void
  /** Picks which of `runnable` waiting processes runs next, 0 being the one that waits longest. Absent: always 0. */
  pick?(runnable: number): number
}

/** The bounds of `createScheduler`. */
export interface SchedulerOptions {
  /** Messages that one process handles before the next one's turn; default 64. */
  readonly messagesPerActor?: number
  /** Messages in one turn; default 1 024. */
  readonly messagesPerTurn?: number
  /** Milliseconds in one turn, looked at every `messagesPerActor` messages; default 2. */
  readonly turnMs?: number
}

/** What processes may take of the processor while they are behind, against what input and output took before. */
const PROCESS_SHARE = 4
/** Milliseconds that such a turn may take at most. */
const LONG_TURN_MS_MAX = 200
/** Waits of which the shortest says how long they are. */
const WAITS_SEEN = 3

/** Resolves when all microtasks that are due, and those they cause, have run. For simulations. */
export function afterMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Creates the scheduler that `createSystem` uses unless it is given another. */
export function createScheduler(options: SchedulerOptions = {}): Scheduler {
  const messagesPerTurn = options.messagesPerTurn ?? 1_024
  const turnMs = options.turnMs ?? 2
  /** The next turn's length against an ordinary one: at least 1. */
  let stretch = 1
  /** When a turn was put off behind input and output. */
  let putOffAt = 0
  /** Milliseconds of the last waits, in no order. */
  const waitsMs = new Array<number>(WAITS_SEEN).fill(0)
  let waits = 0
  const resume = (turn: () => void): void => {
    waitsMs[waits++ % WAITS_SEEN] = performance.now() - putOffAt
    const waitedMs = Math.min(...waitsMs)
    stretch = Math.max(1, Math.min(waitedMs * PROCESS_SHARE, LONG_TURN_MS_MAX) / Math.max(turnMs, 1))
    turn()
    stretch = 1
  }
  const beginWait = (): void => {
    putOffAt = performance.now()
  }
  const putOff = (turn: () => void): void => {
    // What the turn has written leaves in ticks of its own, which are no input: the wait begins behind them.
    process.nextTick(beginWait)
    setImmediate(resume, turn)
  }
  // A reaction to a settled promise is a microtask at a third of what `queueMicrotask` costs in Node.
  const settled = Promise.resolve()
  let isFresh = true
  let handledBefore = 0
  let turnBefore = 0
  const endMacrotask = (): void => {
    isFresh = true
  }
  return {
    messagesPerActor: options.messagesPerActor ?? 64,
    get messagesPerTurn() {
      return messagesPerTurn * stretch
    },
    get turnMs() {
      return turnMs * stretch
    },
    request(turn, handled, lastTurnAt) {
      if (isFresh) {
        isFresh = false
        handledBefore = handled
        turnBefore = 0
        setImmediate(endMacrotask)
        void settled.then(turn)
        return
      }
      // The first turn of the macrotask began after its request: from then on its time is known.
      if (turnBefore === 0) turnBefore = lastTurnAt
      if (handled - handledBefore < messagesPerTurn && lastTurnAt - turnBefore < turnMs) void settled.then(turn)
      else putOff(turn)
    },
    proceed: putOff,
    afterInput: (callback) => void setImmediate(callback),
  }
}
