import { describe, expect, it } from 'vitest'
import { memoryClientTransport } from '#transports/client-memory'
import { LinkError } from '#transports/client-port'
import { memoryTransport } from '#transports/memory'
import type { Acceptor, Sink } from '#transports/port'
import { notification, Remembering, request, result } from './client-harness.ts'

/** A memory transport that somebody listens on, delivering when it is told to. */
async function listening() {
  const steps: (() => void)[] = []
  const sinks: Sink[] = []
  const received: string[] = []
  let closedCount = 0
  const memory = memoryTransport({ schedule: (deliver) => steps.push(deliver), maxQueuedMessages: 3 })
  const acceptor: Acceptor = {
    connection: (sink) => {
      sinks.push(sink)
      return { message: (text) => received.push(text), closed: () => (closedCount += 1) }
    },
    exchange: () => expect.unreachable(),
  }
  const server = await memory.transport.listen(acceptor)
  const receiver = new Remembering()
  const link = await memoryClientTransport(memory).open(receiver)
  const settle = () => {
    for (let step = steps.shift(); step !== undefined; step = steps.shift()) step()
  }
  return { memory, server, receiver, link, sink: sinks[0]!, received, settle, closedCount: () => closedCount }
}

describe('a link in memory', () => {
  it('carries messages both ways, in order, when the schedule says so', async () => {
    const { link, receiver, received, sink, settle } = await listening()
    expect(link.send(request(1))).toBe(true)
    expect(link.send(notification())).toBe(true)
    expect(received).toEqual([])
    settle()
    expect(received).toEqual([request(1).text, notification().text])
    sink.send(result(1))
    sink.send(result(2))
    settle()
    expect(receiver.messages).toEqual([result(1), result(2)])
  })

  it('cannot be opened while nobody listens', async () => {
    const memory = memoryTransport()
    const error = await memoryClientTransport(memory)
      .open(new Remembering())
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(LinkError)
    expect((error as LinkError).failure).toMatchObject({ kind: 'refused', mayHaveRun: false })
  })

  it('is over when the server closes it, behind what was sent before', async () => {
    const { link, receiver, sink, settle } = await listening()
    sink.end(result(1))
    settle()
    expect(receiver.messages).toEqual([result(1)])
    expect(receiver.ends).toMatchObject([{ kind: 'broken', mayHaveRun: true }])
    expect(link.send(request(2))).toBe(false)
    await link.close()
    expect(receiver.ends).toHaveLength(1)
  })

  it('is over when this side closes it, and nothing comes any more', async () => {
    const { link, receiver, sink, settle, closedCount } = await listening()
    sink.send(result(1))
    await link.close()
    await link.close()
    settle()
    expect(receiver.messages).toEqual([])
    expect(receiver.ends).toMatchObject([{ kind: 'closed' }])
    expect(closedCount()).toBe(1)
    expect(link.send(request(2))).toBe(false)
  })

  it('is over when too much waits for the server', async () => {
    const { link, receiver, settle } = await listening()
    expect([1, 2, 3, 4].map((id) => link.send(request(id)))).toEqual([true, true, true, false])
    settle()
    expect(receiver.ends).toMatchObject([{ kind: 'broken' }])
  })
})
