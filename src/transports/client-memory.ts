/**
 * The client's side of the memory transport: a link to a server in the same process, for tests and simulations.
 *
 *     const memory = memoryTransport()
 *     const link = await memoryClientTransport(memory).open(receiver)
 */
import type { ClientTransport, Link, LinkFailure, LinkReceiver, Outgoing } from './client-port.ts'
import { LinkError } from './client-port.ts'
import type { MemoryClient, MemoryTransport } from './memory.ts'

/** A transport to whoever listens on `memory`. Without timers: what is sent arrives when the memory transport delivers it. */
export function memoryClientTransport(memory: Pick<MemoryTransport, 'connect'>): ClientTransport {
  return {
    name: 'memory',
    target: 'memory',
    open: async (receiver) => new MemoryLink(connected(memory), receiver),
  }
}

function connected(memory: Pick<MemoryTransport, 'connect'>): MemoryClient {
  try {
    return memory.connect()
  } catch (cause) {
    const message = 'memory: nobody listens on this transport. Start the server first.'
    throw new LinkError({ kind: 'refused', message, mayHaveRun: false, cause })
  }
}

class MemoryLink implements Link {
  readonly #client: MemoryClient
  readonly #receiver: LinkReceiver
  #isOver = false

  constructor(client: MemoryClient, receiver: LinkReceiver) {
    this.#client = client
    this.#receiver = receiver
    client.onMessage((text) => {
      if (!this.#isOver) receiver.message(text)
    })
    client.onClose(() => {
      this.#end({ kind: 'broken', message: 'memory: the server closed the connection.', mayHaveRun: true })
    })
  }

  send(message: Outgoing): boolean {
    return !this.#isOver && this.#client.send(message.text)
  }

  /** Does nothing: the core sends notifications/cancelled where there is one channel for all. */
  abandon(): void {}

  /** Does nothing: the server may send whenever it likes. */
  listen(): void {}

  async close(): Promise<void> {
    if (this.#isOver) return
    this.#client.close()
    this.#end({ kind: 'closed', message: 'The link to memory was closed.', mayHaveRun: true })
  }

  #end(failure: LinkFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#receiver.closed(failure)
  }
}
