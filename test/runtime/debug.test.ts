import { defineActor, defineSupervisor, type Self, type StatusReport, sys, type TraceEvent } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { logEvents } from '#observability/event-log'
import { createLogger } from '#observability/logger'
import { Counter, codeOf, createWorld, Worker } from './support.ts'

describe('sys.log and sys.getLog', () => {
  it('keep the last messages in and replies out, the oldest first', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 0)
    expect(await sim.run(sys.getLog(counter))).toEqual([])
    await sim.run(sys.log(counter, 3))
    counter.cast('reset')
    await sim.run(counter.call('add', 2))
    await sim.advance(5)
    counter.send({ secret: 1 })
    await sim.settle()
    expect(await sim.run(sys.getLog(counter))).toEqual([
      { type: 'in', at: 0, message: { kind: 'call', op: 'add', arg: 2 } },
      { type: 'out', at: 0, op: 'add', reply: 2 },
      { type: 'in', at: 5, message: { kind: 'info', op: undefined, arg: { secret: 1 } } },
    ])
    await sim.run(sys.log(counter, false))
    await sim.run(counter.call('get'))
    expect(await sim.run(sys.getLog(counter))).toEqual([])
  })

  it.each([0, 1.5, -1, true])('a length of %s is refused', async (length) => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 0)
    expect(() => sys.log(counter, length as number)).toThrow(TypeError)
  })
})

describe('sys.trace', () => {
  it('tells each message before it is handled, DOWN and late replies too, and ends on false', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, { id: 'w' }))!
    const other = await sim.start(Counter, 0)
    const seen: TraceEvent[] = []
    await sim.run(sys.trace(worker, (event) => seen.push(event)))
    worker.cast('monitor', other)
    void worker.call('never').catch(() => undefined)
    await sim.settle()
    other.exit('kill')
    await sim.run(worker.call('id'))
    await sim.run(sys.getState(worker))
    expect(
      seen.map((event) => (event.type === 'in' ? `in ${event.message.kind} ${event.message.op}` : `out ${event.op}`)),
    ).toEqual(['in cast monitor', 'in call never', 'in info undefined', 'in call id', 'out id'])
    await sim.run(sys.trace(worker, false))
    await sim.run(worker.call('id'))
    expect(seen.length).toBe(5)
  })

  it('takes a tracer out that throws; the process does not notice', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 0)
    let calls = 0
    await sim.run(
      sys.trace(counter, () => {
        calls++
        throw new Error('bad tracer')
      }),
    )
    expect(await sim.run(counter.call('add', 1))).toBe(1)
    expect(await sim.run(counter.call('add', 1))).toBe(2)
    expect(calls).toBe(1)
    // @ts-expect-error: neither a function nor false
    expect(() => sys.trace(counter, 'yes')).toThrow(TypeError)
  })
})

describe('sys.statistics', () => {
  it('counts messages in and replies out from when it is turned on', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 0)
    await sim.run(counter.call('get'))
    expect(await sim.run(sys.statistics(counter))).toMatchObject({ startedAt: undefined, messagesIn: undefined })
    await sim.advance(10)
    expect(await sim.run(sys.statistics(counter, true))).toMatchObject({ messagesIn: 0, messagesOut: 0 })
    counter.cast('reset')
    await sim.run(counter.call('get'))
    await sim.run(sys.suspend(counter))
    counter.cast('reset')
    expect(await sim.run(sys.statistics(counter, { timeout: 100 }))).toEqual({
      startedAt: sim.clock.wallNow(),
      messagesIn: 2,
      messagesOut: 1,
      messagesHandled: expect.any(Number),
      queueLength: 1,
    })
    expect(await sim.run(sys.statistics(counter, false))).toMatchObject({
      startedAt: undefined,
      messagesOut: undefined,
    })
  })
})

describe('sys.terminate', () => {
  it('ends a process ahead of what waits, and a suspended one', async () => {
    const sim = createWorld()
    const log: string[] = []
    const worker = (await sim.start(Worker, { id: 'w', log }))!
    await sim.run(sys.suspend(worker))
    const waiting = codeOf(worker.call('id'))
    await sim.run(sys.terminate(worker, { shutdown: 'enough' }))
    expect(log).toEqual(['start w', 'end w {"shutdown":"enough"}'])
    expect(await sim.run(waiting)).toBe('CallError exit')
    expect(await codeOf(sys.terminate(worker, 'normal'))).toBe('CallError noproc')
  })

  it('says when it ended otherwise, or not in time', async () => {
    const sim = createWorld()
    const Bad = defineActor({
      name: 'bad',
      init: (_: undefined) => 0,
      terminate: () => {
        throw new Error('in terminate')
      },
    })
    const bad = await sim.start(Bad)
    await expect(sim.run(sys.terminate(bad, 'normal'))).rejects.toMatchObject({
      code: 'exit',
      reason: { message: 'in terminate' },
    })
    const slow = (await sim.start(Worker, { terminateMs: 100 }))!
    expect(await codeOf(sim.run(sys.terminate(slow, 'normal', { timeout: 10 })))).toBe('CallError timeout')
  })
})

describe('a crash report', () => {
  const Account = defineActor({
    name: 'account',
    init: (password: string) => ({ password, balance: 5 }),
    call: {
      spend: (_state, _card: string) => {
        throw new Error('overdrawn')
      },
    },
    formatStatus: ({ state, message }) => ({
      state: { ...state, password: '***' },
      message: message === undefined ? undefined : { ...message, arg: '***' },
    }),
  })

  it('holds the last message and the state', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, { id: 'w' }))!
    worker.cast('throw', 'a reason')
    await sim.settle()
    expect(sim.events).toMatchObject([
      { type: 'crash', lastMessage: { kind: 'cast', op: 'throw', arg: 'a reason' }, state: { id: 'w', received: [] } },
    ])
  })

  it('has no last message when no message was handled', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, { id: 'w' }))!
    worker.exit('a reason')
    expect(sim.events).toMatchObject([{ type: 'crash', message: undefined, lastMessage: undefined }])
  })

  it('shows what formatStatus lets through, and so does sys.getStatus', async () => {
    const sim = createWorld()
    const account = await sim.start(Account, 'sesame')
    expect(await sim.run(sys.getStatus(account))).toMatchObject({
      definition: 'account',
      state: { password: '***', balance: 5 },
    })
    await codeOf(sim.run(account.call('spend', '4711')))
    expect(sim.events).toMatchObject([
      {
        lastMessage: { kind: 'call', op: 'spend', arg: '***' },
        state: { password: '***' },
        reason: { message: 'overdrawn' },
      },
    ])
    expect(JSON.stringify(sim.events)).not.toMatch(/sesame|4711/)
  })

  it('shows nothing when formatStatus throws, and tells it the reason of a crash', async () => {
    const sim = createWorld()
    const reports: StatusReport<string>[] = []
    const Secretive = defineActor({
      name: 'secretive',
      init: (_: undefined, self: Self<never>) => {
        self.trapExits(true)
        return 'the secret'
      },
      info: () => {
        throw new Error('a bug')
      },
      formatStatus: (report) => {
        reports.push(report)
        throw new Error(`no ${String(report.state)}`)
      },
    })
    const secretive = await sim.start(Secretive)
    expect((await sim.run(sys.getStatus(secretive))).state).toBe('formatStatus failed: Error')
    secretive.send('x')
    await sim.settle()
    expect(sim.events).toMatchObject([
      { state: 'formatStatus failed: Error', lastMessage: 'formatStatus failed: Error' },
    ])
    expect(reports).toEqual([
      { state: 'the secret', message: undefined, reason: undefined },
      { state: 'the secret', message: { kind: 'info', op: undefined, arg: 'x' }, reason: new Error('a bug') },
    ])
  })

  it('leaves the state and the message out of the log', async () => {
    const sim = createWorld()
    const lines: string[] = []
    const report = logEvents(createLogger({ destination: { write: (line) => lines.push(line) } }))
    const worker = (await sim.start(Worker, { id: 'the state' }))!
    worker.cast('throw', new Error('a bug'))
    await sim.settle()
    const plain = (await sim.start(Counter, 0))!
    plain.exit('another reason')
    for (const event of sim.events) report(event)
    expect(lines.length).toBe(2)
    expect(lines.join()).toMatch(/a bug[\s\S]*another reason/)
    expect(lines.join()).not.toMatch(/the state|lastMessage|received|"state"/)
  })

  it('comes from supervisors too, without a hook', async () => {
    const sim = createWorld()
    const tree = await sim.start(defineSupervisor({ name: 'tree', children: [] }))
    expect((await sim.run(sys.getStatus(tree))).definition).toBe('tree')
  })
})
