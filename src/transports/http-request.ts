/** What an HTTP request says of its caller, for whoever decides who that is. */
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { ClientCertificate, Exchange, Peer } from './port.ts'

/** The scheme and host that were asked for, as far as the request says it. */
export function originOfRequest({ headers, socket }: IncomingMessage): string {
  return `${socket instanceof TLSSocket ? 'https' : 'http'}://${headers.host ?? ''}`
}

/** The absolute URL that was asked for, as far as the request says it. */
export function urlOfRequest(request: IncomingMessage): string {
  return `${originOfRequest(request)}${request.url ?? ''}`
}

/** The path of a request's URL, without its query. */
export function pathOf(url: string): string {
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

/** The headers, with authorization and dpop as arrays when they came more than once. */
export function credentialsOf(request: IncomingMessage): Exchange['credentials'] {
  // Of these Node keeps the first alone; only the whole list shows that one was doubled.
  const { authorization, dpop } = request.headersDistinct
  return { ...request.headers, authorization: alone(authorization), dpop: alone(dpop) }
}

/** Undefined without TLS, and when the client showed none or one that the authority does not know. */
export function certificateOf(socket: object): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const { fingerprint256, raw } = socket.getPeerCertificate()
  return raw === undefined ? undefined : { fingerprint256, raw }
}

export function peerOf(transport: string, remoteAddress: string | undefined): Peer {
  return remoteAddress === undefined ? { transport } : { transport, remoteAddress }
}

function alone(values: string[] | undefined): string | string[] | undefined {
  return values?.length === 1 ? values[0] : values
}
