/**
 * A whole server in a simulation, for laws about what its clients see: the server, its clients, which check every message that
 * comes against the laws of the protocol, and the steps that a run is made of.
 */
import { type App, createServer, type Server, serve } from 'bough'
import type { Ref, SupervisorRef } from 'bough/runtime'
import { createRandom, faulty, type Simulation, type TransportFaults } from 'bough/testing'
import { type MemoryClient, type MemoryTransport, memoryTransport } from 'bough/transports/memory'
import { type Wire, wireFault } from '../test/server/wire-schema.ts'

export const revisions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const

/** Chance for the steps, apart from that of the simulation: a schedule that gets shorter plays the same steps. */
export class Dice {
  private readonly random: { next(): number }

  constructor(seed: number) {
    this.random = createRandom(seed, 9)
  }

  below(limit: number): number {
    return Math.floor(this.random.next() * limit)
  }

  chance(probability: number): boolean {
    return this.random.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }
}

/** Waits in virtual time; an aborted call waits no longer. */
function pause(
  ctx: { readonly system: Simulation['system']; readonly signal: AbortSignal },
  ms: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = ctx.system.timers.start(ms, resolve)
    ctx.signal.addEventListener('abort', () => {
      ctx.system.timers.cancel(timer)
      reject(new Error('aborted'))
    })
  })
}

export function makeServer(): Server {
  const never = new Promise<never>(() => undefined)
  const question = {
    message: 'Sure?',
    requestedSchema: { type: 'object' as const, properties: { sure: { type: 'boolean' as const } } },
  }
  return createServer({ name: 'simulated', version: '1' })
    .tool('echo', {
      timeout: 2_000,
      input: { type: 'object', properties: { text: { type: 'string' } } },
      run: (args) => `hi ${JSON.stringify(args)}`,
    })
    .tool('fails', { run: () => Promise.reject(new Error('a bug')) })
    .tool('throws', {
      run: () => {
        throw new Error('a bug')
      },
    })
    .tool('slow', { run: (_args, ctx) => pause(ctx, 700).then(() => 'at last') })
    .tool('careless', {
      run: (_args, ctx) =>
        new Promise((resolve) => ctx.system.timers.start(900, () => resolve('whoever still listens'))),
    })
    .tool('stuck', { timeout: 1_500, run: () => never })
    .tool('steps', {
      run: async (_args, ctx) => {
        for (let step = 1; step <= 4; step++) {
          ctx.progress(step, 4)
          ctx.log('info', { step })
          await pause(ctx, 40)
        }
        // Too late and backwards: neither may leave.
        ctx.progress(1)
        return 'done'
      },
    })
    .tool('asks', { timeout: 4_000, run: async (_args, ctx) => (await ctx.elicit(question)).action })
    .tool('samples', {
      timeout: 4_000,
      run: async (_args, ctx) => {
        await ctx.sample({ messages: [{ role: 'user', content: { type: 'text', text: 'hm?' } }], maxTokens: 10 })
        return 'sampled'
      },
    })
    .resource('config://app', { read: () => 'x' })
    .resource('config://slow', { read: () => never })
    .resourceTemplate('note://{id}', {
      read: (_uri, variables) => `note ${JSON.stringify(variables)}`,
      complete: { id: (prefix) => [`${prefix}1`] },
    })
    .prompt('review', { arguments: [{ name: 'code', required: true }], get: (args) => `Review ${args.code}` })
}

export class World {
  readonly sim: Simulation
  readonly dice: Dice
  readonly server: Server
  readonly memory: MemoryTransport
  readonly app: App
  readonly isLossy: boolean
  readonly peers: Peer[] = []
  /** Laws that were broken, in words. */
  readonly broken: string[] = []

  private constructor(
    sim: Simulation,
    dice: Dice,
    server: Server,
    memory: MemoryTransport,
    app: App,
    isLossy: boolean,
  ) {
    this.isLossy = isLossy
    this.sim = sim
    this.dice = dice
    this.server = server
    this.memory = memory
    this.app = app
  }

  /** `isLossy`: messages of clients may come twice, and so may their answers. */
  static async start(sim: Simulation, seed: number, faults: TransportFaults, isLossy: boolean): Promise<World> {
    const dice = new Dice(seed)
    const server = makeServer()
    // Delivered in the world's own time, some at once and some a little later, in order.
    const wire = createRandom(seed, 10)
    const memory = memoryTransport({
      schedule: (deliver) => {
        if (wire.next() < 0.7) queueMicrotask(deliver)
        else sim.system.timers.start(Math.floor(wire.next() * 3), deliver)
      },
    })
    const serving = serve(server, {
      system: sim.system,
      transports: [faulty(memory.transport, sim, faults)],
      signals: false,
      guard: false,
      logger: false,
      askTimeoutMs: 3_000,
      requestTimeoutMs: 2_000,
      drainMs: 1_000,
    })
    return new World(sim, dice, server, memory, await sim.run(serving), isLossy)
  }

  /** Opens a connection; undefined while nobody listens. */
  connect(): Peer | undefined {
    try {
      const peer = new Peer(this, this.memory.connect(), this.peers.length + 1)
      this.peers.push(peer)
      return peer
    } catch {
      return undefined
    }
  }

  /** Ids of the tree, from the top. */
  async shape(): Promise<string> {
    const tree = await this.sim.run(this.app.tree())
    const show = (node: typeof tree): string => `${node.id}(${node.children.map(show).join(' ')})`
    return show(tree)
  }

  /** All live processes whose child id is one of these. */
  async victims(ids: readonly string[]): Promise<Ref[]> {
    const found: Ref[] = []
    const visit = async (supervisor: SupervisorRef): Promise<void> => {
      const rows = await this.sim.run(supervisor.whichChildren()).catch(() => [])
      for (const { id, ref, type, modules } of rows) {
        if (typeof ref !== 'object' || !ref.alive) continue
        if (ids.includes(id ?? modules[0] ?? '')) found.push(ref)
        if (type === 'supervisor') await visit(ref as SupervisorRef)
      }
    }
    await visit(this.app.ref)
    return found
  }
}

/** A request that a client has sent. */
export interface Sent {
  readonly id: number
  readonly method: string
  readonly name: string | undefined
  readonly token: string | undefined
  lastProgress: number
  isCancelled: boolean
  answers: number
  answer: Wire | undefined
}

/** A client: raw messages, and a book of what was asked and answered. */
export class Peer {
  readonly number: number
  readonly sent = new Map<number, Sent>()
  /** Kinds of messages that came. */
  readonly seen = new Set<string>()
  version = '2025-11-25'
  isClosed = false
  hasLeft = false
  isInitialized = false
  private readonly world: World
  private readonly end: MemoryClient
  private readonly serverIds = new Set<string | number>()
  private capabilities: Readonly<Record<string, unknown>> = {}
  /** Texts that are no message were sent: errors without an id answer them. */
  private garbage = 0
  private lastId = 0
  private hasSaidInitialized = false

  constructor(world: World, end: MemoryClient, number: number) {
    this.world = world
    this.end = end
    this.number = number
    end.onMessage((text) => this.take(text))
    end.onClose(() => {
      this.isClosed = true
    })
  }

  /** Whether every request of this client has to be answered. */
  get isOwedAnswers(): boolean {
    return !this.isClosed && !this.hasLeft
  }

  get open(): Sent[] {
    return [...this.sent.values()].filter((one) => one.answers === 0 && !one.isCancelled)
  }

  initialize(version: string, capabilities: Readonly<Record<string, unknown>>): void {
    this.capabilities = capabilities
    const clientInfo = { name: `client${this.number}`, version: '1' }
    this.request('initialize', { protocolVersion: version, capabilities, clientInfo })
  }

  initialized(): void {
    this.hasSaidInitialized = true
    this.write({ method: 'notifications/initialized' })
  }

  request(method: string, params?: Readonly<Record<string, unknown>>): Sent {
    const [sent, message] = this.book(method, params)
    this.write(message)
    return sent
  }

  batch(methods: readonly string[]): void {
    const messages = methods.map((method) => ({ jsonrpc: '2.0', ...this.book(method)[1] }))
    this.end.send(JSON.stringify(messages))
  }

  cancel(sent: Sent): void {
    sent.isCancelled = true
    this.write({ method: 'notifications/cancelled', params: { requestId: sent.id } })
  }

  notify(method: string): void {
    this.write({ method })
  }

  garble(text: string): void {
    this.garbage++
    this.end.send(text)
  }

  leave(): void {
    this.hasLeft = true
    this.end.close()
  }

  private book(method: string, params?: Readonly<Record<string, unknown>>): [Sent, Wire] {
    const id = ++this.lastId
    const token = (params?.['_meta'] as { progressToken?: string } | undefined)?.progressToken
    const name = params?.['name'] as string | undefined
    const sent: Sent = {
      id,
      method,
      name,
      token,
      lastProgress: Number.NEGATIVE_INFINITY,
      isCancelled: false,
      answers: 0,
      answer: undefined,
    }
    this.sent.set(id, sent)
    return [sent, { id, method, ...(params && { params }) }]
  }

  private write(message: Wire): void {
    this.end.send(JSON.stringify({ jsonrpc: '2.0', ...message }))
  }

  private law(holds: boolean, sentence: string, message: unknown): void {
    if (holds) return
    this.world.broken.push(
      `client ${this.number} at ${this.world.sim.clock.now()} ms: ${sentence}: ${JSON.stringify(message)}`,
    )
  }

  private take(text: string): void {
    this.law(!text.includes('\n'), 'a message is one line', text)
    const all = JSON.parse(text) as Wire | Wire[]
    this.law(!Array.isArray(all) || this.version === '2025-03-26', 'only 2025-03-26 has batches', all)
    for (const one of [all].flat()) {
      this.law(one.jsonrpc === '2.0', 'every message says jsonrpc 2.0', one)
      if (one.method !== undefined) this.seen.add(one.method)
      if (one.method === undefined) this.takeAnswer(one)
      else if (one.id === undefined) this.takeNotification(one)
      else this.takeRequest(one)
    }
  }

  private takeAnswer(message: Wire): void {
    this.law(
      (message.result === undefined) !== (message.error === undefined),
      'an answer is a result or an error',
      message,
    )
    if (message.id === null || message.id === undefined) {
      // For a text that was no message, or when a connection is refused before its session is there.
      this.law(message.error !== undefined, 'only an error has no id', message)
      if (this.garbage > 0) this.garbage -= this.world.isLossy ? 0 : 1
      else
        this.law(
          /opens no session/.test(message.error?.message ?? ''),
          'an error without an id answers a text that was no message',
          message,
        )
      return
    }
    const sent = this.sent.get(message.id as number)
    this.law(sent !== undefined, 'an answer is for a request', message)
    if (sent === undefined) return
    sent.answers++
    sent.answer = message
    this.seen.add(`${message.error === undefined ? 'answer' : 'error'} to ${sent.method}`)
    // A request that came twice is two requests to the server.
    this.law(sent.answers <= (this.world.isLossy ? 2 : 1), `${sent.method} is answered once`, message)
    if (sent.method === 'initialize' && message.result !== undefined) {
      this.version = message.result.protocolVersion
      this.isInitialized = true
    }
    const fault = wireFault(this.version, message, sent.method)
    this.law(fault === undefined, `the schema says ${fault}`, message)
  }

  private takeNotification(message: Wire): void {
    this.law(this.isInitialized, 'no notification comes before the answer to initialize', message)
    const fault = wireFault(this.version, message, undefined)
    this.law(fault === undefined, `the schema says ${fault}`, message)
    if (message.method === 'notifications/progress') {
      const sent = [...this.sent.values()].find(
        (one) => one.token !== undefined && one.token === message.params.progressToken,
      )
      this.law(sent !== undefined, 'progress is for a request that asked for it', message)
      if (sent === undefined) return
      this.law(sent.answers === 0 || this.world.isLossy, 'no progress comes after the answer', message)
      const grows = message.params.progress > sent.lastProgress || this.world.isLossy
      this.law(grows, `progress grows (it was ${sent.lastProgress})`, message)
      sent.lastProgress = message.params.progress
    } else if (message.method !== 'notifications/message' && message.method !== 'notifications/cancelled') {
      this.law(
        this.hasSaidInitialized || this.lastId > 1,
        'nothing is announced before the client is initialized',
        message,
      )
    }
  }

  private takeRequest(message: Wire): void {
    this.law(this.isInitialized, 'no request comes before the answer to initialize', message)
    const id = message.id as string | number
    this.law(!this.serverIds.has(id), 'the server uses an id once', message)
    this.serverIds.add(id)
    const capability = message.method === 'elicitation/create' ? 'elicitation' : 'sampling'
    this.law(this.capabilities[capability] !== undefined, 'only what the client announced is asked for', message)
    const tool = capability === 'elicitation' ? 'asks' : 'samples'
    const asking = [...this.sent.values()].some((one) => one.name === tool && one.answers === 0)
    this.law(asking || this.world.isLossy, 'a question belongs to a request that is open', message)
    const fault = wireFault(this.version, message, undefined)
    this.law(fault === undefined, `the schema says ${fault}`, message)
    const { dice, sim } = this.world
    const answer = dice.below(5)
    if (answer === 0) return
    const result =
      capability === 'elicitation'
        ? { action: dice.pick(['accept', 'decline', 'cancel']), content: { sure: true } }
        : { role: 'assistant', content: { type: 'text', text: 'so' }, model: 'none' }
    const reply: Wire =
      answer === 1
        ? { id, error: { code: -1, message: 'no' } }
        : answer === 2
          ? { id, result: { odd: 1 } }
          : { id, result }
    const send = (): void => {
      if (this.isOwedAnswers) this.write(reply)
    }
    if (dice.chance(0.5)) send()
    else sim.system.timers.start(dice.below(2_000), send)
  }
}
