// The scenarios: each hurts the server, or those who speak to it, for a while. What it returns says what was injected.

import { statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChaosProxy } from 'bough/testing'
import type { ServerChild } from './child.ts'
import type { ChaosClient } from './client.ts'

export interface World {
  readonly server: ServerChild
  readonly proxy: ChaosProxy
  /** Those whom the faults are meant for; the others must not notice. */
  readonly hurt: readonly ChaosClient[]
  readonly seconds: number
  /** A number from 0 to below 1, from the seed. */
  readonly random: () => number
  /** The file of the store. */
  readonly file: string
}

export interface Scenario {
  readonly name: string
  /** Whom the faults are meant for. */
  readonly hurts: 'some' | 'all' | 'nobody'
  /** How those who are hurt reach the server. */
  readonly through?: 'proxy' | 'fresh connections'
  /** The tool that they call; default `echo`. */
  readonly tool?: 'slow' | 'threaded'
  /** Brings it about; resolves when it is over, with what was injected. */
  run(world: World): Promise<string>
}

const sharedProcesses = [
  ...[
    'session-manager',
    'questions',
    'metrics',
    'thread-pool',
    'tool-registry',
    'prompt-registry',
    'resource-registry',
  ],
  ...['subscriptions', 'listens', 'stateless', 'task-manager', 'store', 'http'],
]
/** Kills of shared processes that stay below what their supervisors take: beyond it they give up, and are meant to. */
const SHARED_KILL_EVERY_MS = 2_500
const FLOOD_CONNECTIONS = 1_000
const DESCRIPTORS_MAX = 400
const DISK_ROOM_BYTES = 0
const JUMP_MS_MAX = 6 * 3_600_000

async function until(seconds: number, everyMs: number, act: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + seconds * 1_000
  do {
    await act()
    await sleep(everyMs)
  } while (performance.now() < end)
}

const sessionsOf = (clients: readonly ChaosClient[]): string[] => clients.flatMap(({ sessionId }) => sessionId ?? [])

/** Ends the whole server again and again and starts it anew. */
function ended(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Scenario {
  return {
    name: signal === 'SIGKILL' ? 'kill-9' : signal.toLowerCase(),
    hurts: 'all',
    run: async ({ server, seconds, random }) => {
      let ends = 0
      const wrong: unknown[] = []
      await until(seconds, 0, async () => {
        await sleep(300 + random() * 700)
        await server.end(signal)
        if (signal !== 'SIGKILL' && server.lastEnd !== 0) wrong.push(server.lastEnd)
        await server.start()
        ends++
      })
      if (wrong.length > 0) throw new Error(`${signal} ended the server with ${wrong.join()}, not with status 0.`)
      return `${ends} ends of the server (${signal})`
    },
  }
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'processes',
    hurts: 'some',
    // Calls that take a moment have a process when the kill comes.
    tool: 'slow',
    run: async ({ server, hurt, seconds }) => {
      const killed = new Map<string, number>()
      await until(seconds, 100, async () => {
        const victims = (await server.order({ op: 'kill', sessions: sessionsOf(hurt) })) as { definition: string }[]
        for (const { definition } of victims) killed.set(definition, (killed.get(definition) ?? 0) + 1)
      })
      return `killed ${[...killed].map(([name, count]) => `${count} ${name}`).join(', ')}`
    },
  },
  {
    name: 'shared-processes',
    hurts: 'all',
    run: async ({ server, seconds, random }) => {
      const killed: string[] = []
      let next = Math.floor(random() * sharedProcesses.length)
      // One after the other, so that half a minute is enough for each.
      await until(seconds, SHARED_KILL_EVERY_MS, async () => {
        const targets = [sharedProcesses[next++ % sharedProcesses.length] ?? '']
        const victims = (await server.order({ op: 'killShared', targets })) as { definition: string }[]
        killed.push(...victims.map(({ definition }) => definition))
      })
      return `killed ${killed.join(', ')}`
    },
  },
  {
    name: 'loop',
    hurts: 'nobody',
    run: async ({ server, seconds, random }) => {
      let [times, total] = [0, 0]
      await until(seconds, 200, async () => {
        const ms = Math.round(50 + random() * 450)
        await server.order({ op: 'block', ms })
        times++
        total += ms
      })
      return `held up ${times} times, ${total} ms in all`
    },
  },
  {
    name: 'descriptors',
    hurts: 'some',
    through: 'fresh connections',
    run: async ({ server, seconds }) => {
      server.limit('nofile', DESCRIPTORS_MAX)
      const { count, areExhausted } = (await server.order({ op: 'descriptors' })) as {
        count: number
        areExhausted: boolean
      }
      if (!areExhausted) throw new Error(`${count} descriptors were opened and there are more.`)
      await sleep(seconds * 1_000)
      await server.order({ op: 'release' })
      return `all of its descriptors held (${count})`
    },
  },
  {
    name: 'disk',
    hurts: 'nobody',
    run: async ({ server, seconds, file }) => {
      const bytes = Math.max(
        ...['', '-wal'].map((end) => statSync(`${file}${end}`, { throwIfNoEntry: false })?.size ?? 0),
      )
      if (!server.limit('fsize', bytes + DISK_ROOM_BYTES))
        throw new Error('prlimit (util-linux) is needed to fill the disk.')
      await sleep(seconds * 1_000)
      server.limit('fsize', 'unlimited')
      const { storeCrashes } = await server.state()
      if (storeCrashes === 0) throw new Error('No write failed, so nothing was tried.')
      return `no file may grow (${bytes} bytes): the store ended ${storeCrashes} times`
    },
  },
  {
    name: 'connections',
    hurts: 'some',
    through: 'proxy',
    run: async ({ proxy, seconds }) => {
      proxy.faults = { cut: 0.02, corrupt: 0.05, delay: 0.2, delayMs: 50, bytesPerSecond: 200_000 }
      await until(seconds, 500, async () => void proxy.cutAll())
      proxy.faults = {}
      const { cut, corrupted, delayed } = proxy.counts
      return `cut ${cut}, corrupted ${corrupted}, delayed ${delayed}, all throttled`
    },
  },
  {
    name: 'thread',
    hurts: 'some',
    tool: 'threaded',
    run: async ({ server, hurt, seconds }) => {
      let killed = 0
      await until(seconds, 200, async () => {
        const [client] = hurt
        await client?.request('tools/call', { name: 'dies', arguments: {} }).catch(() => undefined)
        killed++
      })
      await server.state()
      return `${killed} threads ended from inside`
    },
  },
  {
    name: 'slow-reader',
    hurts: 'nobody',
    run: async ({ server, hurt, seconds }) => {
      const before = (await server.state()).rssBytes
      const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"large","arguments":{}}}'
      const head = [
        'POST /mcp HTTP/1.1',
        'Host: 127.0.0.1',
        'Content-Type: application/json',
        'Accept: application/json, text/event-stream',
        `Mcp-Session-Id: ${hurt[0]?.sessionId}`,
        `Content-Length: ${body.length}`,
      ]
      const call = `${head.join('\r\n')}\r\n\r\n${body}`
      const sockets: Socket[] = []
      for (let index = 0; index < 8; index++) {
        const socket = connect(server.settings.port, '127.0.0.1')
        socket.on('error', () => undefined)
        socket.pause()
        socket.write(call.repeat(100))
        sockets.push(socket)
      }
      let most = 0
      await until(seconds, 200, async () => {
        most = Math.max(most, (await server.state()).rssBytes)
      })
      for (const socket of sockets) socket.destroy()
      const grown = Math.max(0, most - before)
      if (grown > 300 * 1_048_576) throw new Error(`The server grew by ${grown} bytes for clients that do not read.`)
      return `8 clients asked for 80 MB and read nothing; RSS +${Math.round(grown / 1_048_576)} MB`
    },
  },
  {
    name: 'flood',
    hurts: 'nobody',
    run: async ({ server, seconds, random }) => {
      let [opened, most] = [0, 0]
      const sockets = new Set<Socket>()
      await until(seconds, 50, async () => {
        for (let index = 0; index < 100 && sockets.size < FLOOD_CONNECTIONS; index++) {
          const socket = connect(server.settings.port, '127.0.0.1')
          socket.on('error', () => undefined)
          socket.on('close', () => sockets.delete(socket))
          sockets.add(socket)
          opened++
          // Some say nothing, some begin a request and go quiet, some talk nonsense.
          const kind = random()
          if (kind < 0.3) socket.write('POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Len')
          else if (kind < 0.6) socket.write('\x16\x03\x01 nonsense\r\n\r\n')
        }
        most = Math.max(most, sockets.size)
      })
      for (const socket of sockets) socket.destroy()
      return `${opened} connections, ${most} at once`
    },
  },
  {
    name: 'clock',
    hurts: 'nobody',
    run: async ({ server, seconds, random }) => {
      let [jumps, away] = [0, 0]
      await until(seconds, 200, async () => {
        // To some place around the right time, not from jump to jump: what is kept for a day is to be there afterwards.
        const next = Math.round((random() - 0.5) * 2 * JUMP_MS_MAX)
        await server.order({ op: 'jump', wallMs: next - away, monotonicMs: Math.round(random() * 1_000) })
        away = next
        jumps++
      })
      return `${jumps} jumps within ${JUMP_MS_MAX / 3_600_000} hours of the right time, either way`
    },
  },
  ended('SIGKILL'),
  ended('SIGTERM'),
  ended('SIGINT'),
]
