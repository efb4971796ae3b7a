/**
 * The tasks of a server without the server: the tree of the tasks in virtual time, over a store whose commits the test makes,
 * so that a crash can lose what was not committed.
 */

import { defineSupervisor } from 'bough/runtime'
import { createSimulation, type Simulation } from 'bough/testing'
import { onTestFinished } from 'vitest'
import type { Services } from '#actors/services'
import type { NewTask } from '#actors/task-manager'
import type { TaskLimits } from '#actors/task-record'
import { Catalog } from '#features/catalog'
import { defineTool, type ToolOptions } from '#features/tool'
import { Telemetry } from '#observability/telemetry'
import type { JsonObject } from '#protocol'
import { createNames, type SupervisorRef } from '#runtime'
import type { RecordStore, Store } from '#storage/port'
import { Counters } from '#structures/counters'
import { tasksChild } from '#supervisors/tasks'

export const SEED = Number(process.env['BOUGH_SEED'] ?? 42)

type Row = { readonly id: string }

/** A store of records alone, whose disk is a map. */
export class FakeStore {
  /** Whether a write is durable as soon as it is made. */
  isPrompt = true
  /** Whether it refuses to call anybody back. */
  isOverloaded = false
  private readonly disk: Map<string, string>
  private readonly rows = new Map<string, Row>()
  private written: (() => void)[] = []
  private waiting: (() => void)[] = []

  constructor(disk = new Map<string, string>()) {
    this.disk = disk
    for (const [id, text] of disk) this.rows.set(id, JSON.parse(text) as Row)
  }

  /** What a server that is started after a crash finds. */
  reopened(): FakeStore {
    return new FakeStore(new Map(this.disk))
  }

  /** Makes everything durable that was written so far. */
  commit(): void {
    for (const write of this.written.splice(0)) write()
    for (const call of this.waiting.splice(0)) call()
  }

  /** Writes that are not durable yet. */
  get pending(): number {
    return this.written.length
  }

  get size(): number {
    return this.rows.size
  }

  asStore(): Store {
    const records = (_kind: string, max: number): RecordStore<Row> => {
      const { rows } = this
      return {
        put: (row) => {
          if (rows.size >= max && !rows.has(row.id)) return false
          rows.set(row.id, row)
          const text = JSON.stringify(row)
          this.write(() => this.disk.set(row.id, text))
          return true
        },
        get: (id) => rows.get(id),
        delete: (id) => {
          this.write(() => this.disk.delete(id))
          return rows.delete(id)
        },
        list: () => [...rows.values()],
        get size() {
          return rows.size
        },
        whenDurable: (callback) => {
          if (this.isOverloaded) throw new Error('The disk is too slow.')
          this.waiting.push(callback)
          if (this.isPrompt || this.written.length === 0) this.commit()
        },
      }
    }
    // Tasks use nothing else of a store.
    return { name: 'fake', records } as unknown as Store
  }

  private write(act: () => void): void {
    this.written.push(act)
    if (this.isPrompt) this.commit()
  }
}

export interface TaskWorld {
  readonly sim: Simulation
  readonly services: Services
  readonly store: FakeStore
  readonly catalog: Catalog
  readonly reports: unknown[]
  readonly tree: SupervisorRef
  /** Ends the server as a power cut would, and starts another over what was durable. */
  restart(): Promise<TaskWorld>
}

export interface Options {
  readonly store?: FakeStore
  readonly limits?: Partial<TaskLimits>
  readonly catalog?: Catalog
  readonly seed?: number
  readonly sim?: Simulation
}

/** A tree of tasks, and what it needs. */
export async function taskWorld(options: Options = {}): Promise<TaskWorld> {
  const { store = new FakeStore(), catalog = new Catalog(), seed = SEED } = options
  const sim = options.sim ?? createSimulation({ seed })
  const reports: unknown[] = []
  // The parts of a server that tasks use.
  const services = {
    catalog,
    names: createNames(),
    sessions: createNames(),
    listens: new Set(),
    counters: new Counters(),
    telemetry: new Telemetry(),
    report: (event: unknown) => reports.push(event),
    limits: { pageSize: 50, askTimeoutMs: 300_000, tasks: options.limits ?? {} },
    store: store.asStore(),
  } as unknown as Services
  const Tree = defineSupervisor({ intensity: 10, children: [tasksChild(services)] })
  const tree = await sim.start(Tree)
  const restart = async (): Promise<TaskWorld> => {
    // What it still does is lost with it.
    const left = store.reopened()
    tree.exit('kill')
    for (const ref of sim.system.processes()) ref.exit('kill')
    await sim.settle()
    return taskWorld({ ...options, store: left, catalog, sim })
  }
  if (options.sim === undefined) onTestFinished(() => sim.run(sim.system.stop()))
  return { sim, services, store, catalog, reports, tree, restart }
}

/** Puts a tool into a catalog; `resumable` tools run anew after a restart. */
export function addTool(catalog: Catalog, name: string, options: ToolOptions): void {
  catalog.tools.put(defineTool(name, { task: 'optional', ...options }))
}

export const client: NewTask['client'] = {
  protocolVersion: '2025-11-25',
  clientInfo: { name: 'test', version: '1' },
  clientCapabilities: {
    elicitation: { form: true, url: false },
    sampling: { context: false, tools: false },
    roots: { listChanged: false },
  },
}

/** A task that somebody called `owner` wants. */
export function wish(name: string, more: Partial<NewTask> & { readonly args?: JsonObject } = {}): NewTask {
  const { args = {}, ...rest } = more
  const params = { name, arguments: args }
  return { name, params, owner: 'principal:ann', client, form: 'modern', auth: undefined, ...rest }
}

export const form = {
  message: 'Sure?',
  requestedSchema: { type: 'object', properties: { ok: { type: 'boolean' } } },
} as const
