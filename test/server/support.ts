/**
 * A server in virtual time and clients that speak to it through the memory transport, message by message. Every message
 * that the server sends is checked against the published schema of the session's revision.
 */
import { type App, type ServeOptions, type Server, type ServerEvent, serve } from 'bough'
import type { Ref, SupervisorRef } from 'bough/runtime'
import { createSimulation, type Simulation } from 'bough/testing'
import { type MemoryClient, type MemoryTransport, memoryTransport } from 'bough/transports/memory'
import { expect, onTestFinished } from 'vitest'
import { type Wire, wireFault } from './wire-schema.ts'

export type { Wire } from './wire-schema.ts'

export const SEED = Number(process.env['BOUGH_SEED'] ?? 42)

/** A server under simulation. */
export class World {
  readonly sim: Simulation
  readonly memory: MemoryTransport
  readonly app: App
  readonly events: ServerEvent[]

  constructor(sim: Simulation, memory: MemoryTransport, app: App, events: ServerEvent[]) {
    this.sim = sim
    this.memory = memory
    this.app = app
    this.events = events
  }

  /** A client whose connection is open and silent. */
  connect(): Client {
    return new Client(this, this.memory.connect())
  }

  /** A client that is initialized. */
  async open(options: Initialize = {}): Promise<Client> {
    const client = this.connect()
    await client.initialize(options)
    client.notify('notifications/initialized')
    await this.sim.settle()
    return client
  }

  /** The processes whose id, or definition where they have none, is `name`, wherever they are in the tree. */
  async processes(name: string): Promise<Ref[]> {
    const found: Ref[] = []
    const visit = async (supervisor: SupervisorRef): Promise<void> => {
      for (const { id, ref, type, modules } of await this.sim.run(supervisor.whichChildren())) {
        if (typeof ref !== 'object') continue
        if ((id ?? modules[0]) === name) found.push(ref)
        if (type === 'supervisor') await visit(ref as SupervisorRef)
      }
    }
    await visit(this.app.ref)
    return found
  }

  /** The only process of that name. */
  async process(name: string): Promise<Ref> {
    const [ref, ...others] = await this.processes(name)
    if (ref === undefined || others.length > 0)
      throw new Error(`${others.length + (ref ? 1 : 0)} processes are "${name}".`)
    return ref
  }
}

export interface Initialize {
  readonly version?: string
  readonly capabilities?: object
}

/** Serves under simulation; stopped when the test ends. */
export async function world(server: Server, options: Partial<ServeOptions> = {}, seed = SEED): Promise<World> {
  const sim = createSimulation({ seed })
  const memory = memoryTransport()
  const events: ServerEvent[] = []
  const serving = serve(server, {
    system: sim.system,
    transports: [memory.transport],
    signals: false,
    guard: false,
    logger: false,
    events: (event) => events.push(event),
    ...options,
  })
  const app = await sim.run(serving)
  onTestFinished(async () => {
    await sim.run(app.stop())
    await sim.run(sim.system.stop())
  })
  return new World(sim, memory, app, events)
}

export class Client {
  version = '2025-11-25'
  isClosed = false
  /** Everything that came, oldest first. */
  readonly received: Wire[] = []
  /** Answers questions of the server; by default they stay unanswered. */
  answers: Record<string, (params: Wire['params']) => Pick<Wire, 'result' | 'error'>> = {}
  private readonly world: World
  private readonly end: MemoryClient
  /** What was asked, and in which revision where the request says so itself. */
  private readonly asked = new Map<string | number, { method: string; version: string | undefined }>()
  private readonly waiting = new Map<string | number, (message: Wire) => void>()
  private lastId = 0

  constructor(world: World, end: MemoryClient) {
    this.world = world
    this.end = end
    end.onMessage((text) => this.take(text))
    end.onClose(() => {
      this.isClosed = true
    })
  }

  /** Sends any text. */
  raw(text: string): void {
    for (const one of [parse(text)].flat())
      if (one?.method !== undefined && one.id != null) {
        const claimed = one.params?._meta?.['io.modelcontextprotocol/protocolVersion']
        const version = typeof claimed === 'string' && claimed !== '' ? '2026-07-28' : undefined
        this.asked.set(one.id, { method: one.method, version })
      }
    this.end.send(text)
  }

  send(message: Wire): void {
    this.raw(JSON.stringify({ jsonrpc: '2.0', ...message }))
  }

  notify(method: string, params?: object): void {
    this.send({ method, ...(params && { params }) })
  }

  /** Sends a request and returns its id, without waiting. */
  begin(method: string, params?: object): number {
    const id = ++this.lastId
    this.send({ id, method, ...(params && { params }) })
    return id
  }

  /** The answer to a request, in virtual time. */
  request(method: string, params?: object): Promise<Wire> {
    return this.answerTo(this.begin(method, params))
  }

  /** The answer to a request that was begun. */
  answerTo(id: string | number): Promise<Wire> {
    const known = this.received.find((message) => message.id === id && message.method === undefined)
    if (known !== undefined) return Promise.resolve(known)
    return this.world.sim.run(new Promise<Wire>((resolve) => this.waiting.set(id, resolve)))
  }

  call(name: string, args?: object, meta?: object): Promise<Wire> {
    return this.request('tools/call', { name, ...(args && { arguments: args }), ...(meta && { _meta: meta }) })
  }

  async initialize({ version = '2025-11-25', capabilities = {} }: Initialize = {}): Promise<Wire> {
    const clientInfo = { name: 'test', version: '1' }
    const id = ++this.lastId
    this.version = version
    this.send({ id, method: 'initialize', params: { protocolVersion: version, capabilities, clientInfo } })
    return this.answerTo(id)
  }

  /** Notifications and requests of the server with that method. */
  of(method: string): Wire[] {
    return this.received.filter((message) => message.method === method)
  }

  /** Lets everything happen that needs no time. */
  settle(): Promise<void> {
    return this.world.sim.settle()
  }

  close(): void {
    this.end.close()
  }

  private take(text: string): void {
    expect(text).not.toContain('\n')
    const message = JSON.parse(text) as Wire | Wire[]
    for (const one of [message].flat()) {
      this.check(one)
      this.received.push(one)
      if (one.method !== undefined) this.react(one)
      else if (one.id != null) {
        this.waiting.get(one.id)?.(one)
        this.waiting.delete(one.id)
      }
    }
  }

  private check(message: Wire): void {
    const asked = message.method === undefined && message.id != null ? this.asked.get(message.id) : undefined
    if (asked?.method === 'initialize' && message.result !== undefined) this.version = message.result.protocolVersion
    expect(wireFault(asked?.version ?? this.version, message, asked?.method)).toBeUndefined()
  }

  private react(message: Wire): void {
    if (message.id === undefined) return
    const answer = this.answers[message.method ?? '']?.(message.params)
    if (answer !== undefined) this.send({ id: message.id, ...answer } as Wire)
  }
}

function parse(text: string): Wire | Wire[] | undefined {
  try {
    return JSON.parse(text) as Wire | Wire[]
  } catch {
    return undefined
  }
}

/** A promise and the means to settle it. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
