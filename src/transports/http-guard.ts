/**
 * What an HTTP request must say of itself before anything reads it: who it means (Host), where it comes from (Origin),
 * what it brings (Content-Type) and what it takes (Accept).
 *
 * Host and origin are checked to stop DNS rebinding: a page of a foreign site that makes its own name resolve to this
 * machine still sends its own name. The check is on by default and fails closed. Decisions about texts that clients
 * repeat are kept in small bounded maps, so a request costs three look-ups.
 *
 * Spec: MCP 2025-11-25, basic/transports, security warning; RFC 9110, 7.2 Host, 12.5.1 Accept.
 */

import type { IncomingHttpHeaders } from 'node:http'

/** Decisions kept per kind; a full map starts anew, so a client that varies its headers only wins the computation. */
const DECISIONS_MAX = 256

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]']
const WILDCARDS = new Set(['0.0.0.0', '::', '[::]'])
/** A host name or bracketed IPv6 address, and a port if any. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/
const ORIGIN = /^https?:\/\/(.+)$/

const ACCEPTS_JSON = 1
const ACCEPTS_EVENTS = 2

export interface GuardOptions {
  readonly host: string
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
}

export class HttpGuard {
  /** Lower-cased names without a port, or with one when only that port is allowed. */
  readonly #hosts: Set<string>
  readonly #origins: Set<string>
  readonly #allowsLoopbackOrigins: boolean
  readonly #hostDecisions = new Map<string, boolean>()
  readonly #originDecisions = new Map<string, boolean>()
  readonly #acceptDecisions = new Map<string, number>()

  constructor(options: GuardOptions) {
    const bound = hostName(options.host.toLowerCase())
    this.#hosts = new Set(options.allowedHosts.map((host) => hostName(host.toLowerCase())))
    this.#hosts.add(bound)
    this.#allowsLoopbackOrigins = isLoopback(bound)
    if (isLoopback(bound) || WILDCARDS.has(bound)) for (const name of LOOPBACK_NAMES) this.#hosts.add(name)
    this.#origins = new Set(options.allowedOrigins.map((origin) => origin.toLowerCase()))
  }

  /** True when the Host header names this server. An absent or empty one does not. */
  allowsHost(host: string | undefined): boolean {
    if (host === undefined) return false
    return remember(this.#hostDecisions, host, this.#decideHost)
  }

  /**
   * True when a page of `origin` may call the server that it names `host` (an allowed one). The opaque origin 'null'
   * may not.
   */
  allowsOrigin(origin: string, host: string): boolean {
    // The server's own pages: the same host and port. Their host is allowed, so they are not a rebound foreign name.
    if (origin.length === host.length + 7 && origin === `http://${host}`) return true
    if (origin.length === host.length + 8 && origin === `https://${host}`) return true
    return remember(this.#originDecisions, origin, this.#decideOrigin)
  }

  /** Why a request is taken for one that a foreign site caused, or undefined. */
  refusalOf({ host, origin }: Pick<IncomingHttpHeaders, 'host' | 'origin'>): string | undefined {
    if (!this.allowsHost(host)) return `The Host ${quote(host)} is not one of this server. Add it to allowedHosts.`
    if (origin === undefined || this.allowsOrigin(origin, host!)) return undefined
    return `The Origin ${quote(origin)} may not call this server. Add it to allowedOrigins.`
  }

  /** True when an answer in JSON and one as an event stream are both welcome; an absent header welcomes all. */
  acceptsBoth(accept: string | undefined): boolean {
    return this.#accepts(accept) === (ACCEPTS_JSON | ACCEPTS_EVENTS)
  }

  /** True when an event stream is welcome; an absent header welcomes all. */
  acceptsEvents(accept: string | undefined): boolean {
    return (this.#accepts(accept) & ACCEPTS_EVENTS) !== 0
  }

  #accepts(accept: string | undefined): number {
    if (accept === undefined) return ACCEPTS_JSON | ACCEPTS_EVENTS
    return remember(this.#acceptDecisions, accept, decideAccept)
  }

  readonly #decideHost = (host: string): boolean => {
    const lower = host.toLowerCase()
    const name = HOST.exec(lower)?.[1]
    return name !== undefined && (this.#hosts.has(name) || this.#hosts.has(lower))
  }

  readonly #decideOrigin = (origin: string): boolean => {
    const lower = origin.toLowerCase()
    if (this.#origins.has(lower)) return true
    if (!this.#allowsLoopbackOrigins) return false
    const host = ORIGIN.exec(lower)?.[1]
    const name = host === undefined ? undefined : HOST.exec(host)?.[1]
    return name !== undefined && isLoopback(name)
  }
}

/** True for application/json, with or without parameters; a charset must be UTF-8. */
export function isJsonContentType(contentType: string | undefined): boolean {
  if (contentType === 'application/json') return true
  if (contentType === undefined) return false
  const [type, ...parameters] = contentType.toLowerCase().split(';')
  if (type?.trim() !== 'application/json') return false
  return parameters.every((parameter) => {
    const [name, value] = parameter.split('=')
    return name?.trim() !== 'charset' || /^\s*"?utf-?8"?\s*$/.test(value ?? '')
  })
}

/** True for an address or name of this machine only; takes IPv6 with or without brackets. */
export function isLoopback(host: string): boolean {
  return LOOPBACK_NAMES.includes(host) || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

/** A header as it came, cut to what fits a sentence. */
export function quote(value: string | undefined): string {
  return value === undefined ? '(absent)' : JSON.stringify(value.slice(0, 200))
}

/** IPv6 addresses as a Host header has them. */
function hostName(host: string): string {
  return !host.startsWith('[') && host.indexOf(':') !== host.lastIndexOf(':') ? `[${host}]` : host
}

function decideAccept(accept: string): number {
  let accepts = 0
  for (const range of accept.toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';')
    if (parameters.some((parameter) => /^\s*q\s*=\s*0(\.0*)?\s*$/.test(parameter))) continue
    const name = type?.trim()
    if (name === '*/*') accepts |= ACCEPTS_JSON | ACCEPTS_EVENTS
    else if (name === 'application/json' || name === 'application/*') accepts |= ACCEPTS_JSON
    else if (name === 'text/event-stream' || name === 'text/*') accepts |= ACCEPTS_EVENTS
  }
  return accepts
}

function remember<T extends boolean | number>(decisions: Map<string, T>, key: string, decide: (key: string) => T): T {
  const known = decisions.get(key)
  if (known !== undefined) return known
  const decision = decide(key)
  if (decisions.size >= DECISIONS_MAX) decisions.clear()
  decisions.set(key, decision)
  return decision
}
