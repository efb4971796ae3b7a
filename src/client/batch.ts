/**
 * Calls that go out together: one JSON-RPC batch where the revision has batches (2025-03-26), otherwise one write of all of them.
 * Nothing is sent before `send`, and then each call settles by itself.
 *
 *     const batch = client.batch()
 *     const oslo = batch.callTool('forecast', { city: 'Oslo' })      // a promise, for those who want it
 *     batch.readResource('config://app')
 *     const [first, second] = await batch.send()
 *     if (first?.ok) console.log(first.result)
 */
import type { JsonObject, PromptResult, ReadResult, ToolResult } from '#protocol'
import type { CallToolOptions, Client } from './client.ts'
import { ClientError, clientError } from './errors.ts'
import type { PageOptions } from './pages.ts'
import type { RequestOptions } from './requests.ts'

/** What came of one call of a batch. */
export type BatchEntry<T = unknown> =
  | { readonly ok: true; readonly result: T }
  | { readonly ok: false; readonly error: ClientError }

/** Calls of one batch. */
const CALLS_MAX = 10_000

export class Batch {
  private readonly client: Client
  private readonly id: number
  private readonly flush: () => void
  private readonly calls: (() => void)[] = []
  private readonly entries: Promise<BatchEntry>[] = []
  private isSent = false

  /** Made by `client.batch()`. */
  constructor(client: Client, id: number, flush: () => void) {
    this.client = client
    this.id = id
    this.flush = flush
  }

  /** How many calls it holds. */
  get size(): number {
    return this.calls.length
  }

  callTool(name: string, args?: JsonObject, options: CallToolOptions = {}): Promise<ToolResult> {
    return this.add(() => this.client.callTool(name, args, { ...options, batch: this.id }))
  }

  readResource(uri: string, options: PageOptions = {}): Promise<ReadResult> {
    return this.add(() => this.client.readResource(uri, { ...options, batch: this.id }))
  }

  getPrompt(
    name: string,
    args?: Readonly<Record<string, string>>,
    options: RequestOptions = {},
  ): Promise<PromptResult> {
    return this.add(() => this.client.getPrompt(name, args, { ...options, batch: this.id }))
  }

  /** Any request; see `client.request`. */
  request(method: string, params?: JsonObject, options: RequestOptions = {}): Promise<JsonObject> {
    return this.add(() => this.client.request(method, params, { ...options, batch: this.id }))
  }

  /** Sends all calls. Resolves, in their order, to what came of each; never rejects for a call. A batch is sent once. */
  async send(): Promise<BatchEntry[]> {
    if (this.isSent) throw new Error('This batch was sent. Make another one with client.batch().')
    this.isSent = true
    // Each call reaches the connection within this turn, and the flush after them all.
    for (const call of this.calls) call()
    this.flush()
    return Promise.all(this.entries)
  }

  private add<T>(call: () => Promise<T>): Promise<T> {
    if (this.isSent) throw new Error('This batch was sent. Make another one with client.batch().')
    if (this.calls.length >= CALLS_MAX) {
      throw clientError('overload', `A batch holds ${CALLS_MAX} calls at most. Send it, and begin another one.`)
    }
    const result = new Promise<T>((resolve, reject) => {
      this.calls.push(() => void call().then(resolve, reject))
    })
    this.entries.push(
      result.then(
        (value): BatchEntry => ({ ok: true, result: value }),
        (error: unknown): BatchEntry => ({ ok: false, error: errorIn(error) }),
      ),
    )
    return result
  }
}

/** Whatever else a call throws, such as a `TypeError` for wrong options, was found before anything was sent. */
function errorIn(error: unknown): ClientError {
  if (error instanceof ClientError) return error
  return clientError('invalid', error instanceof Error ? error.message : String(error), false, error)
}
