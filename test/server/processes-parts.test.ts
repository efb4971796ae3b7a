/** The parts that several processes are made of, each by itself in this process: marks, sums, the hand-over, the private link. */
import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, serve } from 'bough'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ownerAskedFor } from '#actors/first-bytes'
import { makeSlot, type Program, type Slot, setState } from '#actors/fleet'
import { Handover } from '#actors/handover'
import type { ToMember } from '#actors/member-messages'
import { farOwner, type Members, markOf } from '#actors/members'
import { realRandom } from '#runtime'
import { Link } from '#server/processes/link'
import { mergeTexts, sumMetrics } from '#server/processes/metrics'
import { processesOf } from '#server/processes/options'
import { privatePath, privateTransport } from '#server/processes/private-transport'
import { Counters } from '#structures/counters'
import type { Exchange, Sink } from '#transports/port'
import { deferred } from './support.ts'

describe('a mark', () => {
  const members = { index: 1, count: 4 } as Members
  it.each([
    ['0.abc', 0],
    ['3.abc', 3],
    ['1.abc', undefined],
    ['4.abc', undefined],
    ['64.abc', undefined],
    ['100.abc', undefined],
    ['abc', undefined],
    ['', undefined],
    ['-1.abc', undefined],
    ['0x1.abc', undefined],
    [undefined, undefined],
  ])('of %j leads to member %s', (id, owner) => {
    expect(farOwner(members, id)).toBe(owner)
    expect(farOwner(undefined, id)).toBeUndefined()
  })

  it('is found in the first bytes of a connection, where an id is sent and nowhere else', () => {
    const asked = (head: string): number | undefined => ownerAskedFor(Buffer.from(head))
    expect(asked(`POST /mcp HTTP/1.1\r\nHost: x\r\nMcp-Session-Id: ${markOf(3)}abc\r\n\r\n`)).toBe(3)
    expect(asked('GET /mcp HTTP/1.1\r\nmcp-session-id:12.abc\r\n\r\n')).toBe(12)
    expect(asked('POST /messages?sessionId=7.abc HTTP/1.1\r\n\r\n')).toBe(7)
    expect(asked('POST /mcp HTTP/1.1\r\nX: mcp-session-id: 3.abc\r\n\r\n')).toBeUndefined()
    expect(asked('POST /mcp HTTP/1.1\r\nMcp-Session-Id: abc\r\n\r\n')).toBeUndefined()
    expect(ownerAskedFor(undefined)).toBeUndefined()
  })
})

describe('the metrics of several processes', () => {
  it('are summed name by name and label by label', () => {
    const all = [{ a: 1, b: { x: 1 }, c: 2 }, { a: 2, b: { x: 2, y: 3 }, c: { z: 1 } }, {}]
    expect(sumMetrics(all)).toEqual({ a: 3, b: { x: 3, y: 3 }, c: { '': 2, z: 1 } })
  })

  it('are one text, in which each sample says whose it is', () => {
    const text = (count: number): string =>
      `# HELP a_total A.\n# TYPE a_total counter\na_total{l="x}"} ${count}\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 2\nh_count 1\n`
    expect(
      mergeTexts(
        new Map([
          ['0', text(1)],
          ['1', text(2)],
          ['2', ''],
        ]),
      ),
    ).toBe(
      `${[
        '# HELP a_total A.',
        '# TYPE a_total counter',
        'a_total{member="0",l="x}"} 1',
        'a_total{member="1",l="x}"} 2',
        '# TYPE h histogram',
        'h_bucket{member="0",le="1"} 1',
        'h_sum{member="0"} 2',
        'h_count{member="0"} 1',
        'h_bucket{member="1",le="1"} 1',
        'h_sum{member="1"} 2',
        'h_count{member="1"} 1',
      ].join('\n')}\n`,
    )
  })
})

describe('the option processes', () => {
  it.each([0, -1, 65, 1.5, Number.NaN, 'all', '2', {}, { count: 0 }, true])('refuses %j', (option) => {
    expect(() => processesOf(option as number, 1_000)).toThrow(
      /processes must be a whole number from 1 to 64, or 'auto'/,
    )
  })

  it.each([
    [{ count: 2, silentMs: 0 }, 'processes.silentMs'],
    [{ count: 2, startMs: 1.5 }, 'processes.startMs'],
    [{ count: 2, beatMs: 500, silentMs: 500 }, 'must be more than processes.beatMs'],
  ])('refuses %j', (option, sentence) => {
    expect(() => processesOf(option, 1_000)).toThrow(sentence)
  })

  it('takes one process for this one', async () => {
    expect(processesOf(1, 0)).toBeUndefined()
    expect(processesOf(undefined, 0)).toBeUndefined()
    expect(processesOf({ count: 64 }, 5_000)).toMatchObject({ count: 64, stopMs: 15_000 })
    const app = await serve(createServer({ name: 'one', version: '1' }), {
      http: { port: 0 },
      logger: false,
      signals: false,
      guard: false,
      processes: 1,
    })
    expect([app.isPrimary, app.member]).toEqual([true, undefined])
    await app.replaceMembers()
    await app.stop()
  })

  it('refuses standard input before it starts anything', async () => {
    const serving = serve(createServer({ name: 'two', version: '1' }), { stdio: true, processes: 2 })
    await expect(serving).rejects.toThrow('there is one standard input')
  })
})

/** A socket that only says whether it was closed. */
class FakeSocket extends EventEmitter {
  isDestroyed = false
  destroy(): void {
    this.isDestroyed = true
  }
}

const socketOf = (fake: FakeSocket): Socket => fake as unknown as Socket

class FakeProgram implements Program {
  readonly pid = 1
  readonly ended = new Promise<string>(() => undefined)
  readonly isAlive = true
  readonly sent: (ToMember & { type: 'connection' })[] = []
  send(message: ToMember): void {
    if (message.type === 'connection') this.sent.push(message)
  }
  kill(): void {}
}

function slotsOf(count: number): { slots: Slot[]; programs: FakeProgram[] } {
  const slots = Array.from({ length: count }, (_, index) => makeSlot(index))
  const programs = slots.map((slot) => {
    const program = new FakeProgram()
    slot.program = program
    slot.doors.add('http')
    setState(slot, 'ready')
    return program
  })
  return { slots, programs }
}

describe('the hand-over', () => {
  it('gives connections to the least loaded, those with an owner to the owner', () => {
    const { slots, programs } = slotsOf(3)
    const handover = new Handover(slots, new Counters(), realRandom)
    for (const slot of slots) slot.connections = slot.index === 1 ? 0 : 100
    for (let count = 0; count < 5; count++) handover.arrive(socketOf(new FakeSocket()), 'http')
    expect(programs.map(({ sent }) => sent.length)).toEqual([0, 5, 0])
    handover.arrive(socketOf(new FakeSocket()), 'http', 2)
    expect(programs[2]?.sent).toHaveLength(1)
    // An owner that is away, or that there is not, is no reason to wait.
    for (const owner of [0, 63]) {
      setState(slots[0] as Slot, 'down')
      handover.arrive(socketOf(new FakeSocket()), 'http', owner)
    }
    expect(programs.map(({ sent }) => sent.length).reduce((sum, one) => sum + one)).toBe(8)
    expect(programs[0]?.sent).toHaveLength(0)
  })

  it('offers what a member refused, or had not answered for when it ended, to the others', () => {
    const { slots, programs } = slotsOf(2)
    const handover = new Handover(slots, new Counters(), realRandom)
    const [first, second] = [new FakeSocket(), new FakeSocket()]
    handover.arrive(socketOf(first), 'http', 0)
    handover.arrive(socketOf(second), 'http', 0)
    slots[0]?.doors.delete('http')
    handover.answered(slots[0] as Slot, programs[0]?.sent[0]?.number ?? 0, false)
    expect(programs[1]?.sent).toHaveLength(1)
    setState(slots[0] as Slot, 'down')
    handover.lost(slots[0] as Slot)
    expect(programs[1]?.sent).toHaveLength(2)
    for (const { number } of programs[1]?.sent ?? []) handover.answered(slots[1] as Slot, number, true)
    expect([first.isDestroyed, second.isDestroyed]).toEqual([true, true])
    expect(slots[1]?.handed.size).toBe(0)
  })

  it('keeps connections while no member takes any, within a bound, and gives them to the first that does', () => {
    const { slots, programs } = slotsOf(1)
    const counters = new Counters()
    const handover = new Handover(slots, counters, realRandom)
    setState(slots[0] as Slot, 'starting')
    const sockets = Array.from({ length: 10_003 }, () => new FakeSocket())
    for (const socket of sockets) handover.arrive(socketOf(socket), 'http')
    expect(sockets.filter(({ isDestroyed }) => isDestroyed)).toHaveLength(3)
    expect(counters.get('connections_dropped')).toBe(3)
    setState(slots[0] as Slot, 'ready')
    handover.flush()
    // One member is offered so many at a time; the next go when it has answered.
    const offered = programs[0]?.sent.length ?? 0
    expect(offered).toBe(256)
    for (let at = 0; at < (programs[0]?.sent.length ?? 0); at++)
      handover.answered(slots[0] as Slot, programs[0]?.sent[at]?.number ?? 0, true)
    expect(programs[0]?.sent).toHaveLength(10_000)
    expect(sockets.every(({ isDestroyed }) => isDestroyed)).toBe(true)
  })
})

/** An exchange that notes what it was answered. */
class NotedExchange implements Exchange {
  readonly method: Exchange['method']
  readonly url = 'http://h/mcp'
  readonly body: string
  readonly sessionId = '0.x'
  readonly protocolVersion = undefined
  readonly lastEventId = undefined
  readonly headers = { 'mcp-session-id': '0.x' }
  readonly credentials = { authorization: ['one', 'two'] }
  readonly peer = { transport: 'http', remoteAddress: '10.0.0.1' }
  readonly clientCertificate = { fingerprint256: 'AA', raw: new Uint8Array([1, 2, 255]) }
  readonly notes: unknown[] = []
  close: () => void = () => undefined
  private ended: () => void = () => undefined
  readonly over = new Promise<void>((resolve) => {
    this.ended = resolve
  })
  readonly sink: Sink = {
    isOpen: true,
    send: (message, eventId) => this.note('send', message, eventId),
    end: (message, eventId) => this.note('end', message, eventId),
    prime: (eventId, retryMs) => this.note('prime', eventId, retryMs),
    open: () => this.note('open'),
    onClose: (listener) => {
      this.close = listener
    },
  }

  constructor(method: Exchange['method'] = 'POST', body = '{}') {
    this.method = method
    this.body = body
  }

  setHeader(name: string, value: string): void {
    this.notes.push(['header', name, value])
  }

  reply(status: number, json?: string): void {
    this.note('reply', status, json)
  }

  private note(...what: unknown[]): boolean {
    this.notes.push(what)
    if (what[0] === 'end' || what[0] === 'reply') this.ended()
    return true
  }
}

async function linked(serving: (exchange: Exchange) => void, secret = 's') {
  const folder = mkdtempSync(join(tmpdir(), 'l-'))
  const transport = privateTransport({
    folder,
    index: 0,
    secret: 's',
    answer: async (question, argument) => {
      if (question === 'fails') throw new Error('it failed')
      return { question, argument }
    },
  })
  const listening = await transport.listen({ connection: () => ({ message() {}, closed() {} }), exchange: serving })
  const link = new Link(privatePath(folder, 0), secret)
  onTestFinished(async () => {
    link.close()
    await listening.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { link, listening }
}

describe('the link between two members', { timeout: 30_000 }, () => {
  it('carries an exchange there whole, and its answer back in order', async () => {
    let seen: Exchange | undefined
    const { link } = await linked((exchange) => {
      seen = exchange
      exchange.setHeader('a', '1')
      exchange.sink.prime?.('s_1', 5)
      exchange.setHeader('too', 'late')
      exchange.sink.send('äöü\n', 's_2')
      exchange.sink.end('last', 's_3')
      exchange.reply(500)
    })
    const exchange = new NotedExchange('POST', 'b"\n'.repeat(100_000))
    link.carry(exchange)
    await exchange.over
    expect(exchange.notes).toEqual([
      ['header', 'a', '1'],
      ['prime', 's_1', 5],
      ['send', 'äöü\n', 's_2'],
      ['end', 'last', 's_3'],
    ])
    expect(seen).toMatchObject({ method: 'POST', url: 'http://h/mcp', body: exchange.body, sessionId: '0.x' })
    expect(seen?.credentials['authorization']).toEqual(['one', 'two'])
    expect(seen?.peer).toEqual(exchange.peer)
    expect([...(seen?.clientCertificate?.raw ?? [])]).toEqual([1, 2, 255])
    expect(link.size).toBe(0)
  })

  it('tells the other side when the client has gone', async () => {
    const gone = deferred()
    const arrived = deferred()
    const { link } = await linked((exchange) => {
      exchange.sink.onClose(() => gone.resolve(undefined))
      arrived.resolve(undefined)
    })
    const exchange = new NotedExchange()
    link.carry(exchange)
    await arrived.promise
    exchange.close()
    await gone.promise
    expect(link.size).toBe(0)
    expect(exchange.notes).toEqual([])
  })

  it('answers questions, and says what failed', async () => {
    const { link } = await linked(() => undefined)
    expect(await link.ask('what', { n: 1 })).toEqual({ question: 'what', argument: { n: 1 } })
    await expect(link.ask('fails', undefined)).rejects.toThrow('it failed')
  })

  it('answers 503 when nobody is there, and what it was asked with an error', async () => {
    const link = new Link('/nonexistent/0.sock', 's')
    const exchange = new NotedExchange()
    link.carry(exchange)
    await exchange.over
    expect(exchange.notes[0]).toEqual(['header', 'Retry-After', '1'])
    expect(exchange.notes[1]).toEqual(['reply', 503, expect.stringContaining('being restarted')])
    await expect(link.ask('what', 1)).rejects.toThrow('ended before it answered')
  })

  it('answers 502 when the other side ends with a POST under way, 503 for what can be asked again', async () => {
    const arrived: Exchange[] = []
    const { link, listening } = await linked((exchange) => void arrived.push(exchange))
    const [post, get, begun] = [new NotedExchange('POST'), new NotedExchange('GET'), new NotedExchange('POST')]
    for (const exchange of [post, get, begun]) link.carry(exchange)
    await link.ask('are they there', 1)
    arrived[2]?.sink.send('first')
    await link.ask('is it there', 1)
    await listening.close()
    await Promise.all([post.over, get.over, begun.over])
    expect(post.notes.at(-1)).toEqual(['reply', 502, expect.stringContaining('may have run')])
    expect(get.notes.at(-1)).toEqual(['reply', 503, expect.any(String)])
    expect(begun.notes).toEqual([
      ['send', 'first', undefined],
      ['end', undefined, undefined],
    ])
  })

  it('says nothing to whoever has another secret', async () => {
    const arrived: Exchange[] = []
    const { link } = await linked((exchange) => void arrived.push(exchange), 'wrong')
    const exchange = new NotedExchange('GET')
    link.carry(exchange)
    await exchange.over
    expect(arrived).toEqual([])
    expect(exchange.notes.at(-1)).toEqual(['reply', 503, expect.any(String)])
  })

  it('breaks the stream of an exchange whose server throws, and answers 500 before it began', async () => {
    const { link } = await linked((exchange) => {
      if (exchange.method === 'GET') exchange.sink.send('first')
      throw new Error('broken')
    })
    const [before, after] = [new NotedExchange('POST'), new NotedExchange('GET')]
    link.carry(before)
    link.carry(after)
    await Promise.all([before.over, after.over])
    expect(before.notes).toEqual([['reply', 500, expect.any(String)]])
    expect(after.notes).toEqual([
      ['send', 'first', undefined],
      ['end', undefined, undefined],
    ])
  })
})
