/**
 * The open connections of an HTTP server and how many answers each still owes.
 *
 * Node's own `closeIdleConnections` takes a connection for idle as soon as its answer was handed over, even when most
 * of that answer still waits to be sent, and cuts it off. Here a connection is idle when it owes no answer and all its
 * bytes have left.
 */
import type { Socket } from 'node:net'

export class HttpConnections {
  readonly #owed = new Map<Socket, number>()
  /** Under TLS the connections below: also those whose client never shakes hands. */
  readonly #accepted = new Set<Socket>()

  get size(): number {
    return this.#owed.size
  }

  opened(socket: Socket): void {
    this.#owed.set(socket, 0)
    socket.once('close', () => this.#owed.delete(socket))
  }

  /** A connection was accepted that speaks TLS before it speaks HTTP. */
  accepted(socket: Socket): void {
    this.#accepted.add(socket)
    socket.once('close', () => this.#accepted.delete(socket))
  }

  /** One more answer is owed on `socket`. */
  owes(socket: Socket): void {
    const owed = this.#owed.get(socket)
    if (owed !== undefined) this.#owed.set(socket, owed + 1)
  }

  /** An answer was handed over to `socket`. */
  paid(socket: Socket): void {
    const owed = this.#owed.get(socket)
    if (owed !== undefined) this.#owed.set(socket, owed - 1)
  }

  /** Closes connections that owe nothing; one with bytes on their way is closed behind them. */
  closeIdle(): void {
    for (const [socket, owed] of this.#owed) {
      if (owed > 0) continue
      if (socket.writableLength === 0) socket.destroy()
      else socket.destroySoon()
    }
  }

  /** Cuts what Node does not take for a connection of HTTP yet; it would keep the server open for as long as a handshake may take. */
  destroyAccepted(): void {
    for (const socket of this.#accepted) socket.destroy()
  }

  /** Cuts the connections that still owe an answer. */
  destroyOwing(): void {
    for (const [socket, owed] of this.#owed) if (owed > 0) socket.destroy()
  }
}
