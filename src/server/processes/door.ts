/**
 * A member's doorway: the primary accepts the connections, and here they become connections of the server that asked for them.
 * A server cannot tell the difference, as far as what it was told at its making is done here by hand: no delay, half-open ends.
 */
import { Server as HttpServer } from 'node:http'
import type { Server, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { farOwner, type Members } from '#actors/members'
import type { DoorAddress, Doorway, StreamMessage } from '#transports/doorway'
import { TransportError } from '#transports/port'
import type { MemberChannel } from './channel.ts'

/** Milliseconds of silence after which the system asks whether a client is still there. */
const KEEP_ALIVE_MS = 30_000

interface Door {
  readonly server: Server
  readonly sockets: Set<Socket>
}

export class MemberDoorway implements Doorway {
  readonly mark: string
  readonly #channel: MemberChannel
  readonly #members: () => Members
  readonly #doors = new Map<string, Door>()
  readonly #takers = new Set<(message: StreamMessage) => boolean>()

  constructor(channel: MemberChannel, mark: string, members: () => Members) {
    this.#channel = channel
    this.mark = mark
    this.#members = members
  }

  pass(message: StreamMessage): Promise<boolean> | undefined {
    const members = this.#members()
    const owner = farOwner(members, message.streamId)
    return owner === undefined
      ? undefined
      : members.ask(owner, 'streamMessage', message).then((taken) => taken === true)
  }

  receive(take: (message: StreamMessage) => boolean): () => void {
    this.#takers.add(take)
    return () => this.#takers.delete(take)
  }

  /** Takes a message that another member brings. */
  taken(message: StreamMessage): boolean {
    for (const take of this.#takers) if (take(message)) return true
    return false
  }

  /** Connections that are open. */
  get size(): number {
    let size = 0
    for (const { sockets } of this.#doors.values()) size += sockets.size
    return size
  }

  async open(server: Server, name: string, { host, port, backlog }: DoorAddress): Promise<number> {
    const door: Door = { server, sockets: new Set() }
    const bound = await this.#channel.bind({
      name,
      host,
      port,
      backlog,
      isPlainHttp: server instanceof HttpServer && !(server instanceof TlsServer),
    })
    if ('code' in bound) throw new TransportError(bound.code, bound.message)
    this.#doors.set(name, door)
    server.on('error', () => {})
    this.#closing(server, name, door)
    // What a server does once it listens (looking for clients that are too slow) is wanted here too.
    server.emit('listening')
    return bound.port
  }

  /** A connection for the server behind `name`; false when it takes none any more. */
  take(name: string, socket: Socket, head: Uint8Array | undefined): boolean {
    const door = this.#doors.get(name)
    if (door === undefined) return false
    door.sockets.add(socket)
    socket.once('close', () => door.sockets.delete(socket))
    socket.allowHalfOpen = true
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    if (head !== undefined) socket.unshift(head)
    door.server.emit('connection', socket)
    return true
  }

  /** Node's `close` knows only the connections that its server accepted itself. */
  #closing(server: Server, name: string, door: Door): void {
    const close = server.close.bind(server)
    server.close = (callback) => {
      if (this.#doors.get(name) === door) {
        this.#doors.delete(name)
        this.#channel.send({ type: 'shut', door: name })
      }
      // It reports that the server was not listening, which is so.
      close(() => undefined)
      const ended = (): void => {
        if (door.sockets.size === 0) callback?.()
      }
      for (const socket of door.sockets) socket.once('close', ended)
      if (door.sockets.size === 0) queueMicrotask(ended)
      return server
    }
  }
}
