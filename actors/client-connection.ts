/**
 * A client's connection to its server is a process: it opens the link, finds out the server's era, sends the client's requests
 * and hands their answers over, answers the server's questions, and opens another link when one is lost. Callers never see a
 * link: a request made while there is none waits for the next one, within its time.
 *
 *     facade                                    connection
 *     call 'ready'                           -> { server } once it operates, or why it cannot
 *     call 'request', a job                  -> { result } or { failure }, exactly once
 *     cast 'cancel', 'notify'                -> the request is given up; a notification is sent
 *     subscriptions: cast 'listen', 'unlisten' -> { type: 'listen', ... } back, as the stream goes on
 *
 * What was lost with a link is sent again by itself only where the server cannot have run it, or where running it twice does no
 * harm. Everything else is told to the caller, who knows better.
 */
import type { JsonObject } from '#protocol'
import { type ChildSpec, child, defineActor, isOrderly, type Ref, type Self, via } from '#runtime'
import type { CallJob, CallTimer } from './client-calls.ts'
import type { LinkMessage } from './client-link.ts'
import {
  type ClientServices,
  CONNECTION,
  type Failure,
  type Outcome,
  type ServerDescription,
} from './client-services.ts'
import { Wire } from './client-wire.ts'

/** What the process that asked to listen is told. `key` is its own name for the stream. */
export interface ListenNews {
  readonly type: 'listen'
  readonly key: number
  /** The part of the filter that the server agreed to. */
  readonly acknowledged?: JsonObject
  /** The stream is over; with a failure unless the server ended it on purpose. */
  readonly ended?: { readonly failure: Failure | undefined }
}

/** A wish to be told of changes. Spec: MCP 2026-07-28, basic/patterns/subscriptions. */
export interface ListenJob {
  readonly key: number
  readonly filter: JsonObject
  readonly to: Ref
}

export type Ready = { readonly server: ServerDescription } | { readonly failure: Failure }

/** Timers of the connection itself. */
export type ConnectionTimer = { readonly type: 'retry' | 'handshake'; readonly epoch: number }

/** Milliseconds that the link has to end when the client closes: a stdio child gets five seconds, and some are ours. */
const SHUTDOWN_MS = 7_000

export const ClientConnection = defineActor({
  name: CONNECTION,
  trapExits: true,
  init: (services: ClientServices, self: Self<never>) => {
    self.continueWith('open')
    return new Wire(services, self)
  },
  continue: {
    open: (wire: Wire) => wire.open(),
  },
  call: {
    ready: (wire, _none: undefined, self: Self<Wire>) => {
      wire.whenReady(self.from)
      return self.noreply
    },
    request: (wire, job: CallJob, self: Self<Wire>) => {
      wire.request(job, self.from)
      return self.noreply
    },
  },
  cast: {
    cancel: (wire, { key, reason }: { readonly key: number; readonly reason: unknown }) => wire.cancel(key, reason),
    flush: (wire, batch: number) => wire.flush(batch),
    notify: (wire, { method, params }: { readonly method: string; readonly params: JsonObject | undefined }) =>
      wire.notify(method, params),
    listen: (wire, job: ListenJob) => wire.listen(job),
    unlisten: (wire, key: number | undefined) => wire.unlisten(key),
  },
  info: (wire, message) => {
    const news = message as LinkMessage | CallTimer | ConnectionTimer | { readonly type: 'answer' | 'EXIT' }
    switch (news.type) {
      case 'opened':
      case 'unopened':
      case 'message':
      case 'no_answer':
      case 'link_closed':
        return wire.heard(news)
      case 'expire':
      case 'resend':
        return wire.callTimer(news)
      case 'retry':
      case 'handshake':
        return wire.timer(news)
      default:
        return undefined
    }
  },
  terminate: (wire, reason) => wire.end(isOrderly(reason)),
})

type ConnectionRef = Ref<typeof ClientConnection>

function connectionOf({ names }: ClientServices): ConnectionRef {
  return via<typeof ClientConnection>(names, CONNECTION)
}

const forever = { timeout: Number.POSITIVE_INFINITY }

/** The server, once the connection operates, or why it does not. Rejects with `CallError` when the process ended meanwhile. */
export function whenReady(services: ClientServices): Promise<Ready> {
  return connectionOf(services).call('ready', undefined, forever) as Promise<Ready>
}

/** What comes of a request. Rejects with `CallError` when the process ended meanwhile. */
export function requestOf(services: ClientServices, job: CallJob): Promise<Outcome> {
  return connectionOf(services).call('request', job, forever) as Promise<Outcome>
}

/** Gives a request up; its caller is told that it was cancelled. */
export function cancelRequest(services: ClientServices, key: number, reason: unknown): void {
  void connectionOf(services).cast('cancel', { key, reason })
}

/** All requests of a batch were made: they are sent. */
export function flushBatch(services: ClientServices, batch: number): void {
  void connectionOf(services).cast('flush', batch)
}

/** Sends a notification; dropped while there is no connection. */
export function notifyServer(services: ClientServices, method: string, params?: JsonObject): void {
  void connectionOf(services).cast('notify', { method, params })
}

/** Opens a stream of changes; the news of it are sent to `job.to`. False when there is nobody to open it. */
export function openListen(services: ClientServices, job: ListenJob): boolean {
  return connectionOf(services).cast('listen', job) !== false
}

/** Ends a stream of changes, or without a key all of them. */
export function closeListen(services: ClientServices, key?: number): void {
  void connectionOf(services).cast('unlisten', key)
}

export function clientConnectionChild(services: ClientServices): ChildSpec {
  return child(ClientConnection, services, {
    id: CONNECTION,
    name: via(services.names, CONNECTION),
    shutdown: SHUTDOWN_MS,
  })
}
