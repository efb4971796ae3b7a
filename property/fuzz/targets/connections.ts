/**
 * Targets: a running server on connections (memory, stdio, TCP). What a client says is followed by a question of ours on the
 * same connection; its answer must come soon, and all that comes must be a message of the protocol.
 */
import { connect, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { memoryTransport } from '#transports/memory'
import { Answers, type Wire } from '../answers.ts'
import { LiveServer } from '../live-server.ts'
import { messageText } from '../seeds.ts'
import { type Bench, must, type Target } from '../target.ts'

/** Cases on one set of connections before they are closed and others opened. */
const CASES_PER_ROUND = 256
/** Milliseconds after which a server that says nothing hangs; machines are busy, and the runner judges what is slow. */
const SILENCE_MS = 5_000
const LEGACY = '2025-11-25'
const MODERN = '2026-07-28'

const meta = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'fuzz', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const opening = {
  protocolVersion: LEGACY,
  capabilities: { elicitation: {}, sampling: {}, roots: {} },
  clientInfo: { name: 'fuzz', version: '1' },
}

/** Bytes to a server and texts from it. */
interface Line {
  send(text: Buffer): void
  onText(listener: (text: string) => void): void
  readonly isOpen: boolean
  onClose(listener: () => void): void
  close(): void
}

class Connection {
  readonly wire: Line
  readonly answers: Answers
  private readonly waiting = new Map<unknown, (message: Wire | undefined) => void>()
  private fault: unknown
  private probes = 0
  private readonly isModern: boolean

  constructor(wire: Line, isModern: boolean) {
    this.wire = wire
    this.isModern = isModern
    this.answers = new Answers(isModern ? MODERN : LEGACY)
    wire.onText((text) => this.take(text))
    wire.onClose(() => this.wake())
  }

  /** Says anything; then asks something, whose answer must come unless the connection ends. */
  async say(input: Buffer): Promise<string> {
    this.answers.sending(input.toString('utf8'))
    this.wire.send(input)
    await this.probe()
    return this.wire.isOpen ? 'open' : 'closed'
  }

  async probe(): Promise<void> {
    const id = `probe-${++this.probes}`
    if (this.isModern) await this.ask(id, 'server/discover', { _meta: meta })
    else await this.ask(id, 'ping')
  }

  async initialize(): Promise<void> {
    await this.ask('opening', 'initialize', opening)
    this.wire.send(Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}'))
  }

  private async ask(id: string, method: string, params?: object): Promise<void> {
    const text = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    this.answers.sending(text)
    let timer: NodeJS.Timeout | undefined
    const found = new Promise<Wire | undefined>((resolve, reject) => {
      this.waiting.set(id, resolve)
      timer = setTimeout(() => reject(new Error('the server says nothing more')), SILENCE_MS)
    })
    this.wire.send(Buffer.from(text))
    if (!this.wire.isOpen) this.wake()
    await found.finally(() => clearTimeout(timer))
    this.waiting.delete(id)
    const { fault } = this
    this.fault = undefined
    if (fault !== undefined) throw fault
  }

  private take(text: string): void {
    try {
      for (const message of this.answers.came(text)) {
        if (message.method === undefined) this.waiting.get(message.id)?.(message)
      }
    } catch (error) {
      this.fault ??= error
      this.wake()
    }
  }

  private wake(): void {
    for (const resolve of this.waiting.values()) resolve(undefined)
  }
}

interface Opened {
  readonly server: LiveServer
  readonly connect: () => Line
}

/** Three connections in turn: one that was never initialized, one in a session, one of the modern era. */
class Connections implements Bench {
  private readonly opened: Opened
  private all: Connection[] = []
  private cases = 0
  private readonly perRound: number

  constructor(opened: Opened, perRound: number) {
    this.opened = opened
    this.perRound = perRound
  }

  async run(input: Buffer): Promise<string> {
    if (this.cases++ % this.perRound === 0 || this.all.some(({ wire }) => !wire.isOpen)) await this.reopen()
    // The input decides, so that it finds the same connection when it is tried again.
    const which = input.length % 3
    const found = await (this.all[which % this.all.length] as Connection).say(input)
    this.opened.server.check()
    return `${which} ${found}`
  }

  async close(): Promise<void> {
    for (const { wire } of this.all) wire.close()
    await this.opened.server.close()
  }

  private async reopen(): Promise<void> {
    for (const { wire } of this.all) wire.close()
    this.all = [false, false, true].map((isModern) => new Connection(this.opened.connect(), isModern))
    await this.all[1]?.initialize()
  }
}

async function memory(): Promise<Opened> {
  const pair = memoryTransport()
  const server = await LiveServer.open({ transports: [pair.transport] })
  return {
    server,
    connect: () => {
      const client = pair.connect()
      return {
        send: (bytes) => void client.send(bytes.toString('utf8')),
        onText: (listener) => client.onMessage(listener),
        onClose: (listener) => client.onClose(listener),
        close: () => client.close(),
        get isOpen() {
          return client.isOpen
        },
      }
    },
  }
}

/** Calls `listener` with each line. */
function linesOf(stream: NodeJS.ReadableStream, listener: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) listener(line)
  })
}

async function stdio(): Promise<Opened> {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const server = await LiveServer.open({ stdio: { input, output, maxMessageBytes: 65_536, closeGraceMs: 10 } })
  let isOpen = true
  output.on('close', () => {
    isOpen = false
  })
  return {
    server,
    connect: () => ({
      send: (bytes) => void (isOpen && input.write(Buffer.concat([bytes, Buffer.from('\n')]))),
      onText: (listener) => linesOf(output, listener),
      onClose: (listener) => void output.on('close', listener),
      close: () => void input.end(),
      get isOpen() {
        return isOpen
      },
    }),
  }
}

/** One connection that lasts: standard input is there but once. */
class Stdio implements Bench {
  private readonly opened: Opened
  private connection: Connection | undefined
  private cases = 0

  constructor(opened: Opened) {
    this.opened = opened
  }

  async run(input: Buffer): Promise<string> {
    if (this.connection === undefined) {
      this.connection = new Connection(this.opened.connect(), false)
      await this.connection.initialize()
    }
    this.cases++
    const found = await this.connection.say(input)
    this.opened.server.check()
    must(found === 'open', 'bytes end the connection', this.cases)
    return found
  }

  async close(): Promise<void> {
    this.connection?.wire.close()
    await this.opened.server.close()
  }
}

export function socketWire(socket: Socket): Line {
  socket.on('error', () => undefined)
  socket.setNoDelay(true)
  return {
    send: (bytes) => void (socket.writable && socket.write(Buffer.concat([bytes, Buffer.from('\n')]))),
    onText: (listener) => linesOf(socket, listener),
    onClose: (listener) => void socket.on('close', listener),
    close: () => void socket.destroy(),
    get isOpen() {
      return !socket.destroyed
    },
  }
}

/** The lines of a recording are one input. */
const law =
  'each text is answered or ignored, the next is answered within its time, nothing crashes, nothing is left behind'

export const liveMemory: Target = {
  name: 'live-memory',
  law,
  weight: 0.6,
  seeds: messageText,
  recordings: ['client message'],
  open: async () => new Connections(await memory(), CASES_PER_ROUND),
}

export const liveStdio: Target = {
  name: 'live-stdio',
  law,
  weight: 0.4,
  bytesMax: 2_048,
  seeds: messageText,
  recordings: ['client message', 'lines'],
  open: async () => new Stdio(await stdio()),
}

async function tcp(): Promise<Opened> {
  const server = await LiveServer.open({ tcp: { port: 0, maxMessageBytes: 65_536 } })
  const url = new URL(server.app.url.replace(/^tcp/, 'http'))
  return { server, connect: () => socketWire(connect(Number(url.port), '127.0.0.1')) }
}

export const liveTcp: Target = {
  name: 'live-tcp',
  law,
  weight: 0.3,
  seeds: messageText,
  recordings: ['client message', 'lines'],
  open: async () => new Connections(await tcp(), CASES_PER_ROUND),
}
