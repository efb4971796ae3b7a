/**
 * A server as a supervision tree: `application` gives the definition, to be a child in somebody's own tree; `serve` starts one.
 *
 *     const Tree = defineSupervisor({ children: [child(Database), child(application(server, { http: { port: 3000 } }))] })
 */
import { look } from '#actors/health'
import type { Services } from '#actors/services'
import type { Catalog } from '#features/catalog'
import { SKILLS_SETTINGS } from '#features/skill-catalog'
import { UI_EXTENSION } from '#features/ui'
import type { Outside } from '#observability/outside'
import { type ServerCapabilities, SKILLS_EXTENSION, serverCapabilities, TASKS_EXTENSION } from '#protocol'
import { legacyTasksCapability } from '#protocol/tasks'
import { createNames, type SupervisorDefinition } from '#runtime'
import { openStore } from '#storage/open-store'
import type { SessionRecord } from '#storage/port'
import { NumberTable } from '#structures/number-table'
import { applicationTree } from '#supervisors/application'
import type { Transport } from '#transports/port'
import { answersOf } from './caching-options.ts'
import { observeOf, outsideOf } from './observe-options.ts'
import { type ApplicationOptions, cacheOf, limitsOf, revisionsOf, transportsOf } from './options.ts'
import { overloadOf } from './overload-options.ts'
import type { Membership } from './processes/membership.ts'
import { nameReadings } from './readings.ts'
import { type Reporting, reporter } from './reporting.ts'
import type { Server } from './server.ts'

/** Answers that may be used once and are remembered at a time. */
const SPENT_MAX = 100_000

/** The tree of a server. Wrong options throw here; a transport that cannot listen fails the start. */
export function application(server: Server, options: ApplicationOptions): SupervisorDefinition<undefined> {
  return assemble(server, options, reporter(options)).tree
}

/** The tree, and a look at the tables of its current incarnation. */
export function assemble(
  server: Server,
  options: ApplicationOptions,
  { report, telemetry }: Reporting,
  members?: Membership,
): { tree: SupervisorDefinition<undefined>; current: () => Services } {
  const limits = limitsOf(options)
  const revisions = revisionsOf(options)
  const cache = cacheOf(options)
  const makeAnswers = answersOf(options, telemetry.metrics.counters)
  const makeOverload = overloadOf(options)
  const store = openStore(options.store)
  const observe = observeOf(options.observe)
  let current: Services | undefined
  const view: Outside = {
    isAlive: () => current?.status.isOver === false,
    ready: () => look(started()),
    metrics: () => telemetry.text(),
  }
  const started = (): Services => {
    if (current === undefined) throw new Error('The application has not started yet.')
    return current
  }
  const transports = (): Transport[] => [
    ...(members === undefined ? [] : [members.transport]),
    ...transportsOf(options, outsideOf(view, observe)),
  ]
  transports()
  nameReadings(telemetry, () => current)
  const tree = applicationTree(() => {
    // A start anew has tables of its own: what an earlier incarnation left behind cannot reach it.
    if (current !== undefined) current.status.isOver = true
    const catalog = server.copyCatalog()
    const opened = transports()
    telemetry.knowsTool = (name) => catalog.tools.get(name) !== undefined
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
      makeAnswers,
      calls: new NumberTable(),
      members,
      overload: makeOverload(),
      circuits: new Map(),
      listens: new Set(),
      counters: telemetry.metrics.counters,
      report,
      telemetry,
      checks: new Map(),
      checkTimeoutMs: observe.checkTimeoutMs,
      listening: new Map(opened.map(({ name }) => [name, undefined])),
      outside: observe.address && { view, address: observe.address, url: undefined },
      status: { isDraining: false, isOver: false },
    }
    server.attach(current)
    return { services: current, transports: opened }
  })
  return { tree, current: started }
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
