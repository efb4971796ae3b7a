/**
 * A client and its server in virtual time, joined by the memory transport. Every message that the client sends is checked
 * against the published schema of the revision that is spoken, and so is every message of the server.
 */
import { type App, type ServeOptions, type Server, serve } from 'bough'
import type { Client, ConnectOptions } from 'bough/client'
import { connect } from 'bough/client'
import { createSimulation, type Simulation, type SimulationOptions } from 'bough/testing'
import { type MemoryTransport, memoryTransport } from 'bough/transports/memory'
import { expect, onTestFinished } from 'vitest'
import { memoryClientTransport } from '#transports/client-memory'
import type { ClientTransport, Link, LinkFailure, LinkReceiver, Outgoing } from '#transports/client-port'
import { faultOf, isDraft2020 } from '../protocol/revisions/schemas.ts'
import { type Wire, wireFault } from '../server/wire-schema.ts'

export type { Wire } from '../server/wire-schema.ts'

export const SEED = Number(process.env['BOUGH_SEED'] ?? 42)

/** A message on the wire, with who sent it. */
export interface Passed {
  readonly from: 'client' | 'server'
  readonly message: Wire
}

/** The same transport, with every message noted and checked. */
export function checked(transport: ClientTransport, passed: Passed[] = [], faults: string[] = []): ClientTransport {
  const note = (fault: string | undefined): void => {
    if (fault !== undefined) faults.push(fault.replace(/: .* in \{/, ': {'))
  }
  return {
    ...transport,
    open: async (receiver) => {
      const asked = new Map<string | number, { method: string; version: string }>()
      const askedOfUs = new Map<string | number, string>()
      let version = '2025-11-25'
      const link = await transport.open({
        ...receiver,
        message: (text) => {
          for (const message of [JSON.parse(text) as Wire].flat()) {
            passed.push({ from: 'server', message })
            const one = message.id != null && message.method === undefined ? asked.get(message.id) : undefined
            if (one?.method === 'initialize' && message.result !== undefined) version = message.result.protocolVersion
            if (message.method !== undefined && message.id != null) askedOfUs.set(message.id, message.method)
            note(wireFault(one?.version ?? version, message, one?.method))
          }
          receiver.message(text)
        },
      })
      return {
        ...link,
        abandon: (id) => link.abandon(id),
        listen: () => link.listen(),
        close: () => link.close(),
        send: (outgoing) => {
          const whole = JSON.parse(outgoing.text) as Wire
          passed.push({ from: 'client', message: whole })
          for (const [index, message] of [whole].flat().entries()) {
            const claimed = message.params?._meta?.['io.modelcontextprotocol/protocolVersion']
            if (claimed !== undefined) version = claimed
            if (message.method !== undefined && message.id != null) {
              if (asked.has(message.id)) note(`the id ${message.id} is used twice`)
              if (outgoing.ids[index] !== message.id) note(`${message.id} is told as ${outgoing.ids}`)
              asked.set(message.id, { method: message.method, version: claimed ?? version })
            }
            note(clientFault(claimed ?? version, message, askedOfUs.get(message.id ?? '')))
          }
          return link.send(outgoing)
        },
      } satisfies Link
    },
  }
}

/** What is wrong with a message that a client sent, if anything. */
export function clientFault(version: string, message: Wire, asked: string | undefined): string | undefined {
  const isEnveloped = isDraft2020(version)
  if (message.method !== undefined) {
    const generic = faultOf(version, message.id === undefined ? 'JSONRPCNotification' : 'JSONRPCRequest', message)
    if (/^(?:tasks|skills)\//.test(message.method) && version >= '2026-07-28') return generic
    // What an extension adds to the filter is not for the schema of the revision to know. Spec: SEP-2663.
    if (message.params?.notifications?.taskIds !== undefined) return generic
    const { jsonrpc: _jsonrpc, id, ...rest } = message
    // The older schemas name `_meta` at the base of all requests only; closed, the others seem to forbid it.
    const { _meta, ...params } = rest.params ?? {}
    const body = rest.params === undefined ? rest : { ...rest, params }
    if (id !== undefined) return generic ?? faultOf(version, 'ClientRequest', isEnveloped ? message : body)
    const isUnion = version < '2026-07-28'
    return (
      generic ??
      faultOf(version, isUnion ? 'ClientNotification' : 'CancelledNotification', isEnveloped ? message : body)
    )
  }
  if (message.error !== undefined)
    return faultOf(version, isEnveloped ? 'JSONRPCErrorResponse' : 'JSONRPCError', message)
  const results: Readonly<Record<string, string>> = {
    'sampling/createMessage': 'CreateMessageResult',
    'elicitation/create': 'ElicitResult',
    'roots/list': 'ListRootsResult',
    ping: 'EmptyResult',
  }
  const definition = results[asked ?? '']
  return definition === undefined ? `an answer to ${asked ?? 'nothing'}` : faultOf(version, definition, message.result)
}

export interface WorldOptions {
  readonly simulation?: Partial<SimulationOptions>
  readonly serve?: Partial<ServeOptions>
}

/** A server under simulation, and clients to it. */
export class World {
  readonly sim: Simulation
  readonly memory: MemoryTransport
  readonly server: Server
  readonly passed: Passed[] = []
  readonly warnings: string[] = []
  /** What was wrong with messages of either side. */
  readonly faults: string[] = []
  app: App | undefined
  private readonly options: WorldOptions

  constructor(server: Server, options: WorldOptions = {}) {
    this.server = server
    this.options = options
    this.sim = createSimulation({ seed: SEED, ...options.simulation })
    this.memory = memoryTransport()
    onTestFinished(async () => {
      await this.sim.run(this.sim.system.stop())
      expect(this.faults).toEqual([])
    })
  }

  async serve(): Promise<this> {
    const serving = serve(this.server, {
      system: this.sim.system,
      transports: [this.memory.transport],
      signals: false,
      guard: false,
      logger: false,
      ...this.options.serve,
    })
    this.app = await this.sim.run(serving)
    return this
  }

  connect(options: ConnectOptions = {}): Promise<Client> {
    return this.sim.run(this.connecting(options))
  }

  connecting(options: ConnectOptions = {}, transport = memoryClientTransport(this.memory)): Promise<Client> {
    return connect(
      { transport: checked(transport, this.passed, this.faults) },
      { system: this.sim.system, onWarning: (warning) => this.warnings.push(warning), ...options },
    )
  }

  /** What the client sent with that method. */
  sent(method: string): Wire[] {
    return this.passed
      .filter(({ from, message }) => from === 'client' && message.method === method)
      .map(({ message }) => message)
  }
}

export function world(server: Server, options: WorldOptions = {}): Promise<World> {
  return new World(server, options).serve()
}

/** What a scripted server does with each message of the client. */
export type Script = (message: Wire, link: ScriptedLink, outgoing: Outgoing) => void

export class ScriptedLink implements Link {
  readonly sent: Wire[] = []
  readonly outgoing: Outgoing[] = []
  readonly abandoned: (string | number)[] = []
  isListening = false
  isClosed = false
  private readonly receiver: LinkReceiver
  private readonly script: Script

  constructor(receiver: LinkReceiver, script: Script) {
    this.receiver = receiver
    this.script = script
  }

  send(outgoing: Outgoing): boolean {
    if (this.isClosed) return false
    const message = JSON.parse(outgoing.text) as Wire
    this.sent.push(message)
    this.outgoing.push(outgoing)
    queueMicrotask(() => this.script(message, this, outgoing))
    return true
  }

  abandon(id: string | number): void {
    this.abandoned.push(id)
  }

  listen(): void {
    this.isListening = true
  }

  async close(): Promise<void> {
    this.break({ kind: 'closed' })
  }

  /** Sends a message to the client. */
  put(message: object): void {
    if (!this.isClosed) this.receiver.message(JSON.stringify({ jsonrpc: '2.0', ...message }))
  }

  result(asked: Wire, result: object): void {
    this.put({ id: asked.id, result })
  }

  error(asked: Wire, code: number, message = 'refused', data?: unknown): void {
    this.put({ id: asked.id, error: { code, message, ...(data !== undefined && { data }) } })
  }

  fail(asked: Wire, failure: Partial<LinkFailure> = {}): void {
    if (asked.id != null)
      this.receiver.failed([asked.id], { kind: 'broken', message: 'It broke.', mayHaveRun: true, ...failure })
  }

  break(failure: Partial<LinkFailure> = {}): void {
    if (this.isClosed) return
    this.isClosed = true
    this.receiver.closed({ kind: 'broken', message: 'It broke.', mayHaveRun: true, ...failure })
  }
}

/** A transport whose server is a function, and the links that were opened over it. */
export function scripted(
  script: Script,
  name = 'http',
): { readonly transport: ClientTransport; readonly links: ScriptedLink[] } {
  const links: ScriptedLink[] = []
  const transport: ClientTransport = {
    name,
    target: `${name} script`,
    open: async (receiver) => {
      const link = new ScriptedLink(receiver, script)
      links.push(link)
      return link
    },
  }
  return { transport, links }
}

/** A simulation that ends with its test. */
export function simulation(seed = SEED): Simulation {
  const sim = createSimulation({ seed })
  onTestFinished(() => sim.run(sim.system.stop()))
  return sim
}

/** What a legacy server answers to `initialize`. */
export const initialized = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: {}, resources: { subscribe: true }, logging: {} },
  serverInfo: { name: 'old', version: '1' },
}

/** What a modern server answers to `server/discover`. */
export const discovered = {
  resultType: 'complete',
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: {}, resources: { subscribe: true } },
  _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'new', version: '1' } },
  ttlMs: 0,
  cacheScope: 'private',
}
