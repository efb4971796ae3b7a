/**
 * Clients over HTTP, a server that is killed and started again, and a disk that is slow: the laws of what may be lost (nothing that
 * was told) and what may come twice (nothing). A schedule is a list of steps; a client remembers what it was told, and checks
 * everything that comes against it.
 */
import { type App, createServer, type Server, serve } from 'bough'
import { createSimulation, type Simulation } from 'bough/testing'
import { type FakeAnswer, FakeHttp } from '../test/server/exchanges.ts'
import { FakeDisk, SlowStore } from '../test/server/slow-store.ts'
import type { Wire } from '../test/server/wire-schema.ts'

/** One step of a schedule: what happens, to which client, and a number to choose with. */
export interface Step {
  readonly kind: StepKind
  readonly who: number
  readonly what: number
}

export const stepKinds = [
  'open',
  'call',
  'echo',
  'subscribe',
  'unsubscribe',
  'listen',
  'drop',
  'resume',
  'touch',
  'delete',
  'begin',
  'finish',
  'settle',
  'wait',
  'calm',
  'crash',
  'kill',
] as const
export type StepKind = (typeof stepKinds)[number]

const uris = ['config://a', 'config://b'] as const
/** Who may die while the server lives on. */
const mortal = ['session', 'session-tree', 'request', 'requests', 'subscriptions', 'session-manager'] as const
const STEPS_OF_A_CALL = 3

function makeServer(): Server {
  const server = createServer({ name: 'durable', version: '1' })
    .tool('echo', { run: () => 'hi' })
    .tool('steps', {
      // A request that dies before it has made itself known is answered when its time is up.
      timeout: 1_000,
      run: async (_args, ctx) => {
        for (let step = 1; step <= STEPS_OF_A_CALL; step++) {
          ctx.progress(step)
          await new Promise<void>((resolve) => void ctx.system.timers.start(50, resolve))
        }
        return 'done'
      },
    })
  for (const uri of uris) server.resource(uri, { read: () => 'x' })
  return server
}

/** The answer to one POST, over all the connections that it came on. */
interface Stream {
  readonly id: number
  readonly answers: FakeAnswer[]
  /** Events that were taken into account, by answer. */
  readonly taken: number[]
  readonly seen: Set<string>
  lastEventId: string | undefined
  progress: number
  replies: number
}

/** A client, and what it was told. */
class Client {
  sessionId: string | undefined
  /** The session was ended, or is being ended. */
  ending: 'no' | 'sent' | 'done' = 'no'
  readonly streams: Stream[] = []
  /** The standalone stream, over all its connections. */
  readonly gets: FakeAnswer[] = []
  readonly takenOfGets: number[] = []
  readonly seen = new Set<string>()
  lastEventId: string | undefined
  readonly updates = new Map<string, number>()
  /** By URI: 'yes' when a subscription was acknowledged and nothing was sent since. */
  readonly subscribed = new Map<string, 'no' | 'maybe' | 'yes'>()
  /** Updates that must have come in the end, and those that may have. */
  readonly owed = new Map<string, number>()
  readonly possible = new Map<string, number>()
  /** The newest request about a URI. */
  readonly latest = new Map<string, FakeAnswer>()
  opening: FakeAnswer | undefined
  lastId = 0

  /** The newest connection of the standalone stream, if it is still open. */
  get listening(): FakeAnswer | undefined {
    const last = this.gets.at(-1)
    return last?.isOpen === true ? last : undefined
  }
}

const add = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1)

export class DurableWorld {
  readonly broken: string[] = []
  /** Kinds of things that were seen to happen. */
  readonly seen = new Set<string>()
  private readonly disk = new FakeDisk()
  private readonly clients = [new Client(), new Client()]
  private readonly server = makeServer()
  private sim!: Simulation
  private http!: FakeHttp
  private store!: SlowStore
  private app!: App
  private lives = 0

  static async run(steps: readonly Step[], seed: number): Promise<DurableWorld> {
    const world = new DurableWorld()
    await world.start(seed)
    for (const step of steps) {
      await world.take(step, seed)
      world.look()
    }
    await world.conclude()
    return world
  }

  private async start(seed: number): Promise<void> {
    this.sim = createSimulation({ seed: seed + this.lives++, traceLinesMax: 0 })
    this.http = new FakeHttp()
    this.store = new SlowStore(this.disk)
    const serving = serve(this.server, {
      system: this.sim.system,
      transports: [this.http.transport],
      store: this.store,
      signals: false,
      guard: false,
      logger: false,
      subscriptions: { coalesceMs: 0 },
    })
    this.app = await this.sim.run(serving)
  }

  private async take({ kind, who, what }: Step, seed: number): Promise<void> {
    const client = this.clients[who % this.clients.length] as Client
    const { sessionId } = client
    const uri = uris[what % uris.length] as string
    switch (kind) {
      case 'open':
        if (client.opening === undefined) this.open(client)
        break
      case 'call':
        if (sessionId !== undefined) this.call(client, sessionId)
        break
      case 'echo':
        if (sessionId !== undefined && client.ending === 'no') this.echo(client, sessionId)
        break
      case 'subscribe':
      case 'unsubscribe':
        if (sessionId !== undefined && client.ending === 'no') this.subscribe(client, sessionId, kind, uri)
        break
      case 'listen':
        if (sessionId !== undefined && client.listening === undefined) this.listen(client, sessionId)
        break
      case 'drop': {
        const open = [client.listening, ...client.streams.map(({ answers }) => answers.at(-1))]
        open[what % open.length]?.drop()
        break
      }
      case 'resume': {
        const stream = client.streams[what % Math.max(client.streams.length, 1)]
        if (sessionId !== undefined && stream !== undefined) this.resume(client, sessionId, stream)
        break
      }
      case 'touch':
        this.touch(uri)
        break
      case 'delete':
        if (sessionId !== undefined && client.ending === 'no' && what < 3) {
          client.ending = 'sent'
          this.http.delete(sessionId).begun((status) => {
            if (status === 200) client.ending = 'done'
          })
        }
        break
      case 'begin':
        this.store.begin()
        break
      case 'finish':
        this.store.finish()
        break
      case 'settle':
        await this.sim.settle()
        break
      case 'wait':
        await this.sim.advance(what * 40)
        break
      case 'calm':
        await this.sim.advance(what * 20)
        this.store.commit()
        await this.sim.settle()
        break
      case 'crash':
        this.crash(what)
        break
      case 'kill':
        await this.kill(what % 2 === 0, seed)
    }
  }

  private open(client: Client): void {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } }
    const answer = this.http.post({ id: ++client.lastId, method: 'initialize', params })
    client.opening = answer
    answer.begun((status) => {
      // An error is no session; the client may try again.
      if (status === 200 && (answer.json as Wire).result !== undefined)
        client.sessionId = answer.headers['mcp-session-id']
      else client.opening = undefined
      if (client.sessionId !== undefined)
        this.http.post({ method: 'notifications/initialized' }, { sessionId: client.sessionId })
    })
  }

  private call(client: Client, sessionId: string): void {
    const id = ++client.lastId
    const params = { name: 'steps', arguments: {}, _meta: { progressToken: id } }
    const answer = this.http.post({ id, method: 'tools/call', params }, { sessionId })
    const seen = new Set<string>()
    client.streams.push({ id, answers: [answer], taken: [0], seen, lastEventId: undefined, progress: 0, replies: 0 })
    this.watch(client, answer)
  }

  private echo(client: Client, sessionId: string): void {
    const answer = this.http.post({ id: ++client.lastId, method: 'ping' }, { sessionId })
    this.watch(client, answer)
  }

  /** A session that was told is known until it is ended, and unknown for ever after. */
  private watch(client: Client, answer: FakeAnswer): void {
    const endingBefore = client.ending
    const { sessionId } = client
    answer.begun((status) => {
      // Nothing is known of an answer that never came.
      if (status === undefined) return
      this.seen.add(`status ${status}`)
      if (client.ending === 'no') this.law(status !== 404, 'a session that was told is known', { status, sessionId })
      if (endingBefore === 'done')
        this.law(status === 404, 'a session that has ended is unknown', { status, sessionId })
    })
  }

  /** Like any client that cares about the order, this one waits for one answer before it asks for the opposite. */
  private subscribe(client: Client, sessionId: string, kind: 'subscribe' | 'unsubscribe', uri: string): void {
    if (client.latest.get(uri)?.isOpen === true) return
    const answer = this.http.post({ id: ++client.lastId, method: `resources/${kind}`, params: { uri } }, { sessionId })
    client.subscribed.set(uri, 'maybe')
    this.watch(client, answer)
    client.latest.set(uri, answer)
    answer.begun((status) => {
      const isLatest = client.latest.get(uri) === answer
      const isDone = status === 200 && (answer.json as Wire).result !== undefined
      if (isDone && isLatest) client.subscribed.set(uri, kind === 'subscribe' ? 'yes' : 'no')
    })
  }

  private listen(client: Client, sessionId: string): void {
    const answer = this.http.get(sessionId, client.lastEventId)
    client.gets.push(answer)
    client.takenOfGets.push(0)
    this.watch(client, answer)
  }

  private resume(client: Client, sessionId: string, stream: Stream): void {
    if (stream.lastEventId === undefined || stream.answers.at(-1)?.isOpen === true) return
    const answer = this.http.get(sessionId, stream.lastEventId)
    stream.answers.push(answer)
    stream.taken.push(0)
    this.watch(client, answer)
    this.seen.add('resumed a call')
  }

  private touch(uri: string): void {
    const isSure = (client: Client): boolean =>
      client.subscribed.get(uri) === 'yes' && client.lastEventId !== undefined && client.ending === 'no'
    const sure = this.clients.filter(isSure)
    for (const client of this.clients) if (client.subscribed.get(uri) !== undefined) add(client.possible, uri)
    const life = this.lives
    const told = this.app.resourceUpdated(uri)
    void told.then(
      () => {
        if (this.lives !== life) return
        this.seen.add('a touch was answered')
        for (const client of sure) if (isSure(client)) add(client.owed, uri)
      },
      () => undefined,
    )
  }

  /** A process of the server dies, and the server lives on. */
  private crash(what: number): void {
    const definition = mortal[what % mortal.length]
    const victims = this.sim.system.processes().filter((ref) => ref.info()?.definition === definition)
    victims[what % Math.max(victims.length, 1)]?.exit('kill')
    if (victims.length > 0) this.seen.add(`killed ${definition}`)
  }

  private async kill(isWritten: boolean, seed: number): Promise<void> {
    this.seen.add(this.store.isBehind ? 'killed with something not written' : 'killed with all written')
    this.http.dropAll()
    this.store.kill(isWritten)
    await this.start(seed)
  }

  /** Takes in all that came since. */
  private look(): void {
    for (const client of this.clients) {
      for (const stream of client.streams) {
        stream.answers.forEach((answer, index) => {
          const messages = answer.json === undefined ? [] : [{ id: undefined, message: answer.json as Wire }]
          const events = [...messages, ...answer.events]
          for (const event of events.slice(stream.taken[index])) this.takeOfCall(stream, event)
          stream.taken[index] = events.length
        })
      }
      client.gets.forEach((answer, index) => {
        for (const event of answer.events.slice(client.takenOfGets[index])) this.takeOfGet(client, event)
        client.takenOfGets[index] = answer.events.length
      })
    }
  }

  private takeOfCall(stream: Stream, { id, message }: { id: string | undefined; message: Wire | undefined }): void {
    if (id !== undefined) stream.lastEventId = id
    if (message === undefined) return
    if (message.error?.message.startsWith('There is no such session') || message.error?.message.includes('just ended'))
      return
    this.law(id === undefined || !stream.seen.has(id), 'no event comes twice on a stream', { id, message })
    if (id !== undefined) stream.seen.add(id)
    if (message.method === 'notifications/progress') {
      this.law(
        message.params.progress === stream.progress + 1,
        `no progress is missing after ${stream.progress}`,
        message,
      )
      this.law(stream.replies === 0, 'nothing comes after the answer', message)
      stream.progress = message.params.progress
      return
    }
    if (message.id === null) return
    this.law(message.id === stream.id, 'a stream carries its own answer', message)
    stream.replies++
    this.law(stream.replies === 1, 'a call is answered once', message)
    this.seen.add(message.error === undefined ? 'a result' : 'an error')
    if (message.result !== undefined && message.result.isError !== true)
      this.law(stream.progress === STEPS_OF_A_CALL, 'the answer comes after all progress', message)
  }

  private takeOfGet(client: Client, { id, message }: { id: string | undefined; message: Wire | undefined }): void {
    if (id !== undefined) client.lastEventId = id
    if (message === undefined) return
    this.law(id !== undefined && !client.seen.has(id), 'no event comes twice on the standalone stream', { id, message })
    if (id !== undefined) client.seen.add(id)
    if (message.method === 'notifications/resources/updated') {
      add(client.updates, message.params.uri as string)
      this.seen.add('an update')
    }
  }

  /** The disk catches up, everybody comes back, and then nothing may be missing. */
  private async conclude(): Promise<void> {
    const calm = async (): Promise<void> => {
      for (let n = 0; n < 12; n++) {
        await this.sim.advance(100)
        this.store.commit()
        await this.sim.settle()
        this.look()
      }
    }
    await calm()
    for (const client of this.clients) {
      const { sessionId } = client
      if (sessionId === undefined) continue
      this.echo(client, sessionId)
      for (const stream of client.streams) this.resume(client, sessionId, stream)
      if (client.listening === undefined) this.listen(client, sessionId)
    }
    await calm()
    for (const client of this.clients) {
      if (client.ending !== 'no') continue
      for (const stream of client.streams) {
        const isOwed = stream.lastEventId !== undefined
        this.law(!isOwed || stream.replies === 1, 'a call whose stream can be resumed is answered in the end', {
          id: stream.id,
          lastEventId: stream.lastEventId,
        })
      }
      for (const uri of uris) {
        const [came, owed, possible] = [client.updates, client.owed, client.possible].map((map) => map.get(uri) ?? 0)
        this.law((came ?? 0) >= (owed ?? 0), `${owed} updates of ${uri} come`, { came })
        this.law((came ?? 0) <= (possible ?? 0), `no more than ${possible} updates of ${uri} come`, { came })
      }
    }
    await this.sim.run(Promise.all([this.app.stop(), this.flush()]))
  }

  private async flush(): Promise<void> {
    this.store.isFast = true
    this.store.commit()
  }

  private law(holds: boolean, sentence: string, about: unknown): void {
    if (!holds) this.broken.push(`${sentence}: ${JSON.stringify(about)}`)
  }
}
