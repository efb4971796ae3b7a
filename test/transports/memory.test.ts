import { describe, expect, it } from 'vitest'
import { type MemoryTransportOptions, memoryTransport } from '#transports/memory'
import type { Sink } from '#transports/port'

async function started(options: MemoryTransportOptions = {}) {
  const { transport, connect } = memoryTransport(options)
  const received: string[] = []
  const sinks: Sink[] = []
  let closedCount = 0
  const listening = await transport.listen({
    connection: (sink, peer) => {
      expect(peer).toEqual({ transport: 'memory' })
      sinks.push(sink)
      return { message: (text) => received.push(text), closed: () => (closedCount += 1) }
    },
    exchange: () => {},
  })
  return { transport, connect, received, sinks, listening, closedCount: () => closedCount }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('memory transport', () => {
  it('delivers both ways, in order, never inside the send', async () => {
    const { connect, received, sinks } = await started()
    const client = connect()
    const texts: string[] = []
    client.onMessage((text) => texts.push(text))
    for (const text of ['1', '2', '3']) {
      client.send(text)
      sinks[0]!.send(text)
    }
    expect([received, texts]).toEqual([[], []])
    await turn()
    expect([received, texts]).toEqual([
      ['1', '2', '3'],
      ['1', '2', '3'],
    ])
  })

  it('keeps the order under a schedule that runs its callbacks in any order', async () => {
    const scheduled: (() => void)[] = []
    const { connect, received } = await started({ schedule: (deliver) => scheduled.push(deliver) })
    const client = connect()
    for (const text of ['1', '2', '3']) client.send(text)
    for (const deliver of scheduled.reverse()) deliver()
    expect(received).toEqual(['1', '2', '3'])
  })

  it('keeps messages for a client that listens later', async () => {
    const { connect, sinks } = await started()
    const client = connect()
    sinks[0]!.send('early')
    await turn()
    const texts: string[] = []
    client.onMessage((text) => texts.push(text))
    await turn()
    expect(texts).toEqual(['early'])
  })

  it('tells the server once when the client closes, after what was sent before', async () => {
    const { connect, received, sinks, closedCount } = await started()
    const client = connect()
    let closes = 0
    sinks[0]!.onClose(() => (closes += 1))
    client.send('last')
    client.close()
    client.close()
    expect([client.send('late'), sinks[0]!.isOpen, sinks[0]!.send('late')]).toEqual([false, false, false])
    await turn()
    expect([received, closes, closedCount()]).toEqual([['last'], 1, 1])
  })

  it('tells the client when the server ends, after the last message, and not the sink that ended', async () => {
    const { connect, sinks, closedCount } = await started()
    const client = connect()
    const seen: string[] = []
    let closes = 0
    sinks[0]!.onClose(() => (closes += 1))
    client.onMessage((text) => seen.push(text))
    client.onClose(() => seen.push('closed'))
    expect(sinks[0]!.end('bye')).toBe(true)
    await turn()
    expect([seen, closes, closedCount(), client.isOpen]).toEqual([['bye', 'closed'], 0, 1, false])
  })

  it('closes a direction that is not drained once its bound is passed', async () => {
    const { connect, sinks, closedCount } = await started({ maxQueuedMessages: 2 })
    connect()
    expect([sinks[0]!.send('1'), sinks[0]!.send('2'), sinks[0]!.send('3')]).toEqual([true, true, false])
    await turn()
    expect([sinks[0]!.isOpen, closedCount()]).toEqual([false, 1])
  })

  it('refuses connections before listen and after stopAccepting; open ones go on until close', async () => {
    expect(() => memoryTransport().connect()).toThrow('nobody listens')
    const { transport, connect, received, listening } = await started()
    await expect(transport.listen({ connection: () => expect.unreachable(), exchange: () => {} })).rejects.toThrow(
      'listening already',
    )
    const client = connect()
    listening.stopAccepting()
    expect(() => connect()).toThrow('nobody listens')
    client.send('still here')
    await turn()
    expect(received).toEqual(['still here'])
    await listening.close()
    expect(client.isOpen).toBe(false)
  })
})
