/**
 * What goes out over the link that there is: requests, once more where that may be, the taking back of them, and notifications.
 *
 * A request that could not be sent, or whose answer will not come, is sent again or waits for the next link if it may be
 * repeated; else its caller is told.
 */
import { encodeNotification, type JsonObject, type RequestId, revisionOf } from '#protocol'
import type { Self } from '#runtime'
import type { Link, LinkFailure, Outgoing } from '#transports/client-port'
import { Batches, together } from './client-batches.ts'
import type { Call, Calls, CallTimer } from './client-calls.ts'
import { encodeCall, marked, metaOf, versionHeader } from './client-messages.ts'
import { lossOf, mayRepeat } from './client-repeats.ts'
import type { Retries } from './client-retries.ts'
import type { ClientServices, ServerDescription } from './client-services.ts'

/** The connection as it is now. */
export interface Line {
  readonly epoch: number
  readonly link: Link | undefined
  readonly server: ServerDescription | undefined
  readonly isOperating: boolean
  readonly isHttp: boolean
}

export class Sender {
  private readonly services: ClientServices
  private readonly self: Self<never>
  private readonly line: Line
  private readonly calls: Calls
  private readonly retries: Retries
  private readonly batches = new Batches()

  constructor(services: ClientServices, self: Self<never>, line: Line, calls: Calls, retries: Retries) {
    this.services = services
    this.self = self
    this.line = line
    this.calls = calls
    this.retries = retries
  }

  /** Sends a call of an operating connection, unless it is one of a batch that is not complete. */
  take(call: Call): void {
    if (!this.allowsBatches || !this.batches.hold(call)) this.send(call)
  }

  /** The calls of a batch that were held and are still wanted. */
  release(batch: number): readonly Call[] {
    return this.batches.take(batch).filter((call) => this.calls.has(call))
  }

  /** Sends calls in as few messages as there may be. */
  together(calls: readonly Call[]): void {
    const encoded = calls.flatMap((call) => this.encode(call) ?? [])
    for (const message of together(encoded)) {
      if (!this.put(message)) for (const id of message.ids) this.notTaken(this.calls.byId(id))
    }
  }

  send(call: Call): void {
    const message = this.encode(call)
    if (message !== undefined && !this.put(message)) this.notTaken(call)
  }

  /** False when it was not sent: there is no link, or too much waits on it. */
  put(message: Outgoing): boolean {
    return this.line.link?.send(message) ?? false
  }

  /** Dropped while there is no connection. */
  notify(method: string, params: JsonObject | undefined): void {
    const { isOperating, server } = this.line
    if (!isOperating) return
    const text = encodeNotification(method, marked(server, params))
    this.put({ text, kind: 'notification', ids: [], headers: versionHeader(server) })
  }

  /** Its answer will not come over this link, but the link may be well. */
  missed(call: Call, failure: LinkFailure): void {
    this.calls.land(call)
    if (!mayRepeat(call, failure, this.services.settings.reconnect)) return this.calls.fail(call, lossOf(call, failure))
    if (!this.line.isOperating) return this.calls.wait(call)
    const delayMs = failure.retryAfterMs ?? this.retries.backoffMs(call.refusals + call.losses)
    this.self.sendAfter(delayMs, { type: 'resend', call } satisfies CallTimer)
  }

  timer({ type, call }: CallTimer): void {
    if (!this.calls.has(call)) return
    if (type === 'expire') {
      this.withdraw(call, 'timed out')
      const { timeoutMs, timeoutMaxMs } = call.job
      const ms =
        call.progress > Number.NEGATIVE_INFINITY ? `${timeoutMs} ms without progress, or ${timeoutMaxMs}` : timeoutMs
      return this.calls.give(call, 'timeout', `no answer within ${ms} ms.`)
    }
    if (call.id !== undefined) return
    if (this.line.isOperating) this.send(call)
    else this.calls.wait(call)
  }

  /** Tells the server that an answer is not wanted any more. */
  withdraw(call: Call, reason: string): void {
    if (call.id === undefined || call.epoch !== this.line.epoch) return
    // A task is cancelled as a task; its creation is only not waited for.
    if (call.job.params?.['task'] !== undefined) this.line.link?.abandon(call.id)
    else this.tellCancelled(call.id, reason)
  }

  tellCancelled(id: RequestId, reason: string): void {
    const { server, isHttp, link } = this.line
    const isByStream = server?.era === 'modern' && isHttp
    if (!isByStream) this.notify('notifications/cancelled', { requestId: id, reason })
    link?.abandon(id)
  }

  private notTaken(call: Call | undefined): void {
    const failure = { kind: 'refused', message: 'Too much waits to be sent to the server.', mayHaveRun: false } as const
    if (call !== undefined) this.missed(call, failure)
  }

  /** The call as a message, from now on in flight; undefined when it cannot be one, which is told. */
  private encode(call: Call): Outgoing | undefined {
    const { job } = call
    const { server, epoch } = this.line
    const id = ++this.services.known.lastId
    const meta = metaOf(this.services, server, job.wantsProgress ? id : undefined)
    let encoded: { readonly text: string; readonly headers: Readonly<Record<string, string>> }
    try {
      encoded = encodeCall(id, job.method, job.params, meta, versionHeader(server))
    } catch (error) {
      const why = error instanceof Error ? error.message : JSON.stringify(error)
      this.calls.give(call, 'invalid', `its params cannot be JSON: ${why}.`, error)
      return undefined
    }
    this.calls.sent(call, id, epoch)
    return { ...encoded, headers: { ...encoded.headers, ...job.headers }, kind: 'request', ids: [id] }
  }

  private get allowsBatches(): boolean {
    const { server } = this.line
    return server !== undefined && revisionOf(server.protocolVersion)?.allowsBatches === true
  }
}
