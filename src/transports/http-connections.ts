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
  /** Bytes of the connections that have closed. */
  #received = 0
  #sent = 0

  get size(): number {
    return this.#owed.size
  }

  opened(socket: Socket): void {
    this.#owed.set(socket, 0)
    socket.once('close', () => {
      this.#owed.delete(socket)
      this.#received += socket.bytesRead
      this.#sent += socket.bytesWritten
    })
  }

  /** Bytes that came and left so far, on connections that are open and on those that were. */
  bytes(): { readonly bytesReceived: number; readonly bytesSent: number } {
    let [bytesReceived, bytesSent] = [this.#received, this.#sent]
    for (const socket of this.#owed.keys()) {
      bytesReceived += socket.bytesRead
      bytesSent += socket.bytesWritten
    }
    return { bytesReceived, bytesSent }
  }

  /** A connection was accepted that speaks TLS before it speaks HTTP. */
  accepted(socket: Socket): void {
    this.#accepted.add(socket)
    socket.once('close', () => this.#accepted.delete(socket))
  }

  /** A connection speaks HTTP no more; whoever took it over closes it. */
  left(socket: Socket): void {
    this.#owed.delete(socket)
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
