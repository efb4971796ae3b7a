/**
 * The memory transport: both ends in one process, for tests and simulations.
 *
 * Messages are the same texts as on any wire. Each direction delivers in order, one message per call of `schedule`,
 * never inside the `send` that caused it. A direction that holds `maxQueuedMessages` undelivered messages closes its
 * connection.
 *
 * ```ts
 * const { transport, connect } = memoryTransport()
 * const listening = await transport.listen(acceptor)
 * const client = connect()
 * client.onMessage((text) => console.log(text))
 * client.send('{"jsonrpc":"2.0","id":1,"method":"ping"}')
 * ```
 */
import type { Acceptor, Listening, Receiver, Sink, Transport } from './port.ts'
import { TransportError } from './port.ts'

export interface MemoryTransportOptions {
  /** Runs `deliver` later; a simulation passes its own scheduler here. Default: queueMicrotask. */
  readonly schedule?: (deliver: () => void) => void
  /** Undelivered messages per direction, default 10 000. */
  readonly maxQueuedMessages?: number
}

/** The client's end of a memory connection. */
export interface MemoryClient {
  readonly isOpen: boolean
  /** Sends one text to the server; false when the connection is closed. */
  send(text: string): boolean
  /** Sets who receives the server's texts. Texts that came before wait for it, in order. */
  onMessage(listener: (text: string) => void): void
  /** Calls `listener` once when the server closed the connection. */
  onClose(listener: () => void): void
  close(): void
}

export interface MemoryTransport {
  readonly transport: Transport
  /** Opens a connection. Throws `TransportError` `not_listening` while nobody listens. */
  connect(): MemoryClient
}

/** A transport without sockets and the means to connect to it. */
export function memoryTransport(options: MemoryTransportOptions = {}): MemoryTransport {
  const schedule = options.schedule ?? queueMicrotask
  const maxQueuedMessages = options.maxQueuedMessages ?? 10_000
  const connections = new Set<MemoryConnection>()
  let acceptor: Acceptor | undefined

  const transport: Transport = {
    name: 'memory',
    listen: async (newAcceptor) => {
      if (acceptor !== undefined) {
        throw new TransportError('address_in_use', 'memory: this transport is listening already. Make another one.')
      }
      acceptor = newAcceptor
      const listening: Listening = {
        url: 'memory',
        stopAccepting: () => {
          if (acceptor === newAcceptor) acceptor = undefined
        },
        close: async () => {
          listening.stopAccepting()
          for (const connection of [...connections]) connection.end()
        },
      }
      return listening
    },
  }

  return {
    transport,
    connect: () => {
      if (acceptor === undefined) {
        throw new TransportError('not_listening', 'memory: nobody listens on this transport. Call listen first.')
      }
      return new MemoryConnection(acceptor, connections, schedule, maxQueuedMessages).client
    },
  }
}

/** What travels on a lane: a text, or the end of the connection. */
type Item = { readonly text: string } | 'closed'

/** One direction: a bounded queue that delivers one item per scheduled call, in order, once somebody listens. */
class Lane {
  deliver: ((item: Item) => void) | undefined
  readonly #schedule: (deliver: () => void) => void
  #queue: Item[] = []

  constructor(schedule: (deliver: () => void) => void) {
    this.#schedule = schedule
  }

  get length(): number {
    return this.#queue.length
  }

  push(item: Item): void {
    this.#queue.push(item)
    if (this.deliver !== undefined) this.#schedule(this.#step)
  }

  /** Sets the receiver and schedules what has waited for it. */
  open(deliver: (item: Item) => void): void {
    const isFirst = this.deliver === undefined
    this.deliver = deliver
    if (isFirst) for (let n = this.#queue.length; n > 0; n -= 1) this.#schedule(this.#step)
  }

  clear(): void {
    this.#queue = []
  }

  // Takes the head whichever call this is, so a scheduler that reorders its callbacks cannot reorder the messages.
  readonly #step = (): void => {
    const item = this.#queue.shift()
    if (item !== undefined) this.deliver?.(item)
  }
}

class MemoryConnection implements Sink {
  readonly client: MemoryClient
  readonly #toServer: Lane
  readonly #toClient: Lane
  readonly #connections: Set<MemoryConnection>
  readonly #maxQueuedMessages: number
  #serverCloseListeners: (() => void)[] = []
  #clientCloseListeners: (() => void)[] = []
  #clientListener: ((text: string) => void) | undefined
  /** False once either side closed; what was sent before is still delivered. */
  #isOpen = true

  constructor(
    acceptor: Acceptor,
    connections: Set<MemoryConnection>,
    schedule: (deliver: () => void) => void,
    maxQueuedMessages: number,
  ) {
    this.#connections = connections
    this.#maxQueuedMessages = maxQueuedMessages
    this.#toServer = new Lane(schedule)
    this.#toClient = new Lane(schedule)
    connections.add(this)
    this.client = this.#makeClient()
    const receiver: Receiver = acceptor.connection(this, { transport: 'memory' })
    this.#toServer.open((item) => {
      if (item !== 'closed') receiver.message(item.text)
      else {
        const listeners = this.#serverCloseListeners
        this.#serverCloseListeners = []
        for (const listener of listeners) listener()
        receiver.closed()
      }
    })
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  send(message: string): boolean {
    if (!this.#isOpen) return false
    if (this.#toClient.length >= this.#maxQueuedMessages) {
      this.#toClient.clear()
      this.#close()
      return false
    }
    this.#toClient.push({ text: message })
    return true
  }

  end(message?: string): boolean {
    const isSent = message === undefined ? this.#isOpen : this.send(message)
    this.#serverCloseListeners = []
    this.#close()
    return isSent
  }

  onClose(listener: () => void): void {
    if (this.#isOpen) this.#serverCloseListeners.push(listener)
    else queueMicrotask(listener)
  }

  /** Ends both directions behind what is still on its way. */
  #close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#connections.delete(this)
    this.#toServer.push('closed')
    this.#toClient.push('closed')
  }

  #makeClient(): MemoryClient {
    const isOpen = () => this.#isOpen
    const deliver = (item: Item) => {
      if (item !== 'closed') {
        this.#clientListener?.(item.text)
        return
      }
      const listeners = this.#clientCloseListeners
      this.#clientCloseListeners = []
      for (const listener of listeners) listener()
    }
    return {
      get isOpen() {
        return isOpen()
      },
      send: (text) => {
        if (!this.#isOpen) return false
        if (this.#toServer.length >= this.#maxQueuedMessages) {
          this.#toServer.clear()
          this.#close()
          return false
        }
        this.#toServer.push({ text })
        return true
      },
      onMessage: (listener) => {
        this.#clientListener = listener
        this.#toClient.open(deliver)
      },
      onClose: (listener) => {
        this.#clientCloseListeners.push(listener)
        // A client that only waits for the end need not listen to messages.
        if (this.#toClient.length > 0 && !this.#isOpen) this.#toClient.open(deliver)
      },
      close: () => {
        this.#clientCloseListeners = []
        this.#close()
      },
    }
  }
}
