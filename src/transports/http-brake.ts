/**
 * The brake on connections that ask on while they are refused. To read, to understand and to refuse a request costs a part of what
 * serving it does, and a server that is asked for many times what it can do would spend all its time on saying so. So when refusals
 * come faster than one in `PACE_MS`, the connection of each is read again only after a moment: what its client sends meanwhile
 * waits in the client's own buffers and costs nothing here. Nobody waits long for it, and who is not refused never does.
 *
 * After: J. Mogul, K. Ramakrishnan, Eliminating receive livelock in an interrupt-driven kernel, ACM TOCS 15(3), 1997.
 */
import type { Socket } from 'node:net'
import type { Clock } from '#runtime/clock'

/** Milliseconds between two refusals from which on connections are held. */
const PACE_MS = 2
/** Below this a connection is not worth holding, in milliseconds. */
const HOLD_MS_MIN = 20
/** The longest that a connection is held, in milliseconds: a ping on it is still answered within a second. */
const HOLD_MS_MAX = 500

export class HttpBrake {
  readonly #clock: Clock
  /** When the connection that was refused last is read again. */
  #freeAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A request that came over `socket` was refused. */
  refused(socket: Socket): void {
    const now = this.#clock.now()
    this.#freeAt = Math.min(Math.max(this.#freeAt, now) + PACE_MS, now + HOLD_MS_MAX)
    const holdMs = this.#freeAt - now
    if (holdMs < HOLD_MS_MIN || socket.isPaused()) return
    socket.pause()
    const timer = this.#clock.setTimer(() => socket.resume(), holdMs)
    // A connection that is held must not hold the program.
    this.#clock.holdTimer?.(timer, false)
  }
}
