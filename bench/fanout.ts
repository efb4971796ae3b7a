// Question: how long until the last of many subscribers has heard of a change, what does it cost, and who waits meanwhile?
// Goal: the time to the last delivery and the server's CPU per subscriber, beside a loop that writes one prepared frame to every
// stream, in one run; and the longest that an unrelated request waited.
// Non-goal: the network. Subscribers are event streams on loopback, all held by this one program, whose own work is part of the
// time to the last delivery and none of the server's CPU.
//
// `node dist/bench/fanout.js [--small]`.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Child, freePort, startChild, untilListening } from './child.ts'
import { recordFigures } from './figures.ts'
import { openSession, post } from './load-http.ts'
import { built, peer } from './paths.ts'
import { median } from './statistics.ts'
import { formatNumber, formatRatio, formatTable } from './table.ts'

const isSmall = process.argv.includes('--small')
const sizes = isSmall ? [20] : [1_000, 8_000]
const rounds = isSmall ? 2 : 15
const lanes = 32
/** Longer than the window in which changes of one resource are announced once. */
const pauseMs = 200
const deliveredWithinMs = 30_000
const newsMark = 'notifications/resources/updated'

interface Server {
  readonly name: string
  readonly port: number
  readonly child: Child
  /** Opens one subscriber's stream; calls `heard` for each announcement. */
  subscribe(heard: () => void): Promise<Socket>
  announce(): Promise<void>
  /** Runs `work` while an unrelated client pings without a pause; resolves to the longest that it waited, in ms. */
  pinged(work: () => Promise<unknown>): Promise<number>
  stop(): Promise<void>
}

/** Opens an event stream and calls `heard` for each announcement in it. */
async function stream(port: number, headers: string, heard: () => void): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' }).setEncoding('latin1')
  socket.write(`GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n${headers}\r\n`)
  await once(socket, 'data')
  let rest = ''
  socket.on('data', (chunk: string) => {
    rest += chunk
    for (let at = rest.indexOf(newsMark); at >= 0; at = rest.indexOf(newsMark)) {
      rest = rest.slice(at + newsMark.length)
      heard()
    }
    rest = rest.slice(-newsMark.length)
  })
  return socket
}

async function startBough(): Promise<Server> {
  const port = await freePort()
  const child = startChild(built('servers/load.js'), ['--http', `${port}`])
  await untilListening(child, port)
  const own = await openSession(port)
  const pinger = fork(built('pinger.js'), [String(port), await openSession(port)])
  const request = (id: string, method: string, params: object) => ({ jsonrpc: '2.0', id, method, params })
  return {
    name: 'bough',
    port,
    child,
    async subscribe(heard) {
      const session = await openSession(port)
      await post(port, session, request('s', 'resources/subscribe', { uri: 'bench://news' }))
      return stream(port, `MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: ${session}\r\n`, heard)
    },
    announce: async () => void (await post(port, own, request('t', 'tools/call', { name: 'touch', arguments: {} }))),
    pinged: async (work) => {
      pinger.send('go')
      await work()
      pinger.send('rest')
      const [{ longestMs }] = (await once(pinger, 'message')) as [{ longestMs: number }]
      return longestMs
    },
    stop: async () => {
      const gone = once(pinger, 'exit')
      pinger.disconnect()
      await gone
      await child.stop()
    },
  }
}

async function startBare(): Promise<Server> {
  const port = await freePort()
  const child = startChild(peer('bare-fanout.js'), [`${port}`])
  await untilListening(child, port)
  return {
    name: 'a loop over prepared frames',
    port,
    child,
    subscribe: (heard) => stream(port, '', heard),
    announce: async () => void (await post(port, undefined, {})),
    pinged: async (work) => {
      await work()
      return 0
    },
    stop: () => child.stop(),
  }
}

interface Result {
  readonly lastMs: number
  readonly cpuMicros: number
  readonly waitMs: number
}

class Audience {
  readonly server: Server
  private heard = 0
  private size = 0
  private readonly sockets: Socket[] = []
  private onAll: () => void = () => {}

  constructor(server: Server) {
    this.server = server
  }

  async grow(size: number): Promise<void> {
    const lane = async (): Promise<void> => {
      while (this.size < size) {
        this.size += 1
        this.sockets.push(await this.server.subscribe(() => this.hear()))
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
  }

  /** One announcement whose cost is measured, and one during which others ask. */
  async round(): Promise<Result> {
    const before = await this.server.child.usage()
    const lastMs = await this.announce()
    const after = await this.server.child.usage()
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    const waitMs = await this.server.pinged(() => this.announce())
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    return { lastMs, cpuMicros: (after.cpuMicros - before.cpuMicros) / this.size, waitMs }
  }

  /** One announcement; resolves when the last has heard, to the milliseconds until then. */
  async announce(): Promise<number> {
    this.heard = 0
    const all = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.heard} of ${this.size} heard within ${deliveredWithinMs} ms.`)),
        deliveredWithinMs,
      )
      this.onAll = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    const from = performance.now()
    await Promise.all([all, this.server.announce()])
    return performance.now() - from
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  private hear(): void {
    this.heard += 1
    if (this.heard === this.size) this.onAll()
  }
}

const rows: string[][] = []
const servers = [await startBare(), await startBough()]
const audiences = servers.map((server) => new Audience(server))
try {
  for (const size of sizes) {
    const found = new Map<string, Result[]>()
    for (const audience of audiences) {
      await audience.grow(size)
      await audience.announce()
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const audience of audiences) {
        const results = found.get(audience.server.name) ?? []
        results.push(await audience.round())
        found.set(audience.server.name, results)
      }
    }
    const bareCpu = median((found.get('a loop over prepared frames') ?? []).map(({ cpuMicros }) => cpuMicros))
    for (const [name, results] of found) {
      const lastMs = median(results.map((result) => result.lastMs))
      const cpuMicros = median(results.map((result) => result.cpuMicros))
      const waitMs = median(results.map((result) => result.waitMs))
      const isOurs = name === 'bough'
      rows.push([
        `${name}, ${size}`,
        formatNumber(lastMs, 1),
        formatNumber(cpuMicros, 1),
        formatRatio(cpuMicros / bareCpu),
        isOurs ? formatNumber(waitMs, 1) : '-',
      ])
      const group = `fan-out to ${size}`
      const isLarge = size >= 5_000
      recordFigures(
        {
          group: `${group}: time to the last delivery`,
          name,
          value: lastMs,
          unit: 'ms',
          better: 'less',
          ...(isOurs && !isLarge && !isSmall && { target: { atMost: 10 } }),
        },
        { group: `${group}: CPU per subscriber`, name, value: cpuMicros, unit: 'us', better: 'less' },
      )
      if (!isOurs || !isLarge) continue
      recordFigures(
        {
          group: `${group}: CPU of the loop over prepared frames`,
          name,
          value: cpuMicros / bareCpu,
          unit: 'x',
          better: 'less',
          target: { atMost: 1.2 },
        },
        {
          group: `${group}: longest wait of another request`,
          name,
          value: waitMs,
          unit: 'ms',
          better: 'less',
          target: { atMost: 20 },
        },
      )
    }
  }
  const head = ['server, subscribers', 'last heard ms', 'CPU us each', 'of the loop', 'a ping waited ms']
  console.log(formatTable(head, rows))
} finally {
  for (const audience of audiences) audience.close()
  for (const server of servers) await server.stop()
}
