// The server that chaos happens to, as a program of its own: `server.js <options as JSON>`. It says where it listens over its
// parent's channel, then does to itself what it is told: kills processes, holds up its loop, uses up descriptors, moves its clock.
import { setTimeout as sleep } from 'node:timers/promises'
import { type App, createServer, serve } from 'bough'
import { type Ref, realClock, type SupervisorRef, sys } from 'bough/runtime'
import { createChaos, type HeldDescriptors, jumpingClock } from 'bough/testing'

export interface ServerSettings {
  readonly port: number
  readonly store: 'memory' | `sqlite:${string}`
  readonly seed: number
}

/** What it is told to do; each is answered with `{ id, result }`. */
export type Order =
  | { readonly op: 'kill'; readonly sessions: readonly string[] }
  | { readonly op: 'killShared'; readonly targets: readonly string[] }
  | { readonly op: 'block'; readonly ms: number }
  | { readonly op: 'descriptors' }
  | { readonly op: 'release' }
  | { readonly op: 'jump'; readonly wallMs: number; readonly monotonicMs: number }
  | { readonly op: 'state' }

export interface ServerState {
  readonly rssBytes: number
  readonly processes: number
  readonly sessions: number
  /** Ends of the process that keeps the store: each began with a write that failed. */
  readonly storeCrashes: number
}

const settings = JSON.parse(process.argv[2] ?? '{}') as ServerSettings
const clock = jumpingClock(realClock)
const seven = 'x'.repeat(7)

const server = createServer({ name: 'chaos', version: '1' })
  .tool('echo', {
    input: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
    run: ({ n }) => `${seven}${n}`,
  })
  .tool('slow', {
    input: { type: 'object', properties: { ms: { type: 'integer' } }, required: ['ms'] },
    run: async ({ ms }, ctx) => {
      await sleep(Number(ms), undefined, { signal: ctx.signal })
      return 'done'
    },
  })
  .tool('large', { run: () => 'x'.repeat(100_000) })
  .tool('dies', { isolate: 'thread', run: () => process.exit(1) })
  .tool('threaded', { isolate: 'thread', run: () => 'from a thread' })
  .tool('job', {
    task: 'optional',
    run: async (_args, ctx) => {
      await sleep(50, undefined, { signal: ctx.signal })
      return 'job done'
    },
  })
  .tool('touch', {
    input: { type: 'object', properties: { uri: { type: 'string' } }, required: ['uri'] },
    run: async ({ uri }) => {
      await app.resourceUpdated(String(uri))
      return 'touched'
    },
  })
  .resourceTemplate('chaos://{name}', { read: ({ name }) => `${name}` })

let held: HeldDescriptors | undefined
let kills = 0
let storeCrashes = 0

function told(fields: object): void {
  const { event, definition } = fields as { readonly event?: string; readonly definition?: string }
  if (event === 'crash' && definition === 'store') storeCrashes++
}
const silent = (): void => undefined

const app: App = await serve(server, {
  clock,
  http: { port: settings.port, maxStreamBufferBytes: 262_144 },
  store: settings.store,
  logger: { debug: silent, info: silent, warn: told, error: told },
  drainMs: 2_000,
})

/** The pids of each session's processes, by the session's id. */
async function sessionPids(): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>()
  const top = await app.ref.whichChildren()
  const sessions = top.find(({ id }) => id === 'sessions')?.ref as SupervisorRef
  for (const { ref: tree } of await sessions.whichChildren()) {
    if (typeof tree !== 'object') continue
    const pids = new Set([tree.pid])
    let sessionId: string | undefined
    const children = await (tree as SupervisorRef).whichChildren().catch(() => [])
    for (const { id, ref } of children) {
      if (typeof ref !== 'object') continue
      pids.add(ref.pid)
      if (id === 'session') sessionId = await idOf(ref)
      else
        for (const row of await (ref as SupervisorRef).whichChildren().catch(() => [])) {
          if (typeof row.ref === 'object') pids.add(row.ref.pid)
        }
    }
    if (sessionId !== undefined) found.set(sessionId, pids)
  }
  return found
}

async function idOf(session: Ref): Promise<string | undefined> {
  const state = (await sys.getState(session).catch(() => undefined)) as { arg?: { id?: string } } | undefined
  return state?.arg?.id
}

async function obey(order: Order): Promise<unknown> {
  const chaos = (targets?: readonly string[]) =>
    createChaos(app.system, { seed: settings.seed + kills++, ...(targets !== undefined && { targets }) })
  switch (order.op) {
    case 'kill': {
      const all = await sessionPids()
      const hurt = new Set(order.sessions.flatMap((id) => [...(all.get(id) ?? [])]))
      return chaos().kill(1, ({ pid }) => hurt.has(pid))
    }
    case 'killShared':
      return chaos(order.targets).kill(1)
    case 'block':
      return chaos().block(order.ms)
    case 'descriptors':
      held = await chaos().descriptors()
      return { count: held.count, areExhausted: held.areExhausted }
    case 'release':
      return held?.release()
    case 'jump':
      return clock.jump(order.wallMs, order.monotonicMs)
    default:
      return {
        rssBytes: process.memoryUsage().rss,
        processes: app.system.processCount,
        sessions: Number(app.metrics()['sessions']),
        storeCrashes,
      } satisfies ServerState
  }
}

process.on('message', ({ id, order }: { readonly id: number; readonly order: Order }) => {
  void obey(order).then(
    (result) => process.send?.({ id, result: result ?? null }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  )
})
process.send?.({ url: app.url })
void app.done.then(() => process.disconnect?.())
