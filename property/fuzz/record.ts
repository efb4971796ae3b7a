/**
 * Records the corpus: our client speaks to our server in both eras, in memory and over HTTP, and what went over the wire is kept in
 * pieces. Chance and time of day are fixed, ports and session ids stand in for themselves, so that a new recording differs only
 * where the wire does.
 */

import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'
import { connect } from 'bough/client'
import { realClock } from 'bough/runtime'
import { createRandom } from 'bough/testing'
import { memoryTransport } from 'bough/transports/memory'
import { memoryClientTransport } from '#transports/client-memory'
import { type Recorded, writeRecordings } from './corpus.ts'
import { LiveServer, sleep } from './live-server.ts'
import { SESSION } from './targets/http.ts'

type Client = Awaited<ReturnType<typeof connect>>
type Era = 'legacy' | 'modern'

/** 2026-01-01T00:00:00Z. */
const EPOCH_MS = 1_767_225_600_000
const clock = { ...realClock, wallNow: () => EPOCH_MS }
/** Recorded pieces that are longer say nothing new. */
const PIECE_BYTES_MAX = 4_096

/** Records everything; returns the files. */
export async function record(): Promise<string[]> {
  const files: string[] = []
  for (const era of ['legacy', 'modern'] as const) {
    files.push(writeRecordings(`memory-${era}`, unique(await overMemory(era))))
    files.push(writeRecordings(`http-${era}`, unique(await overHttp(era))))
  }
  return files
}

const optionsOf = (era: Era) => ({
  name: 'recorder',
  version: '1',
  era,
  clock,
  random: createRandom(2),
  reconnect: false as const,
  logLevel: 'debug' as const,
  handlers: {
    elicitation: async () => ({ action: 'accept' as const, content: { name: 'Ann' } }),
    roots: async () => ({ roots: [{ uri: 'file:///tmp' }] }),
  },
})

/** A little of everything that the server has. */
async function converse(client: Client): Promise<void> {
  const steps: (() => Promise<unknown>)[] = [
    () => client.listTools(),
    () => client.callTool('echo', { text: 'h\u00e9llo \ud83d\ude00', n: 1 }),
    () => client.callTool('echo', { n: 'no integer' }),
    () => client.callTool('sum', { a: 1, b: 2.5 }),
    () => client.callTool('region', { region: 'Z\u00fcrich' }),
    () => client.callTool('throws', {}),
    () => client.callTool('steps', {}, { onProgress: () => undefined }),
    () => client.callTool('ask', {}),
    () => client.callTool('missing', {}),
    () => client.listResources(),
    () => client.readResource('config://app'),
    () => client.readResource('users://ann%20lee/a/b'),
    () => client.listPrompts(),
    () => client.getPrompt('greet', { name: 'Ann' }),
    async () => (await client.subscribe('config://app', () => undefined))(),
  ]
  for (const step of steps) await step().catch(() => undefined)
}

async function overMemory(era: Era): Promise<Recorded[]> {
  const pair = memoryTransport()
  const server = await LiveServer.open({ transports: [pair.transport], clock, random: createRandom(1) })
  const recorded: Recorded[] = []
  const tapped = {
    connect: () => {
      const end = pair.connect()
      return {
        ...end,
        get isOpen() {
          return end.isOpen
        },
        send: (text: string) => {
          recorded.push(piece('client message', Buffer.from(text)))
          return end.send(text)
        },
        onMessage: (listener: (text: string) => void) =>
          end.onMessage((text) => {
            recorded.push(piece('server message', Buffer.from(text)))
            listener(text)
          }),
      }
    },
  }
  const client = await connect({ transport: memoryClientTransport(tapped) }, optionsOf(era))
  await converse(client)
  await client.close()
  await server.close()
  const said = recorded.filter(({ kind }) => kind === 'client message').map(({ bytes }) => bytes)
  return [...recorded, { kind: 'lines', bytes: `${said.slice(0, 4).join('\n')}\n` }]
}

/** Passes bytes on both ways and keeps them. */
async function tap(
  port: number,
): Promise<{ port: number; connections: { sent: Buffer[]; came: Buffer[] }[]; close(): void }> {
  const connections: { sent: Buffer[]; came: Buffer[] }[] = []
  const open = new Set<Socket>()
  const listener = createServer((client) => {
    const kept = { sent: [] as Buffer[], came: [] as Buffer[] }
    connections.push(kept)
    const server = dial(port, '127.0.0.1')
    for (const socket of [client, server]) {
      open.add(socket)
      socket.on('error', () => undefined)
    }
    client.on('data', (chunk: Buffer) => void kept.sent.push(chunk)).pipe(server)
    server.on('data', (chunk: Buffer) => void kept.came.push(chunk)).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return {
    port: (listener.address() as { port: number }).port,
    connections,
    close: () => {
      listener.close()
      for (const socket of open) socket.destroy()
    },
  }
}

async function overHttp(era: Era): Promise<Recorded[]> {
  const server = await LiveServer.open({ http: { port: 0 }, clock, random: createRandom(1) })
  const tapped = await tap(Number(new URL(server.app.url).port))
  const client = await connect(`http://127.0.0.1:${tapped.port}/mcp`, optionsOf(era))
  await converse(client)
  await client.close()
  await sleep(100)
  tapped.close()
  await server.close()
  const recorded: Recorded[] = []
  for (const { sent, came } of tapped.connections) {
    for (const request of requestsIn(Buffer.concat(sent).toString('latin1'))) {
      recorded.push({ kind: 'http request', bytes: request })
    }
    for (const [, stream = ''] of Buffer.concat(came)
      .toString('latin1')
      .matchAll(/text\/event-stream[\s\S]*?\r\n\r\n([\s\S]*?)(?=HTTP\/1\.1|$)/g)) {
      recorded.push({ kind: 'event stream', bytes: unchunked(stream) })
    }
  }
  return recorded
}

/** Whole requests, by their lengths, with what differs from run to run replaced. */
function requestsIn(bytes: string): string[] {
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) break
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(bytes.slice(at, end))?.[1] ?? 0)
    const request = bytes.slice(at, end + 4 + length)
    found.push(request.replace(/(mcp-session-id: )\S+/i, `$1${SESSION}`).replace(/(host: 127\.0\.0\.1):\d+/i, '$1'))
    at = end + 4 + length
  }
  return found
}

function unchunked(bytes: string): string {
  return bytes.replace(/(?:^|\r\n)[0-9a-f]+\r\n/g, '')
}

const piece = (kind: Recorded['kind'], bytes: Buffer): Recorded => ({ kind, bytes: bytes.toString('latin1') })

function unique(recorded: readonly Recorded[]): Recorded[] {
  const seen = new Map(recorded.map((one) => [JSON.stringify(one), one]))
  return [...seen.values()].filter(({ bytes }) => bytes.length > 0 && bytes.length <= PIECE_BYTES_MAX)
}
