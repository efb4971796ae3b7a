/**
 * A client: every method of MCP as a function, in whichever era the server is of. Lists resolve to all their pages; requests
 * reject with `ClientError`, and settle exactly once.
 *
 *     const client = await connect('https://example.com/mcp', { name: 'app', version: '1.0.0' })
 *     const result = await client.callTool('forecast', { city: 'Oslo' })
 *     await client.close()
 */
import { flushBatch, notifyServer } from '#actors/client-connection'
import type { ListKind, ServerDescription } from '#actors/client-services'
import { subscribeTo, unsubscribeFrom, wishesChanged } from '#actors/client-subscriptions'
import type { ConnectionPhase } from '#lifecycles/connection'
import {
  type Completion,
  ErrorCode,
  has,
  hasExtension,
  isObject,
  type JsonObject,
  type LogLevel,
  methodRow,
  type PromptEntity,
  type PromptResult,
  type ReadResult,
  type ResourceEntity,
  type ResourceTemplateEntity,
  revisionOf,
  TASKS_EXTENSION,
  type ToolEntity,
  type ToolResult,
} from '#protocol'
import { CallError } from '#runtime'
import { Batch } from './batch.ts'
import type { ResultCache } from './cache.ts'
import { ClientError, clientError, errorOf } from './errors.ts'
import { count, type Listeners, type LogMessage, listenTo, type ResourceUpdate } from './listeners.ts'
import { type PageOptions, Pages } from './pages.ts'
import type { Manner, RequestOptions, Requests } from './requests.ts'
import { pause } from './requests.ts'
import { inRounds } from './rounds.ts'
import { taskDetailOf } from './task-info.ts'
import { type ClientTask, finishedTask, TaskHandle } from './tasks.ts'
import { ToolMemory } from './tools.ts'

export interface CallToolOptions extends RequestOptions {
  /** Whether the call may be repeated when its answer is lost; default what the tool's annotations say. */
  readonly isIdempotent?: boolean
}

export interface TaskOptions extends CallToolOptions {
  /** Milliseconds that the server is asked to keep the task. */
  readonly ttl?: number
}

export interface CompletionRequest {
  readonly ref:
    | { readonly type: 'ref/prompt'; readonly name: string }
    | { readonly type: 'ref/resource'; readonly uri: string }
  readonly argument: { readonly name: string; readonly value: string }
  /** What other arguments hold already. */
  readonly context?: { readonly arguments?: Readonly<Record<string, string>> }
}

/** What the client is made of; for `connect`. */
export interface ClientParts {
  readonly requests: Requests
  readonly listeners: Listeners
  readonly cache: ResultCache
  readonly validatesOutput: boolean
  readonly isHttp: () => boolean
  readonly close: () => Promise<void>
}

const safe: Manner = { isSafe: true }
const kinds: readonly ListKind[] = ['tools', 'prompts', 'resources']
/** How often a subscription is asked for again when the process that keeps it ends. */
const RESTARTS_MAX = 5

export class Client {
  private readonly parts: ClientParts
  private readonly requests: Requests
  private readonly memory: ToolMemory
  private readonly pages: Pages

  /** Made by `connect`. */
  constructor(parts: ClientParts) {
    this.parts = parts
    this.requests = parts.requests
    this.memory = new ToolMemory(parts.requests.services.news.warn)
    this.pages = new Pages(parts.requests, parts.cache)
    listenTo(parts.listeners.lists, 'tools', () => this.memory.forget())
  }

  /** What the server said of itself when the connection was last made. */
  get server(): ServerDescription {
    const { server } = this.requests.services.known
    if (server === undefined) throw clientError('closed', 'The client has not been connected.')
    return server
  }

  /** What was counted of its requests, its connection and what it was asked: a number per name, or one per label. */
  metrics(): Record<string, number | Record<string, number>> {
    return this.requests.services.telemetry.metrics.counters.snapshot()
  }

  /** Every metric of the client as Prometheus text; see docs/metrics.md. */
  metricsText(): string {
    return this.requests.services.telemetry.text()
  }

  /** 'operating' while there is a connection. */
  get phase(): ConnectionPhase {
    return this.requests.services.known.phase
  }

  // ---- tools -----------------------------------------------------------------------------------------------------------

  /** All tools, page by page. Over HTTP those with an invalid `x-mcp-header` are left out, with a warning. */
  async *tools(options: PageOptions = {}): AsyncGenerator<ToolEntity, void, undefined> {
    const isStrict = this.parts.isHttp() && this.server.era === 'modern'
    for await (const page of this.pages.of('tools/list', 'tools', options)) yield* this.memory.remember(page, isStrict)
  }

  listTools(options?: PageOptions): Promise<ToolEntity[]> {
    return gather(this.tools(options))
  }

  /**
   * Calls a tool; resolves to its whole result, `isError` or not. Questions of the server are answered by the handlers on the
   * way, and a task that the server makes of the call is waited for.
   */
  async callTool(name: string, args?: JsonObject, options: CallToolOptions = {}): Promise<ToolResult> {
    if (this.needsTask(name)) return (await this.callToolAsTask(name, args, options)).result(options)
    const result = await this.call(name, args, {}, options)
    const whole =
      result['resultType'] === 'task'
        ? await this.taskOf(name, result).result(options)
        : (result as unknown as ToolResult)
    return this.check(name, whole)
  }

  /** Calls a tool as a task; rejects with 'not_supported' where the server has no tasks. */
  async callToolAsTask(name: string, args?: JsonObject, { ttl, ...options }: TaskOptions = {}): Promise<ClientTask> {
    if (this.server.era === 'modern') {
      const result = await this.call(name, args, {}, options)
      if (result['resultType'] === 'task') return this.taskOf(name, result)
      return finishedTask(this.check(name, result as unknown as ToolResult))
    }
    this.mustHave('tasks.requests.tools.call', 'tasks of tools')
    const result = await this.call(name, args, { task: ttl === undefined ? {} : { ttl } }, options)
    return isObject(result['task']) ? this.taskOf(name, result['task']) : finishedTask(result as unknown as ToolResult)
  }

  /** A handle for a task that was created before, perhaps by another run of the program. */
  task(id: string): ClientTask {
    return new TaskHandle(this.requests, this.parts.listeners, id, () => undefined)
  }

  // ---- resources -------------------------------------------------------------------------------------------------------

  resources(options: PageOptions = {}): AsyncGenerator<ResourceEntity, void, undefined> {
    return this.pages.items('resources/list', 'resources', options)
  }

  listResources(options?: PageOptions): Promise<ResourceEntity[]> {
    return gather(this.resources(options))
  }

  resourceTemplates(options: PageOptions = {}): AsyncGenerator<ResourceTemplateEntity, void, undefined> {
    return this.pages.items('resources/templates/list', 'resourceTemplates', options)
  }

  listResourceTemplates(options?: PageOptions): Promise<ResourceTemplateEntity[]> {
    return gather(this.resourceTemplates(options))
  }

  async readResource(uri: string, options: PageOptions = {}): Promise<ReadResult> {
    const params = { uri }
    const known = options.isFresh === true ? undefined : this.parts.cache.get('resources/read', params)
    if (known !== undefined) return known as unknown as ReadResult
    const { result, hasAsked } = await inRounds(this.requests, 'resources/read', params, options, safe)
    if (!hasAsked) this.parts.cache.put('resources/read', params, result)
    return result as unknown as ReadResult
  }

  /**
   * Calls `onUpdate` after each change of a resource, from the moment this resolves, over reconnections: after one it is called
   * once with `isCatchUp`, since a change may have been missed. Resolves to a function that ends it.
   */
  async subscribe(uri: string, onUpdate: (update: ResourceUpdate) => void): Promise<() => Promise<void>> {
    if (this.server.era === 'legacy') this.mustHave('resources.subscribe', 'subscriptions')
    const { services } = this.requests
    const { remove } = listenTo(this.parts.listeners.resources, uri, (update: ResourceUpdate) => onUpdate(update))
    count(services.wanted.uris, uri, 1)
    const stop = async (): Promise<void> => {
      count(services.wanted.uris, uri, -1)
      if (remove()) await unsubscribeFrom(services, uri).catch(() => undefined)
    }
    try {
      await this.subscribed(uri)
    } catch (error) {
      await stop()
      throw error
    }
    let stopping: Promise<void> | undefined
    return () => (stopping ??= stop())
  }

  // ---- prompts and completion ------------------------------------------------------------------------------------------

  prompts(options: PageOptions = {}): AsyncGenerator<PromptEntity, void, undefined> {
    return this.pages.items('prompts/list', 'prompts', options)
  }

  listPrompts(options?: PageOptions): Promise<PromptEntity[]> {
    return gather(this.prompts(options))
  }

  async getPrompt(
    name: string,
    args?: Readonly<Record<string, string>>,
    options: RequestOptions = {},
  ): Promise<PromptResult> {
    const params = { name, ...(args !== undefined && { arguments: args }) }
    const { result } = await inRounds(this.requests, 'prompts/get', params, options, safe)
    return result as unknown as PromptResult
  }

  /** What may be written for an argument of a prompt or a resource template. */
  async complete(request: CompletionRequest, options: RequestOptions = {}): Promise<Completion> {
    const { context, ...rest } = request
    const knowsContext = revisionOf(this.server.protocolVersion)?.features.has('completionContext') === true
    const params = { ...rest, ...(context !== undefined && knowsContext && { context }) }
    const { completion } = await this.request('completion/complete', params, { ...options, isSafe: true })
    if (isObject(completion) && Array.isArray(completion['values'])) return completion as unknown as Completion
    throw clientError('invalid', 'The server answered completion/complete without values.')
  }

  // ---- what the server tells -------------------------------------------------------------------------------------------

  /** Calls `listener` when a list changed, and after an interruption in which one may have. Returns what ends it. */
  onListChanged(listener: (kind: ListKind) => void, wanted: readonly ListKind[] = kinds): () => void {
    const { services } = this.requests
    const removals = wanted.map((kind) => {
      const { remove } = listenTo(this.parts.listeners.lists, kind, listener)
      count(services.wanted.lists, kind, 1)
      return () => {
        count(services.wanted.lists, kind, -1)
        remove()
      }
    })
    wishesChanged(services)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      for (const remove of removals) remove()
      wishesChanged(services)
    }
  }

  /** Calls `listener` with each log message; `setLogLevel` says which come. Returns what ends it. */
  onLog(listener: (message: LogMessage) => void): () => void {
    const own = (message: LogMessage): void => listener(message)
    this.parts.listeners.logs.add(own)
    return () => void this.parts.listeners.logs.delete(own)
  }

  /** Calls `listener` whenever the connection is lost, tried again, made or given up. Returns what ends it. */
  onPhaseChange(listener: (phase: ConnectionPhase) => void): () => void {
    const own = (phase: ConnectionPhase): void => listener(phase)
    this.parts.listeners.phases.add(own)
    return () => void this.parts.listeners.phases.delete(own)
  }

  /** Calls `listener` with the params of each notification of that method that has no function of its own here. */
  onNotification(method: string, listener: (params: JsonObject) => void): () => void {
    const { remove } = listenTo(this.parts.listeners.others, method, listener)
    return () => void remove()
  }

  /** Wants log messages from `level` on; a modern server is told with each request, a legacy one now and after reconnections. */
  async setLogLevel(level: LogLevel, options: RequestOptions = {}): Promise<void> {
    if (this.server.era === 'legacy') {
      this.mustHave('logging', 'log messages')
      await this.requests.send('logging/setLevel', { level }, options, safe)
    }
    this.requests.services.known.logLevel = level
  }

  /** Calls that go out together; see batch.ts. */
  batch(): Batch {
    const { services } = this.requests
    const id = ++services.known.lastKey
    return new Batch(this, id, () => flushBatch(services, id))
  }

  // ---- the rest --------------------------------------------------------------------------------------------------------

  /** Resolves when the server answers: `ping` in the legacy era, `server/discover` in the modern one, which has no ping. */
  async ping(options: RequestOptions = {}): Promise<void> {
    await this.requests.send(this.server.era === 'legacy' ? 'ping' : 'server/discover', undefined, options, safe)
  }

  /** Tells a legacy server that the roots changed; a modern one asks whenever it needs them. */
  rootsChanged(): void {
    if (this.server.era === 'legacy') notifyServer(this.requests.services, 'notifications/roots/list_changed')
  }

  /** Any request, such as one of an extension. Rejects with -32601 for a method that the revision does not have. */
  async request(
    method: string,
    params?: JsonObject,
    options: RequestOptions & Partial<Manner> = {},
  ): Promise<JsonObject> {
    const { isSafe = false, wantsProgress, headers, ...rest } = options
    const { protocolVersion } = this.server
    if (methodRow(method) !== undefined && methodRow(method, protocolVersion) === undefined) {
      const message = `Revision ${protocolVersion}, which the server speaks, has no ${method}.`
      throw new ClientError({ code: ErrorCode.MethodNotFound, message, mayHaveRun: false })
    }
    const manner = {
      isSafe,
      ...(wantsProgress !== undefined && { wantsProgress }),
      ...(headers !== undefined && { headers }),
    }
    return (await inRounds(this.requests, method, params, rest, manner)).result
  }

  /** Sends any notification; one that finds no connection is dropped. */
  notify(method: string, params?: JsonObject): void {
    notifyServer(this.requests.services, method, params)
  }

  /** Ends everything: requests reject with 'closed', the link is closed, a stdio server ended. Resolves when nothing is left. */
  close(): Promise<void> {
    return this.parts.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- inside ----------------------------------------------------------------------------------------------------------

  private async call(
    name: string,
    args: JsonObject | undefined,
    more: JsonObject,
    options: CallToolOptions,
  ): Promise<JsonObject> {
    const { isIdempotent, ...rest } = options
    const params = { name, ...(args !== undefined && { arguments: args }), ...more }
    const send = async (): Promise<JsonObject> => {
      const headers = this.memory.headersOf(name, args)
      const manner = { isSafe: isIdempotent ?? this.memory.isSafe(name), wantsProgress: true, headers }
      return (await inRounds(this.requests, 'tools/call', params, rest, manner, this.mayBeTask)).result
    }
    try {
      return await send()
    } catch (error) {
      const isMismatch = error instanceof ClientError && error.code === ErrorCode.HeaderMismatch
      if (!isMismatch || !this.parts.isHttp()) throw error
      // The tool wants other arguments in headers than the client knows of.
      await this.listTools({ ...rest, isFresh: true })
      return send()
    }
  }

  private taskOf(name: string, created: JsonObject): TaskHandle {
    const { info } = taskDetailOf(created)
    return new TaskHandle(this.requests, this.parts.listeners, info.id, (result) => void this.check(name, result), info)
  }

  private get mayBeTask(): boolean {
    return hasExtension(this.requests.services.settings.capabilities, TASKS_EXTENSION)
  }

  private needsTask(name: string): boolean {
    const isLegacy = this.server.era === 'legacy' && has(this.server.capabilities, 'tasks.requests.tools.call')
    return isLegacy && this.memory.get(name)?.execution?.taskSupport === 'required'
  }

  private check(name: string, result: ToolResult): ToolResult {
    if (this.parts.validatesOutput) this.memory.checkResult(name, result)
    return result
  }

  private async subscribed(uri: string): Promise<void> {
    const { services } = this.requests
    for (let restarts = 0; ; restarts++) {
      try {
        const outcome = await subscribeTo(services, uri)
        if ('failure' in outcome) throw errorOf(outcome.failure)
        return
      } catch (error) {
        if (!(error instanceof CallError)) throw error
        if (restarts >= RESTARTS_MAX || this.phase === 'closed') {
          throw clientError(
            'closed',
            `The subscription to ${uri} was not made: the client's processes ended.`,
            false,
            error,
          )
        }
        await pause(services.system, 10 * 2 ** restarts)
      }
    }
  }

  private mustHave(path: string, what: string): void {
    if (has(this.server.capabilities, path)) return
    throw clientError('not_supported', `The server did not announce ${what} (${path}).`)
  }
}

async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
