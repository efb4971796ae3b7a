/**
 * A proxy: many servers as one. It is a server like any other, to be served in whichever way, and to define tools of its own on;
 * what the servers behind it have stands under their names. Each has its own connections, supervisor and breaker, so one that is
 * dead or slow is a matter of its own tools.
 *
 *     const all = await proxy({
 *       git: { target: { command: 'git-mcp' } },
 *       weather: { target: 'https://weather.example/mcp', size: 4 },
 *     })
 *     const app = await serve(all, { http: { port: 3000 } })       // git__log, weather__forecast, ...
 *     await app.stop()
 *     await all.close()
 */
import { createServer, type Server, type ServerOptions } from 'bough/server'
import { describeValue } from '#protocol'
import { type Clock, createSystem, type Random, type System } from '#runtime'
import { Upstream, type UpstreamHost, type UpstreamOptions, type UpstreamStatus } from './upstream.ts'

export interface ProxyOptions extends Partial<ServerOptions> {
  /** Stands between the name of an upstream and that of its tool or prompt; default '__'. */
  readonly separator?: string
  /** Whether the features of an upstream that is down stay in the lists; default 'keep'. */
  readonly whenDown?: 'keep' | 'hide'
  /**
   * What becomes of a URI that two upstreams have: 'first' leaves it to the one that had it first, 'prefix' gives the other one's
   * as `name+uri`. Default 'first'.
   */
  readonly clash?: 'first' | 'prefix'
  /** Milliseconds that a call to an upstream may take; default 300 000. */
  readonly timeout?: number
  /** Milliseconds to wait for upstreams at the start; those that are not there by then come later. Default 5 000. */
  readonly startTimeout?: number
  /** A system to live in; by default one of its own, which `close` ends. */
  readonly system?: System
  readonly clock?: Clock
  readonly random?: Random
  /** Gets warnings in words: upstreams that cannot be listed, URIs that clash. Default none. */
  readonly onWarning?: (message: string) => void
}

/** A server whose features are those of others. */
export type ProxyServer = Server & {
  /** How each upstream is, by its name. */
  upstreams(): Readonly<Record<string, UpstreamStatus>>
  /** Ends the connections to all upstreams; whoever serves the proxy stops that first. Resolves when nothing is left. */
  close(): Promise<void>
}

/** Upstreams of one proxy. */
const UPSTREAMS_MAX = 1_000

/**
 * A server with the features of all these. Resolves when each was listed once, or `startTimeout` is over. Throws `TypeError` for
 * wrong options; an upstream that is down is no error.
 */
export async function proxy(
  given: Readonly<Record<string, UpstreamOptions>>,
  options: ProxyOptions = {},
): Promise<ProxyServer> {
  const upstreams = new Map<string, Upstream>()
  const { system: theirs, clock, random } = options
  const { separator = '__', whenDown = 'keep', clash = 'first' } = options
  const timeoutMs = positive('timeout', options.timeout, 300_000)
  const startTimeoutMs = positive('startTimeout', options.startTimeout, 5_000)
  const names = Object.keys(given)
  checkNames(names)
  oneOf('whenDown', whenDown, ['keep', 'hide'])
  oneOf('clash', clash, ['first', 'prefix'])
  const server = createServer(serverOptions(options, names))
  const system =
    theirs ?? createSystem({ ...(clock !== undefined && { clock }), ...(random !== undefined && { random }) })
  const host: UpstreamHost = {
    server,
    system,
    separator,
    whenDown,
    clash,
    timeoutMs,
    owners: new Map(),
    warn: (message) => options.onWarning?.(message),
    freed: (by) => {
      // In their order, so that the same one gets it each time.
      for (const upstream of upstreams.values()) if (upstream !== by) upstream.install()
    },
  }
  server.interest = (uri, isWanted) => {
    const owner = ownerOf(host, server, uri)
    if (isWanted) owner?.watch(uri)
    else for (const upstream of upstreams.values()) upstream.unwatch(uri)
  }
  const close = async (): Promise<void> => {
    await Promise.all([...upstreams.values()].map((upstream) => upstream.close()))
    if (theirs === undefined) await system.stop()
  }
  try {
    for (const name of names) upstreams.set(name, new Upstream(name, host))
    const listed = [...upstreams.values()].map((upstream) => upstream.whenListed())
    for (const [name, upstream] of upstreams) await upstream.start(given[name] as UpstreamOptions)
    await settled(system, Promise.all(listed), startTimeoutMs)
  } catch (error) {
    await close()
    throw error
  }
  let closing: Promise<void> | undefined
  return Object.assign(server, {
    upstreams: () => Object.fromEntries([...upstreams].map(([name, upstream]) => [name, upstream.status()])),
    close: () => (closing ??= close()),
  })
}

/** The upstream whose resource, or whose template, that is. */
function ownerOf({ owners }: UpstreamHost, { catalog }: Server, uri: string): Upstream | undefined {
  const found = catalog.resolve(uri)?.definition
  return found === undefined
    ? undefined
    : owners.get(`${found.kind === 'resource' ? 'resources' : 'templates'} ${found.key}`)
}

function serverOptions(options: ProxyOptions, names: readonly string[]): ServerOptions {
  const { name = 'bough-proxy', version = '0.1.0', title, description, websiteUrl, icons, instructions } = options
  return {
    name,
    version,
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(websiteUrl !== undefined && { websiteUrl }),
    ...(icons !== undefined && { icons }),
    instructions: instructions ?? `This server stands for others: ${names.join(', ')}. Names begin with theirs.`,
  }
}

/** Resolves when `done` is, or when the time is over. */
function settled(system: System, done: Promise<unknown>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = system.timers.start(ms, () => resolve())
    void done.then(() => {
      system.timers.cancel(timer)
      resolve()
    })
  })
}

function checkNames(names: readonly string[]): void {
  if (names.length > UPSTREAMS_MAX)
    throw new TypeError(`proxy: ${UPSTREAMS_MAX} upstreams at most, got ${names.length}.`)
  for (const name of names) {
    if (/^[A-Za-z0-9_.-]{1,64}$/.test(name)) continue
    throw new TypeError(
      `proxy: an upstream's name has 1 to 64 characters of A-Z a-z 0-9 _ . -, got ${describeValue(name)}.`,
    )
  }
}

function oneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === 'string' && allowed.includes(value)) return
  throw new TypeError(`proxy: ${name} must be one of ${allowed.join(', ')}, got ${describeValue(value)}.`)
}

function positive(name: string, value: unknown, usual: number): number {
  if (value === undefined) return usual
  if (typeof value === 'number' && value > 0) return value
  throw new TypeError(`proxy: ${name} must be a positive number of milliseconds, got ${describeValue(value)}.`)
}
