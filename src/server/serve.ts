/**
 * `serve` starts a server and keeps it up: a system, the application tree in it, and the ties to the program around it
 * (signals, stray faults, the end of standard input).
 *
 *     const app = await serve(server, { http: { port: 3000 } })
 *     console.log(app.url)        // http://127.0.0.1:3000/mcp
 *     await app.stop()            // drains, then ends everything
 */
import type { Listener } from '#actors/listener'
import type { Services } from '#actors/services'
import { resourceUpdated } from '#actors/subscriptions'
import { watchStrayFaults } from '#observability/attribution'
import { createSystem, isOrderly, type Ref, StartError, type SupervisorRef, type System, via } from '#runtime'
import { Counters } from '#structures/counters'
import { assemble, reporter } from './application.ts'
import type { ServeOptions } from './options.ts'
import type { Server } from './server.ts'

/** A process of the tree, seen from outside. */
export interface TreeNode {
  readonly id: string
  readonly pid: string
  readonly type: 'worker' | 'supervisor'
  readonly children: readonly TreeNode[]
}

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
  /** The processes as they stand, from the top. */
  tree(): Promise<TreeNode>
}

/** Starts a server. Rejects with `TransportError` when it cannot listen, with `TypeError` for wrong options. */
export async function serve(server: Server, options: ServeOptions): Promise<App> {
  const reporting = reporter(options, new Counters())
  const { tree, current } = assemble(server, options, reporting)
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
  let ref: SupervisorRef
  try {
    ref = await system.start(tree)
  } catch (error) {
    unguard()
    if (options.system === undefined) await system.stop()
    throw rootCause(error)
  }
  const app = new RunningApp(system, ref, current, await urlsOf(current()), options.system === undefined)
  const unhook = options.signals === false ? () => undefined : hookSignals(app)
  const ownsInput = options.stdio === true || (typeof options.stdio === 'object' && options.stdio.input === undefined)
  void app.done.then((reason) => {
    current().status.isOver = true
    options.auth?.close?.()
    unhook()
    // Whoever served standard input alone has nothing left to live for; a stray timer of a tool must not keep it.
    const isSole =
      ownsInput && (options.http === undefined || options.http === false) && (options.transports ?? []).length === 0
    if (isSole && options.signals !== false) setProcessEnd(isOrderly(reason) ? 0 : 1, app.stop().finally(unguard))
    else void app.stop().finally(unguard)
  })
  return app
}

class RunningApp implements App {
  readonly urls: readonly string[]
  readonly system: System
  readonly ref: SupervisorRef
  readonly done: Promise<unknown>
  private readonly current: () => Services
  private readonly ownsSystem: boolean
  private stopping: Promise<void> | undefined

  constructor(
    system: System,
    ref: SupervisorRef,
    current: () => Services,
    urls: readonly string[],
    ownsSystem: boolean,
  ) {
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

  tree(): Promise<TreeNode> {
    return describe('application', this.ref)
  }

  private async end(): Promise<void> {
    if (this.ref.alive) await this.ref.stop('shutdown').catch(() => undefined)
    if (this.ownsSystem) await this.system.stop()
  }
}

/** Children of one supervisor that `tree` names; the rest is left out. */
const TREE_CHILDREN_MAX = 1_000

async function describe(id: string, ref: SupervisorRef): Promise<TreeNode> {
  const children = await ref.whichChildren()
  const nodes: Promise<TreeNode>[] = []
  for (const child of children.reverse().slice(0, TREE_CHILDREN_MAX)) {
    if (typeof child.ref !== 'object') continue
    const name = child.id ?? child.modules[0] ?? ''
    // A child of type supervisor has a supervisor's ref.
    if (child.type === 'supervisor') nodes.push(describe(name, child.ref as SupervisorRef))
    else nodes.push(Promise.resolve({ id: name, pid: child.ref.pid, type: 'worker', children: [] }))
  }
  const settled = await Promise.allSettled(nodes)
  return {
    id,
    pid: ref.pid,
    type: 'supervisor',
    children: settled.flatMap((node) => (node.status === 'fulfilled' ? [node.value] : [])),
  }
}

async function urlsOf(services: Services): Promise<string[]> {
  const urls: string[] = []
  for (const key of services.names.keys()) {
    if (String(key).startsWith('listener:'))
      urls.push(await (via<typeof Listener>(services.names, key) as Ref<typeof Listener>).call('url'))
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
