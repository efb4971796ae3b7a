// The server of the crowd, on every transport: started as a child, asked what it holds, ended.
import { once } from 'node:events'
import { type Child, startChild } from './child.ts'
import type { Addresses } from './crowd-peers.ts'
import { built } from './paths.ts'

/** What the server holds. */
export interface Stats {
  readonly sessions: number
  readonly processes: number
  /** Open file descriptors; 0 where the system does not tell. */
  readonly descriptors: number
  readonly heapBytes: number
  readonly rssBytes: number
}

export interface LoadServer {
  readonly child: Child
  readonly addresses: Addresses
  /** With `collect` after a garbage collection. */
  stats(collect?: boolean): Promise<Stats>
  /** Resolves when no more sessions are left than peers, and two looks agree. Rejects when that takes too long. */
  settled(peers: number, withinMs: number): Promise<Stats>
  stop(): Promise<void>
}

const LOOK_MS = 500

export async function startLoadServer({ idleMs }: { readonly idleMs: number }): Promise<LoadServer> {
  const child = startChild(built('servers/crowd.js'), [String(idleMs)])
  const { process: program } = child
  const [ready] = (await Promise.race([
    once(program, 'message'),
    once(program, 'exit').then(() => {
      throw new Error(`The server ended before it listened:\n${child.stderr()}`)
    }),
  ])) as [{ addresses: Addresses }]
  program.stdout?.resume()
  const stats = async (collect = false): Promise<Stats> => {
    const { heapBytes, rssBytes } = await child.usage(collect)
    program.send({ type: 'crowd:stats' })
    const [found] = (await once(program, 'message')) as [Omit<Stats, 'heapBytes' | 'rssBytes'>]
    return { ...found, heapBytes, rssBytes }
  }
  return {
    child,
    addresses: ready.addresses,
    stats,
    async settled(peers, withinMs) {
      const deadline = performance.now() + withinMs
      for (let before = await stats(); ; ) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
        const now = await stats()
        const isCalm = now.processes === before.processes && now.descriptors === before.descriptors
        if (isCalm && now.sessions <= peers) return stats(true)
        if (performance.now() > deadline)
          throw new Error(`${now.sessions} sessions are left of ${peers} peers after ${withinMs} ms.`)
        before = now
      }
    },
    stop: () => child.stop(),
  }
}
