/**
 * A pool: many users over few connections to one server. Each connection is kept by a process of its own, and looked after; a call
 * goes over the one that suits best, or waits a while for one. A server that does not answer is not asked for a time: calls then
 * reject at once with 'circuit_open'. What a tool answers is no failure of its server, whatever it says.
 *
 *     const forecasts = await pool({ target: 'https://example.com/mcp', size: 4, maxOverflow: 4 })
 *     await forecasts.callTool('forecast', { city: 'Oslo' })
 *     await forecasts.use(async (client) => { ... })               // one connection, for this alone
 *     await forecasts.close()
 */
import { admit, type Circuit, createCircuit, tellBreaker, type Verdict } from '#actors/circuit-breaker'
import type { Held, PoolServices, Slot } from '#actors/client-pool'
import type { ListKind, ServerDescription } from '#actors/client-services'
import type { CircuitPhase } from '#lifecycles/circuit'
import type {
  Completion,
  JsonObject,
  PromptEntity,
  PromptResult,
  ReadResult,
  ResourceEntity,
  ResourceTemplateEntity,
  ToolEntity,
  ToolResult,
} from '#protocol'
import { createNames, type NameTable, type Ref, type SupervisorRef, type System } from '#runtime'
import { ClientTree } from '#supervisors/client'
import { OVERFLOW, PoolTree } from '#supervisors/client-pool'
import { Checkouts } from './checkouts.ts'
import type { CallToolOptions, Client, CompletionRequest } from './client.ts'
import { connect, ownSystem } from './connect.ts'
import { CircuitOpen, ClientError, clientError } from './errors.ts'
import { Followers } from './followers.ts'
import type { ResourceUpdate } from './listeners.ts'
import type { ConnectOptions } from './options.ts'
import type { PageOptions } from './pages.ts'
import { type PoolOptions, poolSettingsOf } from './pool-options.ts'
import type { RequestOptions } from './requests.ts'

/** A client in its place. */
interface Pooled extends Held {
  readonly client: Client
  readonly options: ConnectOptions
}

export interface PoolStats {
  /** Connections that are there, of those that are wanted; overflow connections count. */
  readonly connections: number
  readonly overflow: number
  /** Calls under way, and those that wait for a connection. */
  readonly busy: number
  readonly queued: number
  /** Undefined without a breaker. */
  readonly circuit: CircuitPhase | undefined
}

/** Starts a pool. Rejects with `ClientError` when the server cannot be reached at first, `TypeError` for wrong options. */
export async function pool(options: PoolOptions): Promise<Pool> {
  const made = new Pool(options)
  await made.start(options.isLazy === true)
  return made
}

export class Pool {
  private readonly system: System
  private readonly ownsSystem: boolean
  private readonly names: NameTable = createNames()
  private readonly services: PoolServices<Pooled>
  private readonly checkouts: Checkouts<Pooled>
  private readonly followers: Followers
  private readonly changes = new Set<() => void>()
  private readonly circuit: Circuit | undefined
  private tree: SupervisorRef | undefined
  private closing: Promise<void> | undefined
  private lastServer: ServerDescription | undefined
  private isOpening = false
  private first: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined
  private lastFailure: unknown

  /** Made by `pool`. */
  constructor(given: PoolOptions) {
    const settings = poolSettingsOf(given)
    const { target, onConnect, options: wanted } = given
    const { firstOptions } = settings
    this.ownsSystem = firstOptions.system === undefined
    this.system = firstOptions.system ?? ownSystem(firstOptions)
    this.circuit = settings.breaker && createCircuit(settings.breaker, (phase) => this.circuitChanged(phase))
    const slots = new Set<Slot<Pooled>>()
    this.services = {
      timings: settings.timings,
      size: settings.size,
      overflowMax: settings.overflowMax,
      circuit: this.circuit,
      slots,
      lastSlot: 0,
      open: async (self) => {
        // One listener less on a signal that lives as long as the process.
        const attempt = new AbortController()
        const stop = (): void => attempt.abort(self.signal.reason)
        self.signal.addEventListener('abort', stop, { once: true })
        try {
          let tree: Ref | undefined
          const options = typeof wanted === 'function' ? wanted() : firstOptions
          const own = { ...options, system: this.system, signal: attempt.signal }
          const client = await connect(target, own, async (services) => {
            const started = await self.start(ClientTree, services)
            tree = started
            return started
          })
          const ping = (timeout: number): Promise<void> => client.ping({ timeout, maxTimeout: timeout })
          onConnect?.(client, options)
          // `connect` has started it.
          return { held: { client, options, ping, close: () => client.close() }, tree: tree as Ref }
        } finally {
          self.signal.removeEventListener('abort', stop)
        }
      },
      news: {
        up: (slot) => this.up(slot),
        down: (slot, lost, why) => this.down(slot, lost, why),
      },
    }
    const isOperating = ({ client }: Pooled): boolean => client.phase === 'operating'
    this.checkouts = new Checkouts(this.system, settings, slots, isOperating, () => this.openMore())
    this.followers = new Followers((message) => firstOptions.onWarning?.(message))
  }

  /** For `pool`. */
  async start(isLazy: boolean): Promise<void> {
    const first = new Promise<void>((resolve, reject) => {
      this.first = { resolve, reject }
    })
    if (isLazy) first.catch(() => undefined)
    // The processes know a connection only as what can be pinged and closed.
    const services = this.services as unknown as PoolServices
    this.tree = await this.system.start(PoolTree, { services, names: this.names })
    void this.tree.down.then(() => this.close())
    if (isLazy) return
    try {
      await first
    } catch (error) {
      await this.close()
      throw error
    }
  }

  // ---- calls -----------------------------------------------------------------------------------------------------------

  callTool(name: string, args?: JsonObject, options: CallToolOptions = {}): Promise<ToolResult> {
    return this.run('tools/call', options, (client) => client.callTool(name, args, options))
  }

  listTools(options: PageOptions = {}): Promise<ToolEntity[]> {
    return this.run('tools/list', options, (client) => client.listTools(options))
  }

  listResources(options: PageOptions = {}): Promise<ResourceEntity[]> {
    return this.run('resources/list', options, (client) => client.listResources(options))
  }

  listResourceTemplates(options: PageOptions = {}): Promise<ResourceTemplateEntity[]> {
    return this.run('resources/templates/list', options, (client) => client.listResourceTemplates(options))
  }

  readResource(uri: string, options: PageOptions = {}): Promise<ReadResult> {
    return this.run('resources/read', options, (client) => client.readResource(uri, options))
  }

  listPrompts(options: PageOptions = {}): Promise<PromptEntity[]> {
    return this.run('prompts/list', options, (client) => client.listPrompts(options))
  }

  getPrompt(
    name: string,
    args?: Readonly<Record<string, string>>,
    options: RequestOptions = {},
  ): Promise<PromptResult> {
    return this.run('prompts/get', options, (client) => client.getPrompt(name, args, options))
  }

  complete(request: CompletionRequest, options: RequestOptions = {}): Promise<Completion> {
    return this.run('completion/complete', options, (client) => client.complete(request, options))
  }

  /** Any request; see `client.request`. */
  request(method: string, params?: JsonObject, options: RequestOptions = {}): Promise<JsonObject> {
    return this.run(method, options, (client) => client.request(method, params, options))
  }

  ping(options: RequestOptions = {}): Promise<void> {
    return this.run('ping', options, (client) => client.ping(options))
  }

  /**
   * Lends one connection to `work` alone, for requests that belong together. Resolves or rejects as `work` does. A `ClientError` of
   * the connection that `work` rejects with counts as a failure of the server.
   */
  use<T>(work: (client: Client) => Promise<T>, options: Pick<RequestOptions, 'signal'> = {}): Promise<T> {
    return this.run('use', options, work, true)
  }

  /**
   * Shares one connection like any call; `work` gets the options it was made with, and may make several requests. `what` names
   * them in errors.
   */
  share<T>(
    what: string,
    options: Pick<RequestOptions, 'signal'>,
    work: (client: Client, options: ConnectOptions) => Promise<T>,
  ): Promise<T> {
    return this.run(what, options, work)
  }

  // ---- what the server tells -------------------------------------------------------------------------------------------

  /** Calls `onUpdate` after each change of a resource; see `client.subscribe`. Another connection takes over from one that ends. */
  async subscribe(uri: string, onUpdate: (update: ResourceUpdate) => void): Promise<() => Promise<void>> {
    const attach = (client: Client): Promise<() => Promise<void>> => client.subscribe(uri, onUpdate)
    // The first time whoever asks hears why it cannot be.
    const stop = await this.run('resources/subscribe', {}, async (client) => ({ client, stop: await attach(client) }))
    return this.followers.add(attach, () => onUpdate({ uri, isCatchUp: true }), stop)
  }

  /** Calls `listener` when a list changed, and when it may have; see `client.onListChanged`. Returns what ends it. */
  onListChanged(listener: (kind: ListKind) => void): () => void {
    const attach = async (client: Client): Promise<() => void> => client.onListChanged(listener)
    const resumed = (): void => {
      for (const kind of ['tools', 'prompts', 'resources'] as const) listener(kind)
    }
    const stop = this.followers.add(attach, resumed)
    return () => void stop()
  }

  /** Calls `listener` when a connection came or went, or the circuit changed. Returns what ends it. */
  onChange(listener: () => void): () => void {
    const own = (): void => listener()
    this.changes.add(own)
    return () => void this.changes.delete(own)
  }

  // ---- the rest --------------------------------------------------------------------------------------------------------

  /** What the server said of itself when it was last connected to; undefined before. */
  get server(): ServerDescription | undefined {
    for (const { held } of this.services.slots) if (held !== undefined) return held.client.server
    return this.lastServer
  }

  stats(): PoolStats {
    const slots = [...this.services.slots]
    return {
      connections: slots.filter(({ held }) => held !== undefined).length,
      overflow: slots.filter(({ isOverflow }) => isOverflow).length,
      busy: slots.reduce((sum, { busy }) => sum + busy, 0),
      queued: this.checkouts.queued,
      circuit: this.circuit?.phase,
    }
  }

  /** Why the last try to connect failed; undefined while there is a connection. */
  get failure(): unknown {
    return this.lastFailure
  }

  /** Ends everything: calls reject with 'closed', connections are closed. Resolves when nothing is left. */
  close(): Promise<void> {
    this.closing ??= this.end()
    return this.closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- inside ----------------------------------------------------------------------------------------------------------

  private async run<T>(
    what: string,
    { signal }: Pick<RequestOptions, 'signal'>,
    work: (client: Client, options: ConnectOptions) => Promise<T>,
    isAlone = false,
  ): Promise<T> {
    if (this.closing !== undefined) throw closed(what)
    if (signal?.aborted === true)
      throw clientError('cancelled', `${what}: the request was cancelled. It was not sent.`, false, signal.reason)
    const isTrial = this.admitted(what)
    let verdict: Verdict = 'neutral'
    try {
      const taken = this.checkouts.take(what, isAlone, signal)
      const slot = taken instanceof Promise ? await taken : taken
      try {
        // It was there when it was handed over, in this very turn or the one before.
        if (slot.held === undefined) throw clientError('lost', `${what}: the connection was lost. It was not sent.`)
        const { client, options } = slot.held
        const result = await work(client, options)
        verdict = 'succeeded'
        return result
      } catch (error) {
        verdict = verdictOf(error)
        // The connection was given up, not the pool.
        const isReplaced = this.closing === undefined && error instanceof ClientError && error.code === 'closed'
        throw isReplaced ? clientError('lost', error.message, error.mayHaveRun, error) : error
      } finally {
        this.checkouts.giveBack(slot)
      }
    } finally {
      if (this.circuit !== undefined) tellBreaker(this.circuit, verdict, isTrial)
    }
  }

  /** Whether the call is a trial. Throws `CircuitOpen` when it may not be made. */
  private admitted(what: string): boolean {
    if (this.circuit === undefined) return false
    const admission = admit(this.circuit, this.system.clock.now())
    if (typeof admission === 'object') throw circuitOpen(what, admission.retryAfterMs)
    return admission === 'trial'
  }

  private circuitChanged(phase: CircuitPhase): void {
    if (phase === 'open') {
      const retryAfterMs = this.circuit?.settings.resetMs ?? 0
      this.checkouts.refuseAll(() => circuitOpen('The request', retryAfterMs))
    }
    this.changed()
  }

  private changed(): void {
    for (const listener of [...this.changes]) listener()
  }

  private up(slot: Slot<Pooled>): void {
    const { held } = slot
    if (held === undefined) return
    this.lastFailure = undefined
    this.lastServer = held.client.server
    this.first?.resolve()
    this.isOpening = false
    this.followers.up(held.client)
    this.checkouts.serve()
    this.changed()
  }

  private down(slot: Slot<Pooled>, lost: Pooled | undefined, why: unknown): void {
    this.isOpening = false
    if (why !== undefined) {
      this.lastFailure = why
      this.first?.reject(why)
    }
    if (lost !== undefined) {
      const others = [...this.services.slots].flatMap(({ held }) => (held === undefined ? [] : [held.client]))
      this.followers.down(lost.client, others[0])
      this.checkouts.lost(slot)
    }
    if (this.closing === undefined) this.changed()
  }

  /** All connections are busy: opens one more, one at a time, while there may be more. */
  private openMore(): void {
    const { slots, overflowMax } = this.services
    const overflow = [...slots].filter(({ isOverflow }) => isOverflow).length
    if (this.isOpening || overflow >= overflowMax || this.closing !== undefined || this.circuit?.phase === 'open')
      return
    this.isOpening = true
    const job = { services: this.services as unknown as PoolServices, isOverflow: true }
    const supervisor = this.names.whereis(OVERFLOW)?.ref as unknown as SupervisorRef | undefined
    supervisor?.startChild(job).catch(() => {
      this.isOpening = false
    })
  }

  private async end(): Promise<void> {
    await Promise.resolve()
    this.checkouts.refuseAll(() => closed('The request'))
    if (this.tree?.alive === true) await this.tree.stop('shutdown').catch(() => undefined)
    this.followers.clear()
    this.first?.reject(closed('The pool'))
    if (this.ownsSystem) await this.system.stop()
  }
}

function closed(what: string): ClientError {
  return clientError('closed', `${what}: the pool was closed.`)
}

function circuitOpen(what: string, retryAfterMs: number): CircuitOpen {
  return new CircuitOpen(
    `${what} was not sent: the server has not answered for a while. It is tried again in ${retryAfterMs} ms.`,
    retryAfterMs,
  )
}

/** What a call that failed says of its server: one that answers is well, whatever it answers. */
function verdictOf(error: unknown): Verdict {
  if (!(error instanceof ClientError)) return 'neutral'
  if (typeof error.code === 'number') return 'succeeded'
  if (error.code === 'lost' || error.code === 'refused' || error.code === 'timeout') return 'failed'
  const status = error.code === 'status' ? (error.data as { readonly status?: number } | undefined)?.status : undefined
  return status !== undefined && status >= 500 ? 'failed' : 'neutral'
}
