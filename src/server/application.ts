/**
 * A server as a supervision tree: `application` gives the definition, to be a child in somebody's own tree; `serve` starts one.
 *
 *     const Tree = defineSupervisor({ children: [child(Database), child(application(server, { http: { port: 3000 } }))] })
 */
import type { Services } from '#actors/services'
import { createLogger, logEvents } from '#observability/logger'
import type { Report, ServerEvent } from '#observability/report'
import { serverCapabilities } from '#protocol'
import { createNames, type SupervisorDefinition } from '#runtime'
import { memoryEventStore, memorySessionStore } from '#storage/memory'
import { Counters } from '#structures/counters'
import { applicationTree } from '#supervisors/application'
import { type ApplicationOptions, limitsOf, revisionsOf, transportsOf } from './options.ts'
import type { Server } from './server.ts'

/** The tree of a server. Wrong options throw here; a transport that cannot listen fails the start. */
export function application(server: Server, options: ApplicationOptions): SupervisorDefinition<undefined> {
  return assemble(server, options, reporter(options, new Counters())).tree
}

/** The tree, and a look at the tables of its current incarnation. */
export function assemble(
  server: Server,
  options: ApplicationOptions,
  reporting: { readonly report: Report; readonly counters: Counters },
): { tree: SupervisorDefinition<undefined>; current: () => Services } {
  const limits = limitsOf(options)
  const revisions = revisionsOf(options)
  transportsOf(options)
  let current: Services | undefined
  const tree = applicationTree(() => {
    // A start anew has tables of its own: what an earlier incarnation left behind cannot reach it.
    if (current !== undefined) current.status.isOver = true
    const catalog = server.copyCatalog()
    current = {
      info: server.info,
      instructions: server.instructions,
      catalog,
      revisions,
      capabilities: () =>
        serverCapabilities({
          tools: catalog.tools.size > 0,
          resources: catalog.resources.size > 0 || catalog.templates.size > 0,
          subscriptions: true,
          prompts: catalog.prompts.size > 0,
          completions: canComplete(catalog),
          logging: true,
        }),
      limits,
      names: createNames(),
      sessions: createNames(),
      open: new Map(),
      records: memorySessionStore({ maxSessions: limits.sessionsMax }),
      events: memoryEventStore(),
      counters: reporting.counters,
      report: reporting.report,
      status: { isDraining: false, isOver: false },
    }
    server.attach(current)
    return { services: current, transports: transportsOf(options) }
  })
  return {
    tree,
    current: () => {
      if (current === undefined) throw new Error('The application has not started yet.')
      return current
    },
  }
}

/** Where a server's events go: into its counters, the log and the caller's own sink. */
export function reporter(options: ApplicationOptions, counters: Counters): { report: Report; counters: Counters } {
  const log = options.logger === false ? undefined : logEvents(options.logger ?? createLogger())
  const report = (event: ServerEvent): void => {
    count(counters, event)
    log?.(event)
    options.events?.(event)
  }
  return { report, counters }
}

function count(counters: Counters, event: ServerEvent): void {
  if (event.type === 'crash') counters.add('process_crashes', 1, event.definition)
  else if (event.type === 'supervisor' && event.report === 'restarted')
    counters.add('process_restarts', 1, event.child ?? '')
  else if (event.type === 'dead_letter') counters.add('dead_letters', event.count)
  else if (event.type === 'stray_fault') counters.add('stray_faults')
}

function canComplete(catalog: Services['catalog']): boolean {
  for (const table of [catalog.prompts, catalog.templates]) {
    for (const feature of table.values()) if (Object.keys(feature.complete).length > 0) return true
  }
  return false
}
