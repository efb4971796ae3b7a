/**
 * How it works: 1. generate a script of creations, looks, answers, cancellations, pauses, kills, commits and power cuts; 2. play it
 * against the tasks of a server in virtual time, over a store that loses what was not committed; 3. keep a model of what clients were
 * told: plain views by id; 4. assert that nothing told is ever taken back, and that in the end every task has ended or expired.
 */

import { createSimulation, type Simulation } from 'bough/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cancelTask, createTask, getTask, listTasks, type TaskAnswer, updateTask } from '#actors/task-manager'
import { Catalog } from '#features/catalog'
import { isTerminal } from '#lifecycles'
import type { TaskView } from '#protocol/tasks'
import { addTool, FakeStore, form, type TaskWorld, taskWorld, wish } from '../test/server/tasks-support.ts'
import { runs } from './settings.ts'

const OWNER = 'principal:ann'
const tools = ['quick', 'slow', 'failing', 'asking', 'steps', 'stubborn'] as const

type Step =
  | {
      readonly type: 'create'
      readonly tool: (typeof tools)[number]
      readonly isLegacy: boolean
      readonly ttlMs: number
    }
  | { readonly type: 'get' | 'cancel' | 'answer' | 'decline'; readonly which: number }
  | { readonly type: 'pause'; readonly ms: number }
  | { readonly type: 'kill'; readonly what: 'task' | 'task-manager' | 'task-runs'; readonly which: number }
  | { readonly type: 'hold' | 'commit' | 'restart' | 'list' }

const which = fc.nat(20)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('create' as const),
      tool: fc.constantFrom(...tools),
      isLegacy: fc.boolean(),
      ttlMs: fc.constantFrom(100, 2_000, 60_000),
    }),
  },
  { weight: 8, arbitrary: fc.record({ type: fc.constantFrom('get' as const, 'cancel', 'answer', 'decline'), which }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('pause' as const), ms: fc.constantFrom(1, 50, 500, 3_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('kill' as const),
      what: fc.constantFrom('task' as const, 'task-manager', 'task-runs'),
      which,
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('hold' as const, 'commit', 'restart', 'list') }) },
)

/** Tools that take time, ask, fail, save how far they came, and do not give way. */
function catalogOf(sim: Simulation): Catalog {
  const catalog = new Catalog()
  const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      sim.system.timers.start(ms, () => resolve())
      signal?.addEventListener('abort', () => reject(new Error('aborted')))
    })
  addTool(catalog, 'quick', { run: () => 'done' })
  addTool(catalog, 'slow', { run: (_args, ctx) => pause(700, ctx.signal).then(() => 'slow') })
  addTool(catalog, 'failing', { run: () => Promise.reject(new Error('no luck')) })
  addTool(catalog, 'asking', { run: async (_args, ctx) => (await ctx.elicit(form)).action })
  addTool(catalog, 'stubborn', { run: () => pause(900).then(() => 'late') })
  addTool(catalog, 'steps', {
    resumable: true,
    run: async (_args, ctx) => {
      const answers: string[] = []
      for (let n = (ctx.restored as number | undefined) ?? 0; n < 3; n++) {
        await pause(200, ctx.signal)
        await ctx.checkpoint(n + 1)
      }
      for (let n = 0; n < 2; n++) answers.push((await ctx.elicit({ ...form, message: `Sure ${n}?` })).action)
      return answers.join(' ')
    },
  })
  return catalog
}

/** What clients were told. */
class Model {
  readonly told = new Map<string, TaskView>()

  /** A client is told how a task stands: it must fit everything it was told before. */
  see(view: TaskView): void {
    const before = this.told.get(view.id)
    // What a run that was ended says afterwards is no result.
    expect(JSON.stringify(view.result ?? {})).not.toContain('aborted')
    this.told.set(view.id, view)
    if (before === undefined) return
    expect(view).toMatchObject({ form: before.form, createdAtMs: before.createdAtMs, ttlMs: before.ttlMs })
    expect(view.updatedAtMs).toBeGreaterThanOrEqual(before.updatedAtMs)
    if (isTerminal(before.status)) expect(view).toEqual(before)
    for (const key of Object.keys(view.questions)) {
      const asked = before.questions[key]
      if (asked !== undefined) expect(view.questions[key]).toEqual(asked)
    }
  }

  nth(which: number): TaskView | undefined {
    const views = [...this.told.values()]
    return views.length === 0 ? undefined : views[which % views.length]
  }
}

/** The answer, if it comes without more time or another commit. */
async function heard<T>(sim: Simulation, asking: Promise<T>): Promise<T | undefined> {
  let answer: T | undefined
  void asking.then((value) => {
    answer = value
  })
  await sim.settle()
  return answer
}

class Play {
  world: TaskWorld
  readonly sim: Simulation
  readonly model = new Model()
  /** Answers that wait for a commit: told when it comes, lost with the power. */
  private owed: Promise<void>[] = []

  constructor(world: TaskWorld) {
    this.world = world
    this.sim = world.sim
  }

  async run(one: Step): Promise<void> {
    const { services, store } = this.world
    const view = 'which' in one ? this.model.nth(one.which) : undefined
    switch (one.type) {
      case 'create': {
        const { tool, isLegacy, ttlMs } = one
        return this.ask(createTask(services, wish(tool, { form: isLegacy ? 'legacy' : 'modern', ttlMs })))
      }
      case 'get':
        return view && this.ask(getTask(services, view.id, OWNER), view)
      case 'cancel':
        return view && this.ask(cancelTask(services, view.id, OWNER), view)
      case 'answer':
      case 'decline': {
        if (view === undefined) return
        const response = one.type === 'answer' ? { action: 'accept', content: {} } : { action: 'decline' }
        const responses = Object.fromEntries(['elicit-1', 'elicit-2'].map((key) => [key, response]))
        return this.ask(updateTask(services, view.id, OWNER, responses), view)
      }
      case 'list': {
        const page = await heard(this.sim, listTasks(services, OWNER, undefined, 1_000))
        for (const listed of page === undefined || 'error' in page ? [] : page.views) this.model.see(listed)
        return
      }
      case 'pause':
        return this.sim.advance(one.ms)
      case 'kill': {
        const ends = this.sim.system.processes().filter((ref) => ref.info()?.definition === one.what)
        ends[one.which % Math.max(1, ends.length)]?.exit('kill')
        // A supervisor of tasks that gives up is the application's business.
        return this.sim.advance(11_000)
      }
      case 'hold':
        store.isPrompt = false
        return
      case 'commit':
        store.isPrompt = true
        store.commit()
        await this.sim.settle()
        await Promise.all(this.owed.splice(0))
        return
      case 'restart':
        this.owed = []
        this.world = await this.world.restart()
        return this.sim.settle()
    }
  }

  /** Asks about a task; what is answered is told, now or with the next commit. */
  private async ask(asking: Promise<TaskAnswer>, known?: TaskView): Promise<void> {
    const { world } = this
    const take = asking.then((answer) => {
      // What a server says that has lost its power, nobody hears.
      if (world !== this.world) return
      if ('view' in answer) this.model.see(answer.view)
      else if (known !== undefined && answer.error.code === -32_602) this.expectGone(known)
    })
    this.owed.push(take)
    await this.sim.settle()
  }

  /** A task that a client was told of is known until its time is up. */
  private expectGone({ id, createdAtMs, ttlMs }: TaskView): void {
    expect(this.sim.clock.wallNow(), `task ${id} went before its time`).toBeGreaterThanOrEqual(createdAtMs + ttlMs)
  }

  /** In the end, with time and answers, every task has ended. */
  async finish(): Promise<void> {
    await this.run({ type: 'commit' })
    for (let round = 0; round < 4; round++) {
      for (let n = 0; n < this.model.told.size; n++) await this.run({ type: 'answer', which: n })
      await this.sim.advance(1_000)
    }
    for (const known of [...this.model.told.values()]) {
      const answer = await heard(this.sim, getTask(this.world.services, known.id, OWNER))
      if (answer === undefined) throw new Error(`No answer about ${known.id}.`)
      if ('error' in answer) this.expectGone(known)
      else {
        this.model.see(answer.view)
        expect(isTerminal(answer.view.status), `${known.id} is ${answer.view.status}`).toBe(true)
      }
    }
    await this.sim.advance(70_000)
    expect(this.world.store.size).toBe(0)
    expect(this.sim.system.processes().filter((ref) => ref.info()?.definition === 'task')).toEqual([])
  }
}

describe('tasks under any schedule', () => {
  it('what was told stays true, what was created is not lost, and everything ends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(step, { minLength: 1, maxLength: 40 }), async (seed, script) => {
        const sim = createSimulation({ seed })
        try {
          const play = new Play(await taskWorld({ store: new FakeStore(), catalog: catalogOf(sim), sim }))
          for (const one of script) await play.run(one)
          await play.finish()
        } finally {
          await sim.run(sim.system.stop())
        }
      }),
      runs(150),
    )
  })
})
