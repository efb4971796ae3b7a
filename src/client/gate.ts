/**
 * Lets so many requests be in flight at once and has the others wait their turn: backpressure for a server that should not be
 * given all at once. Who waits too long, or is one too many, is told that nothing was sent.
 */
import type { CallJob } from '#actors/client-calls'
import type { ClientServices, Outcome } from '#actors/client-services'
import type { System } from '#runtime'
import { clientError } from './errors.ts'
import { type ConnectOptions, milliseconds } from './options.ts'

export class Gate {
  private readonly system: System
  private readonly inFlightMax: number
  private readonly waitingMax: number
  private readonly waiting = new Set<() => void>()
  private inFlight = 0

  /** At most `inFlightMax` requests in flight and `waitingMax` that wait. */
  constructor(system: System, inFlightMax: number, waitingMax: number) {
    this.system = system
    this.inFlightMax = inFlightMax
    this.waitingMax = waitingMax
  }

  /** Sends a request when it is its turn. Rejects with `ClientError`. */
  async through(job: CallJob, signal: AbortSignal | undefined, send: () => Promise<Outcome>): Promise<Outcome> {
    // Without a wait it is sent in this very turn.
    if (this.inFlight < this.inFlightMax) this.inFlight++
    else await this.turn(job, signal)
    try {
      return await send()
    } finally {
      this.leave()
    }
  }

  /** Resolves when the place of a request that left is this one's. */
  private turn({ method, timeoutMs }: CallJob, signal: AbortSignal | undefined): Promise<void> {
    const { waiting, inFlightMax, waitingMax, system } = this
    if (waiting.size >= waitingMax) {
      const message = `${method} was not sent: ${inFlightMax} requests are in flight and ${waitingMax} wait. Wait for some of them.`
      return Promise.reject(clientError('overload', message))
    }
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        leave()
        resolve()
      }
      const abort = (): void => {
        leave()
        reject(
          clientError('cancelled', `${method}: the request was cancelled. It was not sent.`, false, signal?.reason),
        )
      }
      const late = (): void => {
        leave()
        const message = `${method}: ${inFlightMax} requests were in flight for ${timeoutMs} ms. It was not sent.`
        reject(clientError('timeout', message))
      }
      const leave = (): void => {
        waiting.delete(enter)
        system.timers.cancel(timer)
        signal?.removeEventListener('abort', abort)
      }
      const timer = system.timers.start(timeoutMs, late)
      waiting.add(enter)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  private leave(): void {
    const [next] = this.waiting
    if (next === undefined) this.inFlight--
    else next()
  }
}

/** The gate that the options ask for, if any. Throws a `TypeError` for a wrong option. */
export function gateOf({ maxInFlight }: ConnectOptions, { system, settings }: ClientServices): Gate | undefined {
  const inFlightMax = milliseconds('maxInFlight', maxInFlight, settings.callsMax)
  if (inFlightMax >= settings.callsMax) return undefined
  return new Gate(system, inFlightMax, settings.callsMax - inFlightMax)
}
