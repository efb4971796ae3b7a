/** What the tests of supervisors share: a tree of workers that write a log of their starts and ends. */
import {
  type ChildOptions,
  type ChildSpec,
  child,
  defineSupervisor,
  type Ref,
  type SupervisorFlags,
  type SupervisorRef,
} from 'bough/runtime'
import { createWorld, Worker, type World } from './support.ts'

export function worker(id: string, log: string[], options: ChildOptions = {}, onStart?: () => unknown): ChildSpec {
  return child(Worker, { id, log, trap: true, ...(onStart === undefined ? {} : { onStart }) }, { id, ...options })
}

export async function refsOf(
  sim: World,
  tree: SupervisorRef,
): Promise<Record<string, Ref<typeof Worker> | undefined | 'restarting'>> {
  const rows = await sim.run(tree.whichChildren())
  return Object.fromEntries(rows.map((row) => [row.id, row.ref as Ref<typeof Worker> | undefined | 'restarting']))
}

export async function crash(sim: World, tree: SupervisorRef, id: string, reason: unknown = 'boom'): Promise<void> {
  const ref = (await refsOf(sim, tree))[id] as Ref<typeof Worker>
  ref.cast('stop', reason)
  await sim.settle()
}

export async function startTree(flags: Partial<SupervisorFlags>, make: (log: string[]) => ChildSpec[]) {
  const sim = createWorld()
  const log: string[] = []
  const tree = await sim.start(defineSupervisor({ intensity: 10, ...flags, children: make(log) }))
  return { sim, log, tree }
}

export const abc = (log: string[]): ChildSpec[] => ['a', 'b', 'c'].map((id) => worker(id, log))
