/**
 * The way of an HTTP exchange to what serves it: pure routing, run by the listener for every request that the transport let
 * through. It finds out who calls, decodes the body, and hands it on: a request of the modern era stands for itself, anything
 * else belongs to a session, which is found or opened. What never reaches either is answered here with a status.
 *
 * Spec: MCP 2025-11-25, basic/transports, Streamable HTTP, session management; MCP 2026-07-28, basic/transports/streamable-http.
 */
import type { AuthOutcome, AuthRequest } from '#auth/authenticator'
import type { Principal } from '#features/context'
import {
  decode,
  ErrorCode,
  encodeError,
  isModern,
  type Message,
  methodRow,
  type RequestMessage,
  revisionOf,
} from '#protocol'
import { type Ref, type System, via } from '#runtime'
import type { Exchange } from '#transports/port'
import type { Outlet } from './modern-call.ts'
import { receiveModern, servesSessions } from './modern-door.ts'
import type { Services } from './services.ts'
import { attach, receive, type Session } from './session.ts'
import { endSession, isBoundTo, openSession, wakeSession } from './session-manager.ts'

/** Seconds after which a client that met a full or stopping server may try again. */
const RETRY_AFTER_S = '5'

/** Routes one exchange. Whatever goes wrong is answered. */
export function routeExchange(services: Services, system: System, exchange: Exchange): void {
  const { auth } = services
  if (auth === undefined) return route(services, system, exchange, undefined)
  const outcome = auth.authenticate(credentialsOf(exchange))
  const proceed = (found: AuthOutcome): void => {
    if (found.ok) {
      for (const [name, value] of Object.entries(found.headers ?? {})) exchange.setHeader(name, value)
      return route(services, system, exchange, found.principal)
    }
    services.counters.add('requests_unauthorized', 1, String(found.status))
    refuseAuth(exchange, found)
  }
  if (!(outcome instanceof Promise)) return proceed(outcome)
  outcome.then(proceed).catch((error: unknown) => {
    services.report({ type: 'stray_fault', how: 'unhandled_rejection', error })
    exchange.setHeader('Retry-After', RETRY_AFTER_S)
    refuse(exchange, 503, 'It cannot be found out now who calls. Try again later.')
  })
}

function route(services: Services, system: System, exchange: Exchange, auth: Principal | undefined): void {
  const message = exchange.method === 'POST' ? decode(exchange.body) : undefined
  if (message !== undefined) {
    if (!Array.isArray(message) && message.kind === 'invalid')
      return exchange.reply(400, encodeError(message.id, message.error))
    const lacking = auth === undefined ? undefined : lackingScopes(services, message, auth)
    if (lacking !== undefined && auth !== undefined) {
      const needed = { scopes: lacking, granted: auth.scopes, request: credentialsOf(exchange) }
      return refuseAuth(exchange, services.auth?.challenge(needed))
    }
    if (!Array.isArray(message) && (isModern(message, exchange.headers) || !servesSessions(services))) {
      if (message.kind !== 'request') return exchange.reply(202)
      const outlet = new HttpOutlet(exchange)
      receiveModern({ services, system, outlet, headers: exchange.headers, auth }, message)
      return
    }
  }
  if (!servesSessions(services)) return refuseSessions(exchange)
  routeToSession(services, exchange, message, auth)
}

function routeToSession(
  services: Services,
  exchange: Exchange,
  message: Message | Message[] | undefined,
  auth: Principal | undefined,
): void {
  const { sessionId, protocolVersion } = exchange
  if (sessionId === undefined) {
    if (message !== undefined && isInitialize(message)) return void openFor(services, exchange, message, auth)
    return refuse(
      exchange,
      400,
      'The header Mcp-Session-Id is missing. Send initialize first and repeat the id it answers with.',
    )
  }
  if (protocolVersion !== undefined && !services.revisions.some((revision) => revision.version === protocolVersion)) {
    const known = services.revisions.map((revision) => revision.version).join(', ')
    return refuse(
      exchange,
      400,
      `The header MCP-Protocol-Version names "${protocolVersion}", which is not served. Served are ${known}.`,
    )
  }
  // What somebody else has opened is as unknown as what nobody has; the session of a connection has no record here.
  if (services.records.get(sessionId) === undefined || !isBoundTo(services, sessionId, auth?.id))
    return refuseUnknown(exchange)
  const process = services.sessions.whereis(sessionId)
  if (exchange.method === 'DELETE') return endSession(services, sessionId, () => exchange.reply(200))
  if (process === undefined) return void wakeFor(services, exchange, message, auth)
  // The table holds sessions alone.
  const session = process.ref as unknown as Ref<typeof Session>
  if (message === undefined) {
    if (!attach(session, exchange))
      refuse(exchange, 404, 'The session has just ended. Initialize again, without a session id.')
    return
  }
  if (Array.isArray(message) && revisionOf(protocolVersion)?.allowsBatches === false) {
    return refuse(
      exchange,
      400,
      `Revision ${protocolVersion} has no batches. Send each message in a request of its own.`,
    )
  }
  if (!receive(session, message, exchange.sink, auth)) {
    return refuse(exchange, 404, 'The session has just ended. Initialize again, without a session id.')
  }
  if (!awaitsAnswer(message)) exchange.reply(202)
}

/** Goes on with a session that has a record and no process: an earlier run of the server left it, or it is between two. */
async function wakeFor(
  services: Services,
  exchange: Exchange,
  message: Message | Message[] | undefined,
  auth: Principal | undefined,
): Promise<void> {
  const { sessionId = '' } = exchange
  const woken = await wakeSession(services, sessionId)
  if (woken === 'unknown') return refuseUnknown(exchange)
  if (woken !== 'awake' || services.sessions.whereis(sessionId) === undefined) return refuseForNow(exchange)
  routeToSession(services, exchange, message, auth)
}

/** Opens a session for an initialize request and hands it over. */
async function openFor(
  services: Services,
  exchange: Exchange,
  message: RequestMessage,
  auth: Principal | undefined,
): Promise<void> {
  const fault = methodRow('initialize')?.check(message.params)
  if (fault !== undefined)
    return exchange.reply(400, encodeError(message.id, { code: ErrorCode.InvalidParams, message: fault }))
  const { transport } = exchange.peer
  const opened = await openSession(services, { transport, connection: null, principal: auth?.id })
  if ('refused' in opened) {
    exchange.setHeader('Retry-After', RETRY_AFTER_S)
    const why =
      opened.refused === 'draining'
        ? 'is shutting down'
        : opened.refused === 'max_sessions'
          ? 'has as many sessions as it may'
          : 'cannot open a session now'
    return refuse(exchange, 503, `The server ${why}. Try again later.`)
  }
  const session = via<typeof Session>(services.sessions, opened.id)
  // The client left before it could learn the id: nobody will ever use it.
  if (!exchange.sink.isOpen) return void session.cast('end')
  exchange.setHeader('Mcp-Session-Id', opened.id)
  if (!receive(session, message, exchange.sink, auth)) {
    refuse(exchange, 503, 'The session ended before it began. Try again.')
  }
}

function credentialsOf({ method, url, credentials, clientCertificate }: Exchange): AuthRequest {
  return { method, url, headers: credentials, ...(clientCertificate && { clientCertificate }) }
}

/** The scopes that a call's tools ask for, when the caller lacks any of them. */
function lackingScopes(
  { catalog }: Services,
  message: Message | Message[],
  auth: Principal,
): readonly string[] | undefined {
  for (const one of Array.isArray(message) ? message : [message]) {
    if (one.kind !== 'request' || one.method !== 'tools/call') continue
    const scopes = catalog.tools.get(String(one.params?.['name']))?.scopes ?? []
    if (scopes.some((scope) => !auth.scopes.includes(scope))) return scopes
  }
  return undefined
}

/** One HTTP answer: JSON if nothing came before it, a stream of events otherwise. */
class HttpOutlet implements Outlet {
  private readonly exchange: Exchange
  private isStream = false

  constructor(exchange: Exchange) {
    this.exchange = exchange
  }

  send(text: string): void {
    this.isStream = true
    this.exchange.sink.send(text)
  }

  wait(): void {
    if (this.exchange.sink.open?.() === true) this.isStream = true
  }

  finish(text: string, status: number): void {
    if (this.isStream || status === 200) this.exchange.sink.end(text)
    else {
      if (status === 503) this.exchange.setHeader('Retry-After', RETRY_AFTER_S)
      this.exchange.reply(status, text)
    }
  }

  onGone(listener: () => void): void {
    this.exchange.sink.onClose(listener)
  }

  giveUp(): void {
    this.exchange.sink.end()
  }
}

function isInitialize(message: Message | Message[]): message is RequestMessage {
  return !Array.isArray(message) && message.kind === 'request' && message.method === 'initialize'
}

function awaitsAnswer(message: Message | Message[]): boolean {
  const isAwaiting = ({ kind }: Message): boolean => kind === 'request' || kind === 'invalid'
  return Array.isArray(message) ? message.some(isAwaiting) : isAwaiting(message)
}

function refuseUnknown(exchange: Exchange): void {
  refuse(exchange, 404, 'There is no such session, or it has ended. Initialize again, without a session id.')
}

/** Spec: MCP 2026-07-28, basic/transports/streamable-http, earlier Streamable HTTP revisions. */
function refuseSessions(exchange: Exchange): void {
  if (exchange.method === 'POST')
    return refuse(exchange, 400, 'There are no batches here. Send each message by itself.')
  exchange.setHeader('Allow', 'POST, OPTIONS')
  refuse(
    exchange,
    405,
    `There are no sessions here, and no ${exchange.method}. Send each request in a POST of its own.`,
  )
}

/** The session is between two incarnations. */
function refuseForNow(exchange: Exchange): void {
  exchange.setHeader('Retry-After', '1')
  refuse(exchange, 503, 'The session is being restarted. Try again.')
}

function refuse(exchange: Exchange, status: number, message: string): void {
  exchange.reply(status, encodeError(null, { code: ErrorCode.InvalidRequest, message }))
}

function refuseAuth(exchange: Exchange, outcome: AuthOutcome | undefined): void {
  if (outcome === undefined || outcome.ok) return
  for (const [name, value] of Object.entries(outcome.headers)) exchange.setHeader(name, value)
  exchange.reply(outcome.status, encodeError(null, outcome.error))
}
