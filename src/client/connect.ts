/**
 * `connect` starts a client: a system, the client's tree in it, and the first connection to the server. It resolves when the
 * server has answered and its era is known.
 *
 *     const client = await connect('http://127.0.0.1:3000/mcp', { name: 'app', version: '1', handlers: { roots } })
 *     const local = await connect({ command: 'node', args: ['server.js'] })
 */
import { whenReady } from '#actors/client-connection'
import type { ClientNews, ClientServices, ListKind } from '#actors/client-services'
import { ClientTelemetry } from '#observability/client-telemetry'
import type { JsonObject, LogLevel } from '#protocol'
import { CallError, createNames, createSystem, type SupervisorRef, type System } from '#runtime'
import { ClientTree } from '#supervisors/client'
import { ResultCache } from './cache.ts'
import { Client } from './client.ts'
import { clientError, errorOf } from './errors.ts'
import { gateOf } from './gate.ts'
import { Listeners } from './listeners.ts'
import { type ConnectOptions, settingsOf, type Target, timingsOf } from './options.ts'
import { pause, Requests } from './requests.ts'
import { reach } from './target.ts'

/** How often the first connection is waited for when its process ends. */
const RESTARTS_MAX = 5

/** Starts a client's tree: in the system, or linked to a process of it. */
export type StartTree = (services: ClientServices) => Promise<SupervisorRef>

/** A client of the server at `target`. Rejects with `ClientError` when there is no reaching it, `TypeError` for wrong options. */
export async function connect(
  target: Target | 'auto',
  options: ConnectOptions = {},
  startTree?: StartTree,
): Promise<Client> {
  const settings = settingsOf(options)
  const timings = timingsOf(
    { timeoutMs: settings.timeoutMs, timeoutMaxMs: 600_000 },
    { maxTimeout: options.maxTimeout },
  )
  const system = options.system ?? ownSystem(options)
  const reached = reach(target, options, system)
  const warn = (message: string): void => options.onWarning?.(message)
  const listeners = new Listeners(warn)
  const cache = new ResultCache(system.clock, options.cache ?? true)
  const services: ClientServices = {
    system,
    names: createNames(),
    settings: reached.isLegacy ? { ...settings, era: 'legacy' } : settings,
    transports: reached.transports,
    known: {
      server: undefined,
      era: undefined,
      transport: 0,
      phase: 'probing',
      logLevel: options.logLevel,
      operated: 0,
      lastId: 0,
      lastKey: 0,
    },
    wanted: { uris: new Map(), lists: new Map(), tasks: new Map() },
    news: newsOf(listeners, cache, warn),
    telemetry: new ClientTelemetry(() => system.clock.now()),
  }
  nameReadings(services)
  const gate = gateOf(options, services)
  const closed = new AbortController()
  const tree = await (startTree?.(services) ?? system.start(ClientTree, services))
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed.abort()
    closing ??= (async () => {
      if (tree.alive) await tree.stop('shutdown').catch(() => undefined)
      services.known.phase = 'closed'
      if (options.system === undefined) await system.stop()
    })()
    return closing
  }
  try {
    await ready(services, options.signal)
  } catch (error) {
    await close()
    throw error
  }
  return new Client({
    requests: new Requests(services, listeners, timings, closed.signal, gate),
    listeners,
    cache,
    validatesOutput: options.validateOutput ?? true,
    isHttp: () => services.transports[services.known.transport]?.name === 'http',
    close,
  })
}

/** What is looked up only when somebody asks for the client's metrics. */
function nameReadings({ telemetry, known }: ClientServices): void {
  telemetry.metrics.read('client_connections', () => known.operated)
  telemetry.metrics.read('client_connected', () => Number(known.phase === 'operating'))
}

export function ownSystem({ clock, random, events }: ConnectOptions): System {
  return createSystem({
    ...(clock !== undefined && { clock }),
    ...(random !== undefined && { random }),
    ...(events !== undefined && { events }),
  })
}

/** Resolves when the connection operates; rejects with why it does not. */
async function ready(services: ClientServices, signal: AbortSignal | undefined): Promise<void> {
  let abort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(clientError('cancelled', 'The attempt to connect was cancelled.', false, signal?.reason))
  })
  if (signal?.aborted === true) abort()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await connected(services, aborted)
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

async function connected(services: ClientServices, aborted: Promise<never>): Promise<void> {
  for (let restarts = 0; ; restarts++) {
    try {
      const outcome = await Promise.race([whenReady(services), aborted])
      if ('failure' in outcome) throw errorOf(outcome.failure)
      return
    } catch (error) {
      if (!(error instanceof CallError)) throw error
      if (restarts >= RESTARTS_MAX) throw clientError('lost', 'The connection ended before it was made.', false, error)
      await pause(services.system, 10 * 2 ** restarts)
    }
  }
}

const changed: Readonly<Record<string, { readonly kind: ListKind; readonly methods: readonly string[] }>> = {
  'notifications/tools/list_changed': { kind: 'tools', methods: ['tools/list'] },
  'notifications/prompts/list_changed': { kind: 'prompts', methods: ['prompts/list'] },
  'notifications/resources/list_changed': {
    kind: 'resources',
    methods: ['resources/list', 'resources/templates/list'],
  },
}

/** From notifications to listeners and to what is kept. */
function newsOf(listeners: Listeners, cache: ResultCache, warn: (message: string) => void): ClientNews {
  const list = (kind: ListKind, methods: readonly string[]): void => {
    for (const method of methods) cache.drop(method)
    listeners.tell(listeners.lists.get(kind), kind)
  }
  return {
    warn: (message) => {
      try {
        warn(message)
      } catch {
        // Whoever listens to warnings cannot be warned.
      }
    },
    phase: (phase) => listeners.tell(listeners.phases, phase),
    resumed: () => {
      cache.clear()
      listeners.resumed()
    },
    notified: (method: string, params: JsonObject) => {
      const change = changed[method]
      if (change !== undefined) return list(change.kind, change.methods)
      switch (method) {
        case 'notifications/resources/updated': {
          const uri = String(params['uri'])
          cache.drop('resources/read', uri)
          return listeners.updated(uri)
        }
        case 'notifications/message': {
          const { level, logger, data } = params
          const named = typeof logger === 'string' ? { logger } : {}
          return listeners.tell(listeners.logs, { level: level as LogLevel, ...named, data })
        }
        case 'notifications/tasks':
        case 'notifications/tasks/status':
          return listeners.tell(listeners.tasks.get(String(params['taskId'])), params)
        default:
          return listeners.tell(listeners.others.get(method), params)
      }
    },
  }
}
