/**
 * Who gets which connection of a pool, and who waits. A call shares a connection with others, up to `maxInFlight`; a user who
 * takes one has it alone. Those who wait are served in the order they came; one who wants a connection alone has the least busy
 * one kept free for it, while calls go on over the others.
 */
import type { Held, Slot } from '#actors/client-pool'
import type { System } from '#runtime'
import { type ClientError, clientError } from './errors.ts'

export type Strategy = 'least_busy' | 'round_robin' | 'random'

export interface CheckoutSettings {
  readonly strategy: Strategy
  /** Calls over one connection at once. */
  readonly maxInFlight: number
  /** Those who may wait. */
  readonly queueMax: number
  /** Milliseconds that they may wait. */
  readonly checkoutTimeoutMs: number
}

interface Waiter<H extends Held> {
  readonly isAlone: boolean
  readonly take: (slot: Slot<H>) => void
  readonly refuse: (error: ClientError) => void
}

export class Checkouts<H extends Held> {
  private readonly system: System
  private readonly settings: CheckoutSettings
  private readonly slots: ReadonlySet<Slot<H>>
  private readonly isOperating: (held: H) => boolean
  /** Called when somebody waits who could be served by one more connection. */
  private readonly more: () => void
  private readonly waiting = new Set<Waiter<H>>()
  private readonly reserved = new Map<Slot<H>, Waiter<H>>()
  private turn = 0

  constructor(
    system: System,
    settings: CheckoutSettings,
    slots: ReadonlySet<Slot<H>>,
    isOperating: (held: H) => boolean,
    more: () => void,
  ) {
    this.system = system
    this.settings = settings
    this.slots = slots
    this.isOperating = isOperating
    this.more = more
  }

  /** How many wait. */
  get queued(): number {
    return this.waiting.size + this.reserved.size
  }

  /** A place to call over, at once where there is one. Rejects with `ClientError`; `giveBack` returns it. */
  take(what: string, isAlone: boolean, signal?: AbortSignal): Slot<H> | Promise<Slot<H>> {
    const slot = this.waiting.size === 0 ? this.choose(isAlone) : undefined
    if (slot !== undefined) return this.hand(slot, isAlone)
    const { queueMax, checkoutTimeoutMs } = this.settings
    if (this.queued >= queueMax) {
      const message = `${what} was not sent: no connection of the pool is free, and ${queueMax} wait for one. Come again later.`
      return Promise.reject(clientError('overload', message))
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.system.timers.cancel(timer)
        signal?.removeEventListener('abort', abort)
        this.forget(waiter)
      }
      const refuse = (error: ClientError): void => {
        leave()
        reject(error)
        this.serve()
      }
      const abort = (): void => {
        refuse(clientError('cancelled', `${what}: the request was cancelled. It was not sent.`, false, signal?.reason))
      }
      const late = (): void => {
        const message = `${what}: no connection of the pool was free within ${checkoutTimeoutMs} ms. It was not sent.`
        refuse(clientError('timeout', message))
      }
      const take = (free: Slot<H>): void => {
        leave()
        resolve(this.hand(free, isAlone))
      }
      const waiter: Waiter<H> = { isAlone, take, refuse }
      const timer = this.system.timers.start(checkoutTimeoutMs, late)
      signal?.addEventListener('abort', abort, { once: true })
      this.waiting.add(waiter)
      this.serve()
    })
  }

  /** The call over it is done. */
  giveBack(slot: Slot<H>): void {
    slot.busy--
    slot.isTaken = false
    if (slot.busy === 0) slot.idleSinceMs = this.system.clock.now()
    if (this.queued > 0) this.serve()
  }

  /** Something may have become free. */
  serve(): void {
    for (const [slot, waiter] of [...this.reserved]) if (this.isIdle(slot)) waiter.take(slot)
    for (const waiter of [...this.waiting]) {
      const slot = this.choose(waiter.isAlone)
      if (slot !== undefined) waiter.take(slot)
      else if (waiter.isAlone && this.reserve(waiter)) this.more()
      else return this.more()
    }
  }

  /** That place has no connection any more: who waits for it waits with the others, before them. */
  lost(slot: Slot<H>): void {
    const waiter = this.reserved.get(slot)
    if (waiter === undefined) return
    const others = [...this.waiting]
    this.reserved.delete(slot)
    this.waiting.clear()
    for (const one of [waiter, ...others]) this.waiting.add(one)
    this.serve()
  }

  /** Tells all who wait that it is in vain. */
  refuseAll(error: () => ClientError): void {
    const all = [...this.reserved.values(), ...this.waiting]
    // First, or one that is refused would make room for the next.
    this.reserved.clear()
    this.waiting.clear()
    for (const waiter of all) waiter.refuse(error())
  }

  private hand(slot: Slot<H>, isAlone: boolean): Slot<H> {
    slot.busy++
    slot.isTaken = isAlone
    return slot
  }

  private forget(waiter: Waiter<H>): void {
    this.waiting.delete(waiter)
    for (const [slot, one] of this.reserved) if (one === waiter) this.reserved.delete(slot)
  }

  /** Keeps the least busy connection free for somebody; false when all are kept already. */
  private reserve(waiter: Waiter<H>): boolean {
    const slot = leastBusy([...this.slots].filter((one) => one.held !== undefined && !this.reserved.has(one)))
    if (slot === undefined) return false
    this.waiting.delete(waiter)
    this.reserved.set(slot, waiter)
    return true
  }

  private choose(isAlone: boolean): Slot<H> | undefined {
    const { strategy, maxInFlight } = this.settings
    const room: Slot<H>[] = []
    for (const slot of this.slots) {
      if (slot.held === undefined || slot.isTaken || this.reserved.has(slot)) continue
      if (isAlone ? slot.busy === 0 : slot.busy < maxInFlight) room.push(slot)
    }
    if (room.length <= 1) return room[0]
    // A call over a connection that is being made again waits until it is.
    const operating = room.filter(({ held }) => held !== undefined && this.isOperating(held))
    const from = operating.length === 0 ? room : operating
    if (strategy === 'round_robin') return from[this.turn++ % from.length]
    if (strategy === 'random') return from[Math.floor(this.system.random.next() * from.length)]
    return leastBusy(from)
  }

  private isIdle(slot: Slot<H>): boolean {
    return slot.held !== undefined && slot.busy === 0
  }
}

function leastBusy<H extends Held>(slots: readonly Slot<H>[]): Slot<H> | undefined {
  return slots.reduce<Slot<H> | undefined>(
    (best, slot) => (best === undefined || slot.busy < best.busy ? slot : best),
    undefined,
  )
}
