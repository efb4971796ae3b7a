/**
 * A transport on which messages get lost, come twice or come late. It wraps any transport of connections (memory, stdio, TCP,
 * WebSocket); what travels in HTTP exchanges is left alone.
 *
 *     const memory = memoryTransport()
 *     const transport = faulty(memory.transport, sim, { toServer: { drop: 0.05 }, toClient: { delay: 0.2, delayMs: 50 } })
 *     await sim.run(serve(server, { system: sim.system, transports: [transport] }))
 *
 * The n-th connection's ways are the fault points `client<n>>server` and `server>client<n>`, so that a plan can say
 * 'drop client1>server@3'. A message that is late holds up those behind it, as on a wire, unless `reorder` is set.
 */
import type { Chances, PointFault } from './faults.ts'
import type { Simulation } from './simulation.ts'

// The shapes of the transport port, as far as they matter here.
interface SinkShape {
  readonly isOpen: boolean
  send(message: string, eventId?: string): boolean
  end(message?: string, eventId?: string): boolean
  onClose(listener: () => void): void
}

interface ReceiverShape {
  message(text: string): void
  closed(): void
}

interface ApplicantShape {
  admit(owner: string | undefined, open: (sink: SinkShape) => ReceiverShape): void
}

interface AcceptorShape {
  connection(sink: SinkShape, peer: { readonly transport: string }): ReceiverShape
  exchange(exchange: never): void
  applicant?(applicant: ApplicantShape): void
}

interface TransportShape {
  listen(acceptor: AcceptorShape): Promise<unknown>
}

export interface TransportFaults {
  readonly toServer?: Chances
  readonly toClient?: Chances
  /** Whether a late message lets those behind it pass; default false. */
  readonly reorder?: boolean
}

/** What a wrapper needs of a simulation. */
export type FaultSource = Pick<Simulation, 'fault' | 'system'>

/** The same transport with faults on the connections it accepts. */
export function faulty<T extends TransportShape>(transport: T, sim: FaultSource, faults: TransportFaults = {}): T {
  let connections = 0
  const disturb = (sink: SinkShape, open: (sink: SinkShape) => ReceiverShape): ReceiverShape => {
    const client = `client${++connections}`
    const wayIn = new Way(sim, `${client}>server`, faults.toServer, faults.reorder === true)
    const wayOut = new Way(sim, `server>${client}`, faults.toClient, faults.reorder === true)
    const receiver = open(new FaultySink(sink, wayOut))
    return {
      message: (text) => wayIn.pass(() => receiver.message(text)),
      closed: () => wayIn.close(() => receiver.closed()),
    }
  }
  const listen = (acceptor: AcceptorShape): Promise<unknown> =>
    transport.listen({
      exchange: (exchange: never) => acceptor.exchange(exchange),
      connection: (sink, peer) => disturb(sink, (disturbed) => acceptor.connection(disturbed, peer)),
      ...(acceptor.applicant !== undefined && {
        applicant: (applicant: ApplicantShape) =>
          acceptor.applicant?.(
            Object.assign(Object.create(applicant) as ApplicantShape, {
              admit: (owner: string | undefined, open: (sink: SinkShape) => ReceiverShape) =>
                applicant.admit(owner, (sink) => disturb(sink, open)),
            }),
          ),
      }),
    })
  // The wrapper differs from the transport in `listen` alone.
  return Object.assign(Object.create(transport) as T, { listen })
}

class FaultySink implements SinkShape {
  private readonly sink: SinkShape
  private readonly way: Way

  constructor(sink: SinkShape, way: Way) {
    this.sink = sink
    this.way = way
  }

  get isOpen(): boolean {
    return this.sink.isOpen && !this.way.isClosed
  }

  send(message: string, eventId?: string): boolean {
    if (!this.isOpen) return false
    this.way.pass(() => this.sink.send(message, eventId))
    return true
  }

  end(message?: string, eventId?: string): boolean {
    const isSent = message === undefined ? this.isOpen : this.send(message, eventId)
    this.way.close(() => this.sink.end())
    return isSent
  }

  onClose(listener: () => void): void {
    this.sink.onClose(listener)
  }
}

/** One direction of a connection: passes messages on at once, later, twice or not at all, and its end behind them. */
class Way {
  isClosed = false
  private readonly sim: FaultSource
  private readonly point: string
  private readonly chances: Chances | undefined
  private readonly isReordering: boolean
  /** When the way is free again, in virtual milliseconds; and how many messages wait. */
  private freeAt = 0
  private waiting = 0

  constructor(sim: FaultSource, point: string, chances: Chances | undefined, isReordering: boolean) {
    this.sim = sim
    this.point = point
    this.chances = chances
    this.isReordering = isReordering
  }

  pass(deliver: () => void): void {
    const fault: PointFault = this.sim.fault(this.point, this.chances)
    if (fault?.kind === 'drop' || fault?.kind === 'fail') return
    this.after(fault?.delayMs ?? 0, deliver)
    if (fault?.kind === 'duplicate') this.after(0, deliver)
  }

  close(deliver: () => void): void {
    if (this.isClosed) return
    this.isClosed = true
    this.after(0, deliver)
  }

  private after(delayMs: number, deliver: () => void): void {
    const { clock, timers } = this.sim.system
    const now = clock.now()
    const isHeldUp = this.waiting > 0 && (!this.isReordering || this.isClosed)
    if (delayMs === 0 && !isHeldUp) return deliver()
    const at = isHeldUp ? Math.max(this.freeAt, now + delayMs) : now + delayMs
    this.freeAt = Math.max(this.freeAt, at)
    this.waiting++
    timers.start(at - now, () => {
      this.waiting--
      deliver()
    })
  }
}
