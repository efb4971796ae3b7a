/**
 * From a target to the transports that lead there: the first one is tried, the next ones are what to fall back to.
 *
 * Spec: MCP 2026-07-28, basic/transports/streamable-http, backward compatibility.
 */
import { describeValue } from '#protocol'
import type { System } from '#runtime'
import { httpClientTransport } from '#transports/client-http'
import type { ClientTransport } from '#transports/client-port'
import { sseClientTransport } from '#transports/client-sse'
import { stdioClientTransport } from '#transports/client-stdio'
import { findServer } from './find-server.ts'
import type { ConnectOptions, Target } from './options.ts'

export interface Reached {
  readonly transports: readonly ClientTransport[]
  /** Whether the address itself says that the server is of the legacy era. */
  readonly isLegacy: boolean
}

/** The transports for a target. Throws a `TypeError` that says what a target may be. */
export function reach(target: Target | 'auto', options: ConnectOptions, system: System): Reached {
  if (target === 'auto') {
    const found = findServer()
    return typeof found === 'string' ? reachUrl(found, options, system) : { transports: [found], isLegacy: false }
  }
  if (typeof target === 'string' || target instanceof URL) return reachUrl(String(target), options, system)
  if (typeof target === 'object' && target !== null && 'transport' in target) {
    const { transport, fallback } = target
    return { transports: fallback === undefined ? [transport] : [transport, fallback], isLegacy: false }
  }
  if (typeof target === 'object' && target !== null && 'command' in target) {
    return { transports: [stdioClientTransport({ ...target, clock: system.clock })], isLegacy: false }
  }
  throw new TypeError(
    `connect: the target must be a URL, { command }, { transport } or 'auto', got ${describeValue(target)}.`,
  )
}

function reachUrl(text: string, options: ConnectOptions, system: System): Reached {
  if (!URL.canParse(text)) {
    throw new TypeError(
      `connect: ${JSON.stringify(text)} is no URL. Say 'http://host:port/mcp', or { command } for a program.`,
    )
  }
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TypeError(
      `connect: there is no transport for ${url.protocol}//, got ${JSON.stringify(text)}. Use http:, https: or { command }.`,
    )
  }
  const { headers, auth, http } = options
  const settings = {
    ...http,
    url,
    clock: system.clock,
    random: system.random,
    ...(headers !== undefined && { headers }),
    ...(auth !== undefined && { authorizer: auth }),
  }
  const sse = sseClientTransport(settings)
  if (/\/sse\/?$/.test(url.pathname)) return { transports: [sse], isLegacy: true }
  return { transports: [httpClientTransport(settings), sse], isLegacy: false }
}
