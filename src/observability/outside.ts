/**
 * The three pages that a server shows to whoever runs it: /healthz (does the program live), /readyz (does it take work, and why not)
 * and /metrics. Pure routing: where they are served is up to the caller, on the port of MCP or one of their own.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { PROMETHEUS_CONTENT_TYPE } from './prometheus.ts'

/** What a look at the server found. `why` has one sentence for each check that failed. */
export interface Readiness {
  readonly isReady: boolean
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly why?: string }>>
}

export interface Outside {
  /** False when the program runs but its server has ended for good. */
  isAlive(): boolean
  /** Never rejects. */
  ready(): Promise<Readiness>
  /** Prometheus text. */
  metrics(): string
}

export const outsidePaths = ['/healthz', '/readyz', '/metrics'] as const
export type OutsidePath = (typeof outsidePaths)[number]

/** Answers a request for one of `paths`; false, and nothing is answered, for any other. */
export function answerOutside(
  outside: Outside,
  paths: readonly OutsidePath[],
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const asked = (request.url ?? '').split('?', 1)[0]
  const path = paths.find((one) => one === asked)
  if (path === undefined) return false
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD', 'content-length': '0' })
    response.end()
    // Whatever body came with it is not wanted.
    request.resume()
    return true
  }
  if (path === '/metrics') send(request, response, 200, PROMETHEUS_CONTENT_TYPE, outside.metrics())
  else if (path === '/healthz') {
    const isAlive = outside.isAlive()
    sendJson(request, response, isAlive ? 200 : 503, { status: isAlive ? 'ok' : 'ended' })
  } else {
    void outside.ready().then(({ isReady, checks }) => {
      sendJson(request, response, isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready', checks })
    })
  }
  return true
}

function sendJson(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
  send(request, response, status, 'application/json', `${JSON.stringify(body)}\n`)
}

function send(request: IncomingMessage, response: ServerResponse, status: number, type: string, text: string): void {
  if (response.destroyed) return
  response.writeHead(status, {
    'content-type': type,
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 503 && { 'retry-after': '1' }),
  })
  response.end(request.method === 'HEAD' ? undefined : text)
}
