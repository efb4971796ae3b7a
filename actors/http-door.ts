/**
 * The way of an HTTP exchange to its session: pure routing, run by the listener for every request that the transport let
 * through. It decodes the body, finds or opens the session, and answers with a status what never reaches one.
 *
 * Spec: MCP 2025-11-25, basic/transports, Streamable HTTP, session management.
 */
import { decode, ErrorCode, encodeError, type Message, methodRow, revisionOf } from '#protocol'
import { type Ref, via } from '#runtime'
import type { Exchange } from '#transports/port'
import type { Services } from './services.ts'
import { attach, receive, type Session } from './session.ts'
import { openSession } from './session-manager.ts'

/** Seconds after which a client that met a full or stopping server may try again. */
const RETRY_AFTER_S = '5'

/** Routes one exchange. Never throws: whatever goes wrong is answered. */
export function routeExchange(services: Services, exchange: Exchange): void {
  const { sessionId, protocolVersion } = exchange
  const message = exchange.method === 'POST' ? decode(exchange.body) : undefined
  if (message !== undefined && !Array.isArray(message) && message.kind === 'invalid') {
    return exchange.reply(400, encodeError(message.id, message.error))
  }
  if (sessionId === undefined) {
    if (message !== undefined && isInitialize(message)) return void openFor(services, exchange, message)
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
  const process = services.sessions.whereis(sessionId)
  if (process === undefined) {
    if (services.records.get(sessionId) !== undefined) return refuseForNow(exchange)
    return refuse(exchange, 404, 'There is no such session, or it has ended. Initialize again, without a session id.')
  }
  // The table holds sessions alone.
  const session = process.ref as unknown as Ref<typeof Session>
  if (exchange.method === 'DELETE') {
    session.cast('end')
    return exchange.reply(200)
  }
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
  if (!receive(session, message, exchange.sink)) {
    return refuse(exchange, 404, 'The session has just ended. Initialize again, without a session id.')
  }
  if (!awaitsAnswer(message)) exchange.reply(202)
}

/** Opens a session for an initialize request and hands it over. */
async function openFor(
  services: Services,
  exchange: Exchange,
  message: Message & { readonly kind: 'request' },
): Promise<void> {
  const fault = methodRow('initialize')?.check(message.params)
  if (fault !== undefined)
    return exchange.reply(400, encodeError(message.id, { code: ErrorCode.InvalidParams, message: fault }))
  const opened = await openSession(services, { transport: exchange.peer.transport, connection: null })
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
  if (!receive(session, message, exchange.sink)) {
    refuse(exchange, 503, 'The session ended before it began. Try again.')
  }
}

function isInitialize(message: Message | Message[]): message is Message & { readonly kind: 'request' } {
  return !Array.isArray(message) && message.kind === 'request' && message.method === 'initialize'
}

function awaitsAnswer(message: Message | Message[]): boolean {
  const isAwaiting = ({ kind }: Message): boolean => kind === 'request' || kind === 'invalid'
  return Array.isArray(message) ? message.some(isAwaiting) : isAwaiting(message)
}

/** The session is between two incarnations. */
function refuseForNow(exchange: Exchange): void {
  exchange.setHeader('Retry-After', '1')
  refuse(exchange, 503, 'The session is being restarted. Try again.')
}

function refuse(exchange: Exchange, status: number, message: string): void {
  exchange.reply(status, encodeError(null, { code: ErrorCode.InvalidRequest, message }))
}
