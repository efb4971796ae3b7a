/**
 * The way of a call through the proxy: over a connection to the upstream, with its progress and its cancellation, and back with the
 * upstream's answer or error as it is. Where there is no answer the client is told so in the words of its method: a tool's result
 * with `isError`, which a model can act on, or an internal error. Its data say which upstream it was, and when to come again.
 */
import {
  CircuitOpen,
  type Client,
  ClientError,
  type CompletionRequest,
  type ConnectOptions,
  type Pool,
  type RequestOptions,
} from 'bough/client'
import type { ToolContext } from '#features/context'
import {
  type Completion,
  ErrorCode,
  type JsonObject,
  type PromptResult,
  ProtocolError,
  type ReadResult,
  type ToolResult,
  text,
} from '#protocol'
import { type Askers, handlersFor } from './asking.ts'
import type { Calls } from './features.ts'

/** Where `_meta` of a result says that an upstream did not answer. */
const UPSTREAM_META_KEY = 'bough/upstream'

export class UpstreamCalls implements Calls {
  private readonly name: string
  private readonly pool: () => Pool
  private readonly timeoutMs: number
  private readonly askers: WeakMap<ConnectOptions, Askers>

  constructor(name: string, pool: () => Pool, timeoutMs: number, askers: WeakMap<ConnectOptions, Askers>) {
    this.name = name
    this.pool = pool
    this.timeoutMs = timeoutMs
    this.askers = askers
  }

  async callTool(name: string, args: JsonObject, ctx: ToolContext): Promise<ToolResult> {
    try {
      return await this.pass(`tools/call ${name}`, ctx, (client, options) => client.callTool(name, args, options))
    } catch (error) {
      if (!(error instanceof ClientError) || typeof error.code === 'number') throw this.errorFor(error)
      const message = `The server ${this.name} did not answer. ${error.message}`
      return { content: [text(message)], isError: true, _meta: { [UPSTREAM_META_KEY]: this.detailOf(error) } }
    }
  }

  readResource(uri: string, ctx: ToolContext): Promise<ReadResult> {
    return this.told(this.pass('resources/read', ctx, (client, options) => client.readResource(uri, options)))
  }

  getPrompt(name: string, args: Readonly<Record<string, string>>, ctx: ToolContext): Promise<PromptResult> {
    return this.told(this.pass(`prompts/get ${name}`, ctx, (client, options) => client.getPrompt(name, args, options)))
  }

  complete(
    ref: CompletionRequest['ref'],
    argument: CompletionRequest['argument'],
    given: Readonly<Record<string, string>>,
  ): Promise<Completion> {
    const context = Object.keys(given).length === 0 ? {} : { context: { arguments: given } }
    return this.told(this.pool().complete({ ref, argument, ...context }))
  }

  private pass<T>(
    what: string,
    ctx: ToolContext,
    work: (client: Client, options: RequestOptions) => Promise<T>,
  ): Promise<T> {
    const { signal, meta } = ctx
    const request: RequestOptions = {
      signal,
      timeout: this.timeoutMs,
      maxTimeout: this.timeoutMs,
      handlers: handlersFor(ctx),
      meta: passedOn(meta),
      ...(meta['progressToken'] !== undefined && {
        onProgress: ({ progress, total, message }) => ctx.progress(progress, total, message),
      }),
    }
    return this.pool().share(what, { signal }, (client, options) => {
      const askers = this.askers.get(options)
      return askers === undefined ? work(client, request) : askers.during(ctx, () => work(client, request))
    })
  }

  private async told<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      throw this.errorFor(error)
    }
  }

  /** What the upstream refused is refused in its words; what it did not answer is an internal error. */
  private errorFor(error: unknown): unknown {
    if (!(error instanceof ClientError)) return error
    if (typeof error.code === 'number') return new ProtocolError(error.code, error.message, error.data)
    const message = `The server ${this.name} did not answer. ${error.message}`
    return new ProtocolError(ErrorCode.InternalError, message, this.detailOf(error), { cause: error })
  }

  private detailOf(error: ClientError): JsonObject {
    const { code, mayHaveRun } = error
    const retryAfterMs = error instanceof CircuitOpen ? { retryAfterMs: error.retryAfterMs } : {}
    return { name: this.name, code, mayHaveRun, ...retryAfterMs }
  }
}

/** What a request says beside its protocol: trace context, and keys of the client's own. */
function passedOn(meta: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(meta).filter(([key]) => key !== 'progressToken' && !key.startsWith('io.modelcontextprotocol/')),
  )
}
