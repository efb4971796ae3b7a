/**
 * A server as a supervision tree: `application` gives the definition, to be a child in somebody's own tree; `serve` starts one.
 *
 *     const Tree = defineSupervisor({ children: [child(Database), child(application(server, { http: { port: 3000 } }))] })
 */
import type { Services } from '#actors/services'
import type { Catalog } from '#features/catalog'
import { SKILLS_SETTINGS } from '#features/skill-catalog'
import { UI_EXTENSION } from '#features/ui'
import { createLogger, logEvents } from '#observability/logger'
import type { Report, ServerEvent } from '#observability/report'
import { type ServerCapabilities, SKILLS_EXTENSION, serverCapabilities, TASKS_EXTENSION } from '#protocol'
import { legacyTasksCapability } from '#protocol/tasks'
import { createNames, type SupervisorDefinition } from '#runtime'
import { openStore } from '#storage/open-store'
import type { SessionRecord } from '#storage/port'
import { Counters } from '#structures/counters'
import { applicationTree } from '#supervisors/application'
import { type ApplicationOptions, cacheOf, limitsOf, revisionsOf, transportsOf } from './options.ts'
import type { Server } from './server.ts'

/** Answers that may be used once and are remembered at a time. */
const SPENT_MAX = 100_000

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
  const cache = cacheOf(options)
  const store = openStore(options.store)
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
      capabilities: capabilitiesOf(catalog),
      limits,
      names: createNames(),
      sessions: createNames(),
      open: new Map(),
      store,
      get records() {
        return store.records<SessionRecord>('session', limits.sessionsMax)
      },
      get events() {
        return store.events
      },
      get spent() {
        return store.records<{ id: string; expiresAt: number }>('spent', SPENT_MAX)
      },
      kept: { sealer: undefined },
      auth: options.auth,
      cache,
      calls: new Set(),
      listens: new Set(),
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

/** What a catalog lets a server announce; worked out anew when the catalog changed. */
function capabilitiesOf(catalog: Catalog): () => ServerCapabilities {
  const { tools, resources, templates, prompts, skills } = catalog
  let known: ServerCapabilities | undefined
  let knownVersion = -1
  return () => {
    // Versions only rise, so their sum tells every change.
    const version = tools.version + resources.version + templates.version + prompts.version + skills.version
    if (known !== undefined && knownVersion === version) return known
    knownVersion = version
    const extensions = {
      ...(hasTasks(catalog) && { [TASKS_EXTENSION]: {} }),
      ...(hasInterface(catalog) && { [UI_EXTENSION]: {} }),
      ...(skills.size > 0 && { [SKILLS_EXTENSION]: SKILLS_SETTINGS }),
    }
    known = serverCapabilities({
      tools: tools.size > 0,
      resources: resources.size + templates.size + skills.size > 0,
      subscriptions: true,
      prompts: prompts.size > 0,
      completions: canComplete(catalog),
      logging: true,
      ...(hasTasks(catalog) && { tasks: legacyTasksCapability }),
      ...(Object.keys(extensions).length > 0 && { extensions }),
    })
    return known
  }
}

function hasInterface({ tools }: Catalog): boolean {
  for (const { entity } of tools.values()) if (entity._meta?.['ui'] !== undefined) return true
  return false
}

function canComplete(catalog: Services['catalog']): boolean {
  for (const table of [catalog.prompts, catalog.templates]) {
    for (const feature of table.values()) if (Object.keys(feature.complete).length > 0) return true
  }
  return false
}

function hasTasks(catalog: Services['catalog']): boolean {
  for (const { entity } of catalog.tools.values()) {
    const support = entity.execution?.taskSupport
    if (support === 'optional' || support === 'required') return true
  }
  return false
}
