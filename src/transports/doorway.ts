/**
 * How a server comes to its connections: by listening itself, or, as one of several processes of a program, by being handed
 * those that another process accepted. A transport makes its server as ever, and asks the doorway to open it.
 */
import type { Server } from 'node:net'

/** Where to listen. */
export interface DoorAddress {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  readonly backlog: number
}

export interface Doorway {
  /**
   * Sees to it that `server` gets the connections to `address`, and resolves to the port. From then on `server.close` is how no
   * more are taken, and calls back when all have ended, wherever they came from. Rejects with a `TransportError`.
   */
  open(server: Server, name: string, address: DoorAddress): Promise<number>
  /** What the ids of streams begin with that are open here. */
  readonly mark: string
  /**
   * Brings a message to the process that has the stream of that id; resolves to whether it took it, rejects when it cannot be
   * reached. Undefined when no other process gave that id.
   */
  pass(message: StreamMessage): Promise<boolean> | undefined
  /**
   * From now on `take` is called for the messages that other processes bring; it says whether there is such a stream. Returns
   * what ends that.
   */
  receive(take: (message: StreamMessage) => boolean): () => void
}

/** A message of a client to its stream. */
export interface StreamMessage {
  readonly streamId: string
  /** Whose message it is; undefined where anybody may call. */
  readonly owner: string | undefined
  readonly text: string
}
