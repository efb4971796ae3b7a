/** How a server is seen from outside: its options, and their check at the door. */
import { answerOutside, type Outside, type OutsidePath } from '#observability/outside'
import { describeValue } from '#protocol'
import type { HttpTransportOptions } from '#transports/http'

export interface ObserveOptions {
  /** Serves /healthz and /readyz on the port of HTTP; default true. */
  readonly health?: boolean
  /**
   * Serves /metrics on the port of HTTP, to whoever reaches it: it tells names of tools and how much they are used. Default false.
   */
  readonly metrics?: boolean
  /** A port for /healthz, /readyz and /metrics alone, from before the server starts until it has ended; 0 for any free. Default none. */
  readonly port?: number
  /** The address of that port; default '127.0.0.1'. */
  readonly host?: string
  /** Milliseconds that one check of /readyz may take; default 2 000. */
  readonly checkTimeoutMs?: number
}

export interface ObserveSettings {
  /** Whether requests are watched: timed, counted by outcome, traced. */
  readonly isOn: boolean
  readonly health: boolean
  readonly metrics: boolean
  readonly address: { readonly host: string; readonly port: number } | undefined
  readonly checkTimeoutMs: number
}

/** The options with their defaults. Throws a `TypeError` that names the option. */
export function observeOf(options: false | ObserveOptions | undefined): ObserveSettings {
  const { health = true, metrics = false, port, host = '127.0.0.1', checkTimeoutMs = 2_000 } = options || {}
  if (port !== undefined && (!Number.isInteger(port) || port < 0 || port > 65_535))
    throw new TypeError(`serve: observe.port must be a whole number from 0 to 65535, got ${describeValue(port)}.`)
  if (typeof host !== 'string' || host === '')
    throw new TypeError(`serve: observe.host must be an address, got ${describeValue(host)}.`)
  if (!Number.isInteger(checkTimeoutMs) || checkTimeoutMs < 1)
    throw new TypeError(
      `serve: observe.checkTimeoutMs must be a whole number of at least 1, got ${describeValue(checkTimeoutMs)}.`,
    )
  const isOn = options !== false
  return {
    isOn,
    health: isOn && health,
    metrics: isOn && metrics,
    address: port === undefined ? undefined : { host, port },
    checkTimeoutMs,
  }
}

/** The pages on the port of HTTP, as its transport takes them; undefined for none. */
export function outsideOf(view: Outside, { health, metrics }: ObserveSettings): HttpTransportOptions['otherPaths'] {
  const paths: OutsidePath[] = [
    ...(health ? (['/healthz', '/readyz'] as const) : []),
    ...(metrics ? (['/metrics'] as const) : []),
  ]
  return paths.length === 0 ? undefined : (request, response) => answerOutside(view, paths, request, response)
}
