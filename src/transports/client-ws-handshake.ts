/**
 * The request that turns into a WebSocket: with what authorizes it, and with what a refusal says.
 *
 * A 401 or 403 is put to the authorizer, which may have it sent again. Redirects are not followed: they would carry what
 * authorizes the request to a server that nobody named.
 *
 * Sources: RFC 6455, 4 (opening handshake); MCP 2025-11-25, basic/authorization.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import {
  AuthorizationError,
  connectionFailure,
  invalidFailure,
  retryAfterOf,
  statusFailure,
} from './client-failures.ts'
import { textOf } from './client-http-shared.ts'
import { LinkError, type LinkFailure, type LinkReceiver } from './client-port.ts'
import type { WsClientSettings } from './client-ws.ts'
import { WsLink } from './client-ws-link.ts'

/** Requests of one opening that authorization may have sent again. */
const CHALLENGES_MAX = 3
/** Bytes that are read of a body which is no answer. */
const REFUSAL_BYTES_MAX = 65_536

/** The server answered, but with no upgrade. */
interface Refusal {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

type Fields = Readonly<Record<string, string>>

/** Opens a link. Rejects with `LinkError`. */
export async function openWs(settings: WsClientSettings, receiver: LinkReceiver): Promise<WsLink> {
  const { authorizer, target, clock } = settings
  // The request itself is one of HTTP, and what authorizes it may be bound to its address.
  const address = settings.url.href.replace(/^ws/, 'http')
  for (let challenges = 0; ; challenges++) {
    const sent = await authorized(target, 'no authorization could be had for this connection', () =>
      authorizer?.headers({ method: 'GET', url: address }),
    )
    const outcome = await shakeHands(settings, sent ?? {}, receiver)
    if (outcome instanceof WsLink) return outcome
    const { status, headers, body } = outcome
    const isChallenge = (status === 401 || status === 403) && authorizer !== undefined && challenges < CHALLENGES_MAX
    const isToBeTried =
      isChallenge &&
      (await authorized(target, `the server answered ${status}, and authorization failed`, () =>
        authorizer.challenged({ status, url: address, headers: headersOf(headers), sent: sent ?? {} }),
      ))
    if (isToBeTried !== true) {
      const hint = status < 400 ? ' A WebSocket endpoint answers 101; is the address right?' : ''
      const waitMs = retryAfterOf(headers['retry-after'], clock.wallNow())
      throw new LinkError({ ...statusFailure(target, status, body, waitMs, hint), mayHaveRun: false })
    }
  }
}

async function authorized<T>(
  target: string,
  message: string,
  ask: () => Promise<T> | undefined,
): Promise<T | undefined> {
  try {
    return await ask()
  } catch (cause) {
    throw new LinkError(connectionFailure(target, new AuthorizationError(message, { cause }), false))
  }
}

/** One try: a link, or what the server answered instead. Rejects with `LinkError` when it answered nothing that makes sense. */
async function shakeHands(
  settings: WsClientSettings,
  added: Fields,
  receiver: LinkReceiver,
): Promise<WsLink | Refusal> {
  const { url, target, tls, compressedFromBytes, maxMessageBytes, connectTimeoutMs, clock } = settings
  const { WebSocket } = await import('ws')
  return new Promise((resolve, reject) => {
    const fail = (failure: LinkFailure): void => {
      clock.clearTimer(timer)
      reject(new LinkError({ ...failure, mayHaveRun: false }))
    }
    const webSocket: WebSocket = new WebSocket(url, ['mcp'], {
      ...tls,
      headers: merged(settings.headers, added),
      maxPayload: maxMessageBytes,
      perMessageDeflate: compressedFromBytes !== undefined && { threshold: compressedFromBytes },
    })
    const timer = clock.setTimer(() => {
      fail(connectionFailure(target, new Error(`not open within ${connectTimeoutMs} ms`), false))
      webSocket.terminate()
    }, connectTimeoutMs)
    let wire: Socket | undefined
    webSocket.once('upgrade', (response) => {
      wire = response.socket
    })
    webSocket.on('error', (error) => {
      // What the network says has a code; without one the answer itself made no sense.
      if ('code' in error) fail(connectionFailure(target, error, false))
      else
        fail(
          invalidFailure(target, `the upgrade to WebSocket with the subprotocol mcp failed: ${error.message}.`, false),
        )
    })
    webSocket.once('unexpected-response', (request, response) => {
      const told = (body: string): void => {
        clock.clearTimer(timer)
        request.destroy()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
      }
      readBody(response, told)
    })
    webSocket.once('open', () => {
      clock.clearTimer(timer)
      webSocket.removeAllListeners()
      // There is no 'open' without an 'upgrade' before it.
      resolve(new WsLink(webSocket, wire!, settings, receiver))
    })
  })
}

function readBody(response: IncomingMessage, told: (body: string) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  const done = (): void => told(textOf(chunks))
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > REFUSAL_BYTES_MAX) done()
  })
  response.once('end', done)
  response.on('error', done)
}

/** Both, the second before the first, whatever the case of their names. */
function merged(usual: Fields, added: Fields): Record<string, string> {
  const lower = ([name, value]: readonly [string, string]) => [name.toLowerCase(), value] as const
  return Object.fromEntries([...Object.entries(usual), ...Object.entries(added)].map(lower))
}

function headersOf(fields: IncomingMessage['headers']): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(fields)) for (const one of [value ?? []].flat()) headers.append(name, one)
  return headers
}
