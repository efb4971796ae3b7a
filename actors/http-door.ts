/**
 * The way of an HTTP exchange to what serves it: pure routing, run by the listener for every request that the transport let
 * through. It finds out who calls, decodes the body, and hands it on: a request of the modern era stands for itself, anything
 * else belongs to a session, which is found or opened. What never reaches either is answered here with a status.
 *
 * Spec: MCP 2025-11-25, basic/transports, Streamable HTTP, session management; MCP 2026-07-28, basic/transports/streamable-http.
 */
import type { AuthOutcome } from '#auth/authenticator'
import type { Principal } from '#features/context'
import {
  decode,
  ErrorCode,
  encodeError,
  isModern,
  type Message,
  methodRow,
  type RequestId,
  type RequestMessage,
  revisionOf,
} from '#protocol'
import { type Ref, type System, via } from '#runtime'
import type { Exchange } from '#transports/port'
import { callerOf, findCaller, lackingScopes, RETRY_AFTER_S } from './caller.ts'
import { farOwner } from './members.ts'
import type { Outlet } from './modern-call.ts'
import { receiveModern, servesSessions } from './modern-door.ts'
import { isWatchful, type Refusal, refusedText, retryAfterOf, turnedAway } from './overload.ts'
import type { Services } from './services.ts'
import { attach, receive, type Session } from './session.ts'
import { endSession, isBoundTo, openSession, wakeSession } from './session-manager.ts'

/** Routes one exchange. Whatever goes wrong is answered. */
export function routeExchange(services: Services, system: System, exchange: Exchange): void {
  const owner = farOwner(services.members, exchange.sessionId)
  // It is for the owner of a session to find out who calls.
  if (owner !== undefined) {
    services.counters.add('requests_forwarded')
    return services.members?.forward(exchange, owner)
  }
  if (services.auth === undefined) return route(services, system, exchange, undefined)
  const door = {
    setHeader: (name: string, value: string) => exchange.setHeader(name, value),
    refuse: (status: number, json: string) => exchange.reply(status, json),
  }
  findCaller(services, callerOf(exchange), door, (auth) => route(services, system, exchange, auth))
}

function route(services: Services, system: System, exchange: Exchange, auth: Principal | undefined): void {
  const message = exchange.method === 'POST' ? decode(exchange.body) : undefined
  if (message !== undefined) {
    if (services.telemetry.isTracing) services.telemetry.tracing.arrived(message, exchange.headers)
    if (!Array.isArray(message) && message.kind === 'invalid')
      return exchange.reply(400, encodeError(message.id, message.error))
    const lacking = auth === undefined ? undefined : lackingScopes(services, message, auth)
    if (lacking !== undefined && auth !== undefined) {
      const needed = { scopes: lacking, granted: auth.scopes, request: callerOf(exchange) }
      return refuseAuth(exchange, services.auth?.challenge(needed))
    }
    if (isWatchful(services.overload) && isTurnedAway(services, system, exchange, message, auth)) return
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
  if (exchange.method === 'DELETE')
    return endSession(services, sessionId, (isCertain) => {
      if (isCertain) return exchange.reply(200)
      exchange.setHeader('Retry-After', RETRY_AFTER_S)
      refuse(exchange, 503, 'The session has ended, but the disk is too far behind to be certain of it. Send it again.')
    })
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

/** Looks at the limits, and answers what is over them. False when the message is let in. */
function isTurnedAway(
  services: Services,
  system: System,
  exchange: Exchange,
  message: Message | Message[],
  auth: Principal | undefined,
): boolean {
  const { overload, counters, records, sessions } = services
  const { sessionId } = exchange
  // What nobody has opened gets no bucket.
  const isKnown = sessionId !== undefined && records.get(sessionId) !== undefined
  const session = isKnown && isBoundTo(services, sessionId, auth?.id) ? sessionId : undefined
  const sender = { address: exchange.peer.remoteAddress, principal: auth?.id, session }
  const refusal = turnedAway(overload, system.random, sender, message)
  if (refusal === undefined) return false
  counters.add('requests_refused', 1, refusal.reason)
  const { text, rest } = refusedText(message, refusal)
  refuseLater(exchange, text, refusal)
  const process = session === undefined ? undefined : sessions.whereis(session)
  // The table holds sessions alone.
  if (rest.length > 0 && process !== undefined)
    receive(process.ref as unknown as Ref<typeof Session>, rest, exchange.sink, auth)
  return true
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
    return refuse(exchange, 503, `The server ${why}. Try again later.`, message.id)
  }
  const session = via<typeof Session>(services.sessions, opened.id)
  // The client left before it could learn the id: nobody will ever use it.
  if (!exchange.sink.isOpen) return void session.cast('end')
  exchange.setHeader('Mcp-Session-Id', opened.id)
  if (!receive(session, message, exchange.sink, auth)) {
    refuse(exchange, 503, 'The session ended before it began. Try again.')
  }
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

  turnAway(text: string, refusal: Refusal): void {
    if (this.isStream) return void this.exchange.sink.end(text)
    refuseLater(this.exchange, text, refusal)
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

function refuse(exchange: Exchange, status: number, message: string, id: RequestId | null = null): void {
  exchange.reply(status, encodeError(id, { code: ErrorCode.InvalidRequest, message }))
}

/** Answers with a status and when to come back. */
function refuseLater({ sink }: Exchange, text: string, refusal: Refusal): void {
  if (sink.refuse === undefined) sink.end(text)
  else sink.refuse(refusal.status, text, retryAfterOf(refusal))
}

function refuseAuth(exchange: Exchange, outcome: AuthOutcome | undefined): void {
  if (outcome === undefined || outcome.ok) return
  for (const [name, value] of Object.entries(outcome.headers)) exchange.setHeader(name, value)
  exchange.reply(outcome.status, encodeError(null, outcome.error))
}
