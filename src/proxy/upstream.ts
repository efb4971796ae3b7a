/**
 * One server behind the proxy: a pool of connections to it under a supervisor and a breaker of its own, and its features as they
 * were last listed. Whatever happens to it happens to its own features only.
 */
import { type Client, type ConnectOptions, type Pool, type PoolOptions, pool } from 'bough/client'
import type { Server } from 'bough/server'
import type { Prompt } from '#features/prompt'
import type { Resource, ResourceTemplate } from '#features/resource'
import type { Tool } from '#features/tool'
import { isLogLevel } from '#protocol'
import type { System } from '#runtime'
import { Askers } from './asking.ts'
import { type Calls, promptOf, resourceOf, templateOf, toolOf } from './features.ts'
import { emptyListing, type Listing, listAll } from './listing.ts'
import { prefixed, prefixedUri, unprefixedUri } from './names.ts'
import { UpstreamCalls } from './upstream-calls.ts'

/** A server behind the proxy, with the options of its pool; by default one connection. */
export type UpstreamOptions = Omit<PoolOptions, 'isLazy' | 'onConnect' | 'options'> & {
  /** The system is that of the proxy, and questions go to the clients of the proxy. */
  readonly options?: Omit<ConnectOptions, 'system' | 'clock' | 'random' | 'events' | 'handlers'>
}

export interface UpstreamStatus {
  /** Whether there is a connection to it, and it answers. */
  readonly isUp: boolean
  readonly circuit: 'closed' | 'open' | 'half_open' | undefined
  readonly connections: number
  readonly tools: number
  readonly resources: number
  readonly prompts: number
  /** Why there is no connection, in words. */
  readonly failure: string | undefined
}

/** What an upstream needs of the proxy. */
export interface UpstreamHost {
  readonly server: Server
  readonly system: System
  readonly separator: string
  readonly whenDown: 'keep' | 'hide'
  readonly clash: 'first' | 'prefix'
  readonly timeoutMs: number
  /** Which upstream the features of the proxy belong to, by table and key. */
  readonly owners: Map<string, Upstream>
  readonly warn: (message: string) => void
  /** A key is free that another upstream may want. */
  readonly freed: (by: Upstream) => void
}

type Feature = Tool | Resource | ResourceTemplate | Prompt
const tableOf = { tool: 'tools', resource: 'resources', template: 'templates', prompt: 'prompts' } as const
type Table = (typeof tableOf)[keyof typeof tableOf]

/** Milliseconds before lists that could not be read are asked for again, and that they may take. */
const RELIST_MS = 5_000
const LIST_TIMEOUT_MS = 30_000

/** Milliseconds by which a call outlasts the one to its upstream: that one's time-out is news of the upstream, its own is not. */
const GRACE_MS = 1_000

export class Upstream {
  readonly name: string
  /** Set when it has started. */
  private kept: Pool | undefined
  private readonly host: UpstreamHost
  private readonly askers = new WeakMap<ConnectOptions, Askers>()
  private readonly calls: Calls
  private listing: Listing = emptyListing
  /** What stands in the tables of the proxy, as text, by table and key. */
  private readonly installed = new Map<string, string>()
  /** Subscriptions of the proxy's clients, by the URI that they know. */
  private readonly watched = new Map<string, Promise<() => Promise<void>>>()
  private readonly listed: (() => void)[] = []
  private isStale = false
  private isListing = false
  private isClosed = false

  constructor(name: string, host: UpstreamHost) {
    this.name = name
    this.host = host
    this.calls = new UpstreamCalls(name, () => this.pool, host.timeoutMs, this.askers)
  }

  get pool(): Pool {
    if (this.kept === undefined) throw new Error(`The upstream ${this.name} has not started.`)
    return this.kept
  }

  /** Starts its pool; connections are made meanwhile. */
  async start({ options = {}, ...rest }: UpstreamOptions): Promise<void> {
    const { system } = this.host
    const connectOptions = (): ConnectOptions => {
      const askers = new Askers(this.name)
      const own: ConnectOptions = {
        // What a tool answers is checked by whoever called it.
        validateOutput: false,
        capabilities: {
          sampling: { tools: true },
          elicitation: { form: true, url: true },
          roots: { listChanged: false },
        },
        ...options,
        handlers: askers.handlers(),
        system,
      }
      this.askers.set(own, askers)
      return own
    }
    this.kept = await pool({
      size: 1,
      ...rest,
      options: connectOptions,
      onConnect: (client, made) => this.connected(client, made),
      isLazy: true,
    })
    this.kept.onListChanged(() => this.refresh())
    this.kept.onChange(() => this.changed())
  }

  /** Resolves when its features were listed once. */
  whenListed(): Promise<void> {
    return new Promise((resolve) => this.listed.push(resolve))
  }

  get isUp(): boolean {
    const { connections, circuit } = this.pool.stats()
    return connections > 0 && (circuit === undefined || circuit === 'closed')
  }

  status(): UpstreamStatus {
    const { connections, circuit } = this.pool.stats()
    const { tools, resources, templates, prompts } = this.listing
    const { failure } = this.pool
    return {
      isUp: this.isUp,
      circuit,
      connections,
      tools: tools.length,
      resources: resources.length + templates.length,
      prompts: prompts.length,
      failure: failure === undefined ? undefined : messageOf(failure),
    }
  }

  async close(): Promise<void> {
    this.isClosed = true
    await this.kept?.close()
  }

  // ---- its features ----------------------------------------------------------------------------------------------------

  /** Puts what it lists into the tables of the proxy, and takes out what it lists no more. */
  install(): void {
    const { server, owners, whenDown } = this.host
    const wanted = new Map<string, Feature>()
    const listing = whenDown === 'hide' && !this.isUp ? emptyListing : this.listing
    for (const feature of this.features(listing)) wanted.set(idOf(feature), feature)
    let hasFreed = false
    for (const id of [...this.installed.keys()]) {
      if (wanted.has(id)) continue
      this.installed.delete(id)
      owners.delete(id)
      const [table, key] = splitId(id)
      server.remove(table, key)
      hasFreed = true
    }
    for (const [id, feature] of wanted) {
      const told = JSON.stringify(feature.entity)
      if (this.installed.get(id) === told) continue
      server.put(feature)
      this.installed.set(id, told)
      owners.set(id, this)
    }
    if (hasFreed) this.host.freed(this)
  }

  private *features({ tools, resources, templates, prompts }: Listing): Generator<Feature, void, undefined> {
    const { name, calls } = this
    const { separator, timeoutMs } = this.host
    for (const one of tools) yield toolOf(one, prefixed(name, separator, one.name), timeoutMs + GRACE_MS, calls)
    for (const one of prompts) yield promptOf(one, prefixed(name, separator, one.name), calls)
    for (const one of resources) {
      const key = this.keyOf('resources', one.uri)
      if (key !== undefined) yield resourceOf(one, key, calls)
    }
    for (const one of templates) {
      const key = this.keyOf('templates', one.uriTemplate)
      if (key === undefined) continue
      try {
        const original = (uri: string): string => (key === one.uriTemplate ? uri : unprefixedUri(name, uri))
        yield templateOf(one, key, original, calls)
      } catch (error) {
        this.host.warn(`${name}: the template ${one.uriTemplate} is left out: ${messageOf(error)}`)
      }
    }
  }

  /** The URI under which the proxy has it; undefined when another upstream has that one. */
  private keyOf(table: Table, uri: string): string | undefined {
    const owner = this.host.owners.get(`${table} ${uri}`)
    if (owner === undefined || owner === this) return uri
    if (this.host.clash === 'prefix') return prefixedUri(this.name, uri)
    this.host.warn(`${this.name}: ${uri} is left out, since ${owner.name} has it too.`)
    return undefined
  }

  // ---- staying up to date ----------------------------------------------------------------------------------------------

  private connected(client: Client, options: ConnectOptions): void {
    const sole = () => this.askers.get(options)?.sole
    client.onLog(({ level, logger, data }) => {
      if (isLogLevel(level)) sole()?.log(level, data, logger === undefined ? this.name : `${this.name}.${logger}`)
    })
    client.onNotification('notifications/elicitation/complete', ({ elicitationId }) => {
      if (typeof elicitationId === 'string') this.host.server.elicitationComplete(elicitationId)
    })
  }

  private changed(): void {
    if (this.isClosed) return
    if (this.host.whenDown === 'hide') this.install()
    // Its lists are what is tried first: no client's call has to be the one that finds out.
    if (this.pool.stats().circuit === 'half_open') this.refresh()
  }

  /** Lists anew; once more when something changed meanwhile. */
  private refresh(): void {
    this.isStale = true
    if (!this.isListing) void this.list()
  }

  private async list(): Promise<void> {
    this.isListing = true
    while (this.isStale && !this.isClosed) {
      this.isStale = false
      try {
        this.listing = await this.pool.share('the lists', {}, (client) => listAll(client, LIST_TIMEOUT_MS))
        this.install()
        for (const resolve of this.listed.splice(0)) resolve()
      } catch (error) {
        if (this.isClosed) break
        this.host.warn(`${this.name}: its lists could not be read: ${messageOf(error)}`)
        this.host.system.timers.start(RELIST_MS, () => {
          if (!this.isClosed) this.refresh()
        })
        break
      }
    }
    this.isListing = false
  }

  // ---- subscriptions ---------------------------------------------------------------------------------------------------

  /** Clients of the proxy want to know of changes of a resource. */
  watch(uri: string): void {
    if (this.watched.has(uri)) return
    const isPrefixed = this.host.clash === 'prefix' && !this.listing.resources.some((one) => one.uri === uri)
    const original = isPrefixed ? unprefixedUri(this.name, uri) : uri
    const { server, warn } = this.host
    const stopping = this.pool.subscribe(original, () => void server.resourceUpdated(uri))
    this.watched.set(uri, stopping)
    stopping.catch((error: unknown) => {
      this.watched.delete(uri)
      warn(`${this.name}: there is no subscribing to ${original}: ${messageOf(error)}`)
    })
  }

  /** None wants to know any more. */
  unwatch(uri: string): void {
    const stopping = this.watched.get(uri)
    this.watched.delete(uri)
    void stopping?.then((stop) => stop()).catch(() => undefined)
  }
}

function idOf(feature: Feature): string {
  return `${tableOf[feature.kind]} ${feature.key}`
}

function splitId(id: string): [Table, string] {
  const at = id.indexOf(' ')
  // `idOf` made it.
  return [id.slice(0, at) as Table, id.slice(at + 1)]
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
