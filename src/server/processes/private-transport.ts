/**
 * The private door of a member, as a transport: the other members bring it the exchanges that belong to its sessions, and ask it
 * what only it knows. It is a socket in a folder that nobody but this user may enter (on Windows a named pipe), and says nothing
 * to whoever does not begin with the secret that the primary made for this start.
 */
import { timingSafeEqual } from 'node:crypto'
import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { LineFramer } from '#transports/line-framing'
import { type Acceptor, type Listening, type Transport, TransportError } from '#transports/port'
import { FarExchange } from './far-exchange.ts'
import { type Answer, encodeFrame, LINE_BYTES_MAX, LINK_BYTES_MAX, type Request } from './frames.ts'

/** The longest path of a socket that every system takes, in bytes. */
const PATH_BYTES_MAX = 100
/** The longest first line: a secret and a little. */
const GREETING_BYTES_MAX = 256

/** Where member `index` listens. */
export function privatePath(folder: string, index: number): string {
  return process.platform === 'win32' ? `${folder}-${index}` : `${folder}/${index}.sock`
}

export interface PrivateTransportOptions {
  readonly folder: string
  readonly index: number
  readonly secret: string
  /** Answers the question of another member. */
  readonly answer: (question: string, argument: unknown) => Promise<unknown>
}

export function privateTransport({ folder, index, secret, answer }: PrivateTransportOptions): Transport {
  const path = privatePath(folder, index)
  return {
    name: 'members',
    listen: (acceptor) =>
      new Promise<Listening>((resolve, reject) => {
        const sockets = new Set<Socket>()
        const server = createServer((socket) => {
          sockets.add(socket)
          socket.once('close', () => sockets.delete(socket))
          new PrivateConnection(socket, secret, acceptor, answer)
        })
        if (Buffer.byteLength(path) > PATH_BYTES_MAX && process.platform !== 'win32') {
          const message = `members: the path ${path} is too long for a socket. Set TMPDIR to a shorter folder.`
          return reject(new TransportError('address_unavailable', message))
        }
        // An earlier incarnation, or a member that was killed, left it there.
        if (process.platform !== 'win32') rmSync(path, { force: true })
        server.once('error', (cause) => {
          const message = `members: cannot listen on ${path}. ${cause.message}`
          reject(new TransportError('address_unavailable', message, { cause }))
        })
        server.listen(path, () => {
          server.on('error', () => {})
          resolve(listeningOn(server, sockets))
        })
      }),
  }
}

function listeningOn(server: Server, sockets: ReadonlySet<Socket>): Listening {
  let closed: Promise<void> | undefined
  const stopAccepting = (): void => {
    closed ??= new Promise((resolve) => server.close(() => resolve()))
  }
  return {
    // Nobody is to be told of it.
    url: '',
    // The others' clients are told by its sessions that they end.
    stopAccepting: () => undefined,
    close: async () => {
      stopAccepting()
      for (const socket of sockets) socket.destroySoon()
      await closed
    },
  }
}

class PrivateConnection {
  readonly #socket: Socket
  readonly #acceptor: Acceptor
  readonly #answer: PrivateTransportOptions['answer']
  readonly #exchanges = new Map<number, FarExchange>()

  constructor(socket: Socket, secret: string, acceptor: Acceptor, answer: PrivateTransportOptions['answer']) {
    this.#socket = socket
    this.#acceptor = acceptor
    this.#answer = answer
    const framer = new LineFramer(LINE_BYTES_MAX, {
      line: (text) => this.#line(text),
      refused: () => socket.destroy(),
    })
    this.#greet(secret, (chunk) => {
      socket.on('data', (next: Buffer) => framer.push(next))
      framer.push(chunk)
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      framer.stop()
      for (const exchange of [...this.#exchanges.values()]) exchange.gone()
    })
  }

  /** Reads the first line; calls `proceed` with what follows it when it is right, and cuts the connection otherwise. */
  #greet(secret: string, proceed: (rest: Buffer) => void): void {
    const wanted = Buffer.from(encodeFrame(['hello', secret]))
    let read = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      read = Buffer.concat([read, chunk])
      if (read.length < wanted.length && read.length < GREETING_BYTES_MAX && !read.includes('\n')) return
      this.#socket.off('data', onData)
      const given = read.subarray(0, wanted.length)
      if (given.length === wanted.length && timingSafeEqual(given, wanted)) proceed(read.subarray(wanted.length))
      else this.#socket.destroy()
    }
    this.#socket.on('data', onData)
  }

  #line(text: string): void {
    const request = JSON.parse(text) as Request
    switch (request[0]) {
      case 'exchange': {
        const [, id, exchange] = request
        const far = new FarExchange(id, exchange, this.#write, () => this.#exchanges.delete(id))
        this.#exchanges.set(id, far)
        try {
          this.#acceptor.exchange(far)
        } catch {
          far.fail()
        }
        return
      }
      case 'gone':
        return this.#exchanges.get(request[1])?.gone()
      case 'ask': {
        const [, id, question, argument] = request
        this.#answer(question, argument).then(
          (value) => this.#write(['value', id, value ?? null]),
          (error: unknown) => this.#write(['failed', id, error instanceof Error ? error.message : String(error)]),
        )
      }
    }
  }

  readonly #write = (answer: Answer): boolean => {
    if (this.#socket.destroyed) return false
    if (this.#socket.writableLength > LINK_BYTES_MAX) {
      this.#socket.destroy()
      return false
    }
    this.#socket.write(encodeFrame(answer))
    return true
  }
}
