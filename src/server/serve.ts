/**
 * `serve` starts a server and keeps it up: a system, the application tree in it, and the ties to the program around it
 * (signals, stray faults, the end of standard input).
 *
 *     const app = await serve(server, { http: { port: 3000 } })
 *     console.log(app.url)        // http://127.0.0.1:3000/mcp
 *     await app.stop()            // drains, then ends everything
 */

import { look } from '#actors/health'
import type { Listener } from '#actors/listener'
import { answerMember } from '#actors/member-answers'
import type { Services } from '#actors/services'
import { resourceUpdated } from '#actors/subscriptions'
import { watchStrayFaults } from '#observability/attribution'
import type { LogLevelName, LogModule } from '#observability/log-levels'
import type { Readiness } from '#observability/outside'
import { createSystem, isOrderly, type Ref, StartError, type SupervisorRef, type System, via } from '#runtime'
import { assemble } from './application.ts'
import { limitsOf, type ServeOptions, transportsOf } from './options.ts'
import { claimProcesses, isMember } from './processes/channel.ts'
import { serveAsMember } from './processes/member.ts'
import type { Membership } from './processes/membership.ts'
import { checkShareable, processesOf } from './processes/options.ts'
import { startFleet } from './processes/primary.ts'
import { type Reporting, reporter } from './reporting.ts'
import type { Server } from './server.ts'
import { describeTree, type TreeNode } from './tree.ts'

export type { TreeNode } from './tree.ts'

/** A server that runs. */
export interface App {
  /** Where its first network transport listens, or the first of all. */
  readonly url: string
  readonly urls: readonly string[]
  readonly system: System
  /** The supervisor at the top. */
  readonly ref: SupervisorRef
  /** Resolves to the exit reason when the application has ended, whyever. */
  readonly done: Promise<unknown>
  /** Drains and ends everything. Resolves when no process is left; may be called again. */
  stop(): Promise<void>
  /** Tells the subscribers of `uri` that it changed, and resolves when they have been told; see `Server.resourceUpdated`. */
  resourceUpdated(uri: string): Promise<void>
  /** All counters: a number per name, or a record of labels (tools by name, processes by definition). */
  metrics(): Record<string, number | Record<string, number>>
  /** Every metric as Prometheus text; see docs/metrics.md. */
  metricsText(): string
  /** Whether the server takes work, and why not; what /readyz says. */
  ready(): Promise<Readiness>
  /** Where health and metrics are on a port of their own; undefined without one. */
  readonly observeUrl: string | undefined
  /**
   * From which level lines of a module, or of all, are logged from now on. Throws a `TypeError` for names there are not; does
   * nothing with `logger: false`.
   */
  setLogLevel(module: LogModule | 'all', level: LogLevelName): void
  /** The processes as they stand, from the top. */
  tree(): Promise<TreeNode>
  /** True in the program that was started by hand; false in the copies that it started with `processes`. */
  readonly isPrimary: boolean
  /** Which copy this is, from 0; undefined in the primary, and without `processes`. */
  readonly member: number | undefined
  /**
   * Starts every copy anew, one after the other: each drains while the others serve. Resolves when the last one serves. Without
   * `processes`, and in a copy, there is nothing to replace.
   */
  replaceMembers(): Promise<void>
}

/** Starts a server. Rejects with `TransportError` when it cannot listen, with `TypeError` for wrong options. */
export async function serve(server: Server, options: ServeOptions): Promise<App> {
  const settings = processesOf(options.processes, limitsOf(options).drainMs)
  if (settings === undefined) return (await serveHere(server, options)).app
  checkShareable(options)
  const unclaim = claimProcesses()
  if (isMember()) return serveAsMember(options, (own, membership) => serveHere(server, own, membership))
  let app: App
  try {
    // Wrong options are found before anything is started.
    assemble(server, options, reporter({ ...options, logger: false }))
    app = await startFleet(options, settings)
  } catch (error) {
    unclaim()
    throw error
  }
  const unhook = options.signals === false ? () => undefined : hookSignals(app)
  void app.done.then((reason) => {
    unhook()
    // Copies that end again and again are no success.
    if (!isOrderly(reason)) process.exitCode ??= 1
    void app.stop()
  })
  return app
}

/** Serves in this process, as one of several if there is a membership. */
async function serveHere(
  server: Server,
  options: ServeOptions,
  membership?: Membership,
): Promise<{ app: App; services: () => Services }> {
  const reporting = reporter(options)
  const { tree, current } = assemble(server, options, reporting, membership)
  const system =
    options.system ??
    createSystem({
      events: reporting.report,
      ...(options.clock !== undefined && { clock: options.clock }),
      ...(options.random !== undefined && { random: options.random }),
    })
  const unguard =
    options.guard === false
      ? () => undefined
      : watchStrayFaults((error, how) => {
          reporting.report({ type: 'stray_fault', how, error })
          // Nobody's tool: perhaps the program's own end. It must not look like success.
          process.exitCode ??= 1
        })
  if (membership !== undefined)
    membership.answer = (question, argument) => answerMember(current(), system, question, argument as never)
  let ref: SupervisorRef
  try {
    ref = await system.start(tree)
  } catch (error) {
    unguard()
    if (options.system === undefined) await system.stop()
    throw rootCause(error)
  }
  const urls = await urlsOf(current())
  const app = new RunningApp(system, ref, current, urls, options.system === undefined, reporting, membership?.index)
  // The signals of a member are its primary's business.
  const unhook = options.signals === false || membership !== undefined ? () => undefined : hookSignals(app)
  const ownsInput = options.stdio === true || (typeof options.stdio === 'object' && options.stdio.input === undefined)
  void app.done.then((reason) => {
    current().status.isOver = true
    options.auth?.close?.()
    unhook()
    // Whoever served standard input alone has nothing left to live for; a stray timer of a tool must not keep it.
    const isSole = ownsInput && transportsOf(options).length === 1
    if (isSole && options.signals !== false) setProcessEnd(isOrderly(reason) ? 0 : 1, app.stop().finally(unguard))
    else void app.stop().finally(unguard)
  })
  return { app, services: current }
}

class RunningApp implements App {
  readonly urls: readonly string[]
  readonly system: System
  readonly ref: SupervisorRef
  readonly done: Promise<unknown>
  readonly isPrimary: boolean
  readonly member: number | undefined
  private readonly current: () => Services
  private readonly ownsSystem: boolean
  private readonly reporting: Reporting
  private stopping: Promise<void> | undefined

  constructor(
    system: System,
    ref: SupervisorRef,
    current: () => Services,
    urls: readonly string[],
    ownsSystem: boolean,
    reporting: Reporting,
    member: number | undefined,
  ) {
    this.isPrimary = member === undefined
    this.member = member
    this.reporting = reporting
    this.system = system
    this.ref = ref
    this.done = ref.down
    this.current = current
    this.urls = urls
    this.ownsSystem = ownsSystem
  }

  get url(): string {
    return this.urls.find((url) => url.includes('://')) ?? this.urls[0] ?? ''
  }

  stop(): Promise<void> {
    this.stopping ??= this.end()
    return this.stopping
  }

  resourceUpdated(uri: string): Promise<void> {
    return resourceUpdated(this.current(), uri)
  }

  metrics(): Record<string, number | Record<string, number>> {
    return {
      ...this.current().counters.snapshot(),
      processes: this.system.processCount,
      sessions: this.current().open.size,
    }
  }

  metricsText(): string {
    return this.reporting.telemetry.text()
  }

  ready(): Promise<Readiness> {
    return look(this.current())
  }

  get observeUrl(): string | undefined {
    return this.current().outside?.url
  }

  setLogLevel(module: LogModule | 'all', level: LogLevelName): void {
    this.reporting.log?.levels.set(module, level)
  }

  tree(): Promise<TreeNode> {
    return describeTree('application', this.ref)
  }

  async replaceMembers(): Promise<void> {}

  private async end(): Promise<void> {
    if (this.ref.alive) await this.ref.stop('shutdown').catch(() => undefined)
    if (this.ownsSystem) await this.system.stop()
    this.reporting.log?.flush()
  }
}

async function urlsOf(services: Services): Promise<string[]> {
  const urls: string[] = []
  for (const key of services.names.keys()) {
    // The door of the other members is nobody else's business.
    if (String(key).startsWith('listener:') && key !== 'listener:members')
      urls.push(...(await (via<typeof Listener>(services.names, key) as Ref<typeof Listener>).call('urls')))
  }
  return urls
}

/** The reason at the bottom of a start that failed through several supervisors. */
function rootCause(error: unknown): unknown {
  let reason: unknown = error
  while (reason instanceof StartError || isFailedChild(reason)) {
    const next: unknown = reason instanceof StartError ? reason.reason : reason.shutdown.reason
    if (next === undefined) break
    reason = next
  }
  return reason instanceof Error ? reason : error
}

function isFailedChild(reason: unknown): reason is { readonly shutdown: { readonly reason: unknown } } {
  const detail = (reason as { readonly shutdown?: unknown } | null)?.shutdown
  return typeof detail === 'object' && detail !== null && 'failed_to_start_child' in detail
}

/** The first signal drains, the second ends at once. Returns what takes the hooks away. */
function hookSignals(app: App): () => void {
  let isStopping = false
  const onSignal = (): void => {
    if (isStopping) process.exit(1)
    isStopping = true
    setProcessEnd(0, app.stop())
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return () => {
    // While it stops, a second signal still counts.
    if (isStopping) return
    process.off('SIGTERM', onSignal)
    process.off('SIGINT', onSignal)
  }
}

function setProcessEnd(status: number, after: Promise<void>): void {
  void after.finally(() => process.exit(status))
}
