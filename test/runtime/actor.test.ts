import { CallError, defineActor, type From, type Self } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { Counter, codeOf, createWorld, Worker } from './support.ts'

describe('call', () => {
  it('rejects with noproc when the target is dead', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 0)
    await sim.run(counter.stop())
    expect(await codeOf(counter.call('get'))).toBe('CallError noproc')
    expect(await codeOf(counter.stop())).toBe('CallError noproc')
    expect(counter.cast('reset')).toBe(false)
    expect(counter.send('x')).toBe(false)
    expect(await counter.down).toBe('noproc')
    expect(counter.info()).toBeUndefined()
  })

  it('rejects with timeout after 5 000 ms by default; the server still does the work and its late reply is dropped', async () => {
    const sim = createWorld()
    const Late = defineActor({
      name: 'late',
      init: () => ({ done: 0 }),
      call: {
        work: async (state, ms: number, self) => {
          await new Promise<void>((resolve) => self.system.timers.start(ms, resolve))
          return ++state.done
        },
        done: (state) => state.done,
      },
    })
    const late = await sim.start(Late)
    expect(await codeOf(sim.run(late.call('work', 6_000)))).toBe('CallError timeout')
    expect(sim.clock.now()).toBe(5_000)
    expect(await sim.run(late.call('done', undefined, { timeout: Number.POSITIVE_INFINITY }))).toBe(1)
    expect(sim.clock.now()).toBe(6_000)
    expect(await codeOf(sim.run(late.call('work', 20, { timeout: 10 })))).toBe('CallError timeout')
    expect(sim.system.timers.size).toBe(1)
    await sim.advance(10)
    expect(sim.system.timers.size).toBe(0)
  })

  it('cancels its timer with the reply', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 0)
    await sim.run(counter.call('get'))
    expect(sim.system.timers.size).toBe(0)
  })

  it('throws for a timeout that is no number of milliseconds', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 0)
    expect(() => counter.call('get', undefined, { timeout: -1 })).toThrow('timeout must be a number')
    expect(() => counter.call('get', undefined, { timeout: Number.NaN })).toThrow('got NaN')
  })

  it('rejects with undef for an operation that the definition lacks, and harms nobody', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 3)
    for (const op of ['nothing', 'toString', '__proto__']) {
      expect(await codeOf(sim.run(counter.call(op as 'get')))).toBe('CallError undef')
    }
    counter.cast('nothing' as 'reset')
    counter.send('nobody listens')
    expect(await sim.run(counter.call('get'))).toBe(3)
    expect(sim.events.map((event) => event.type)).toEqual(['unexpected_message', 'unexpected_message'])
  })

  it('rejects with calling_self when it is made in the own handler', async () => {
    const sim = createWorld()
    const Selfish = defineActor({
      name: 'selfish',
      init: () => 0,
      call: {
        ask: (_state, _arg: undefined, self) => codeOf(self.ref.call('ask')),
      },
    })
    const selfish = await sim.start(Selfish)
    expect(await sim.run(selfish.call('ask'))).toBe('CallError calling_self')
  })

  it('may be answered later, from anywhere, once', async () => {
    const sim = createWorld()
    const kept: From[] = []
    const Later = defineActor({
      name: 'later',
      init: () => 0,
      call: {
        wait: (_state, _arg: undefined, self) => {
          kept.push(self.from)
          return self.noreply
        },
        waitAsync: async (_state, _arg: undefined, self) => {
          await Promise.resolve()
          kept.push(self.from)
          return self.noreply
        },
      },
    })
    const later = await sim.start(Later)
    const first = later.call('wait')
    const second = later.call('waitAsync')
    await sim.settle()
    expect(kept[1]?.reply('second')).toBe(true)
    expect(kept[0]?.reply('first')).toBe(true)
    expect(kept[0]?.reply('again')).toBe(false)
    expect(await sim.run(Promise.all([first, second]))).toEqual(['first', 'second'])
  })

  it('that a handler answers early keeps that answer', async () => {
    const sim = createWorld()
    const Early = defineActor({
      name: 'early',
      init: () => 0,
      call: {
        ask: (_state, _arg: undefined, self) => {
          self.from.reply('early')
          return 'returned'
        },
      },
    })
    const early = await sim.start(Early)
    expect(await sim.run(early.call('ask'))).toBe('early')
  })

  it('waiting for a deferred reply rejects with exit and the reason when the process ends', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, {}))!
    const waiting = worker.call('never', undefined)
    const queued = worker.call('never', undefined)
    await sim.settle()
    worker.exit('boom')
    for (const outcome of await sim.run(Promise.allSettled([waiting, queued])))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'exit', reason: 'boom' } })
    expect(sim.system.timers.size).toBe(0)
  })

  it('still queued when its target ends rejects with exit', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, {}))!
    worker.cast('stop', 'normal')
    await expect(sim.run(worker.call('id'))).rejects.toMatchObject({ code: 'exit', reason: 'normal' })
  })

  it('self.from outside a call throws', async () => {
    const sim = createWorld()
    let said = ''
    const Curious = defineActor({
      name: 'curious',
      init: () => 0,
      info: (_state, _message, self) => {
        try {
          self.from.reply(1)
        } catch (error) {
          said = (error as Error).message
        }
      },
    })
    const curious = await sim.start(Curious)
    curious.send('x')
    await sim.settle()
    expect(said).toContain('self.from exists only while a call is handled')
  })
})

describe('a handler', () => {
  it('may replace the state whole', async () => {
    const sim = createWorld()
    const Box = defineActor({
      name: 'box',
      init: () => ({ value: 'old' }),
      call: { get: (state) => state.value },
      cast: {
        put: (_state, value: string, self) => {
          self.state = { value }
        },
      },
    })
    const box = await sim.start(Box)
    box.cast('put', 'new')
    expect(await sim.run(box.call('get'))).toBe('new')
  })

  it('that waits for a promise holds later messages back', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 0)
    const first = counter.call('addLater', 1)
    const second = counter.call('add', 10)
    expect(await sim.run(Promise.all([first, second]))).toEqual([1, 11])
  })

  it('runs continue before anything that waits, in order, and may chain', async () => {
    const sim = createWorld()
    const Chain = defineActor({
      name: 'chain',
      init: (_arg: undefined, self: Self<never>) => {
        self.ref.send('queued in init')
        self.continueWith('one', 1)
        return { seen: [] as unknown[] }
      },
      continue: {
        one: (state, arg: number, self) => {
          state.seen.push(`one ${arg}`)
          self.continueWith('two')
          self.continueWith('three')
        },
        two: (state) => {
          state.seen.push('two')
        },
        three: (state) => {
          state.seen.push('three')
        },
      },
      call: { seen: (state) => state.seen },
      info: (state, message) => {
        state.seen.push(message)
      },
    })
    const chain = await sim.start(Chain)
    expect(await sim.run(chain.call('seen'))).toEqual(['one 1', 'two', 'three', 'queued in init'])
  })

  it('that continues with an operation that is not there ends the process', async () => {
    const sim = createWorld()
    const Lost = defineActor({
      name: 'lost',
      init: (_arg: undefined, self: Self<never>) => {
        self.continueWith('nowhere')
        return 0
      },
    })
    const lost = await sim.start(Lost)
    const reason = await sim.run(lost.down)
    expect(['noproc', 'undef']).toContain(reason instanceof CallError ? reason.code : reason)
    expect(lost.alive).toBe(false)
  })

  it('gets the messages of its timers, which can be cancelled and go with the process', async () => {
    const sim = createWorld()
    let kept: Self<unknown[]> | undefined
    const Alarm = defineActor({
      name: 'alarm',
      init: (_arg: undefined, self: Self<never>) => {
        kept = self as unknown as Self<unknown[]>
        return [] as unknown[]
      },
      info: (state, message) => {
        state.push(message)
      },
      call: { seen: (state) => state },
    })
    const alarm = await sim.start(Alarm)
    kept?.sendAfter(20, 'b')
    kept?.sendAfter(10, 'a')
    const cancelled = kept!.sendAfter(15, 'never')
    expect(kept?.cancelTimer(cancelled)).toBe(true)
    expect(kept?.cancelTimer(cancelled)).toBe(false)
    expect(() => kept?.sendAfter(Number.NaN, 'never')).toThrow('A delay must be a number')
    await sim.advance(20)
    expect(await sim.run(alarm.call('seen'))).toEqual(['a', 'b'])
    kept?.sendAfter(1_000, 'never')
    alarm.exit('kill')
    expect(sim.system.timers.size).toBe(0)
  })

  it('sees the signal aborted with the reason when its incarnation ends', async () => {
    const sim = createWorld()
    let signal: AbortSignal | undefined
    const Signalled = defineActor({
      name: 'signalled',
      init: (_arg: undefined, self: Self<never>) => {
        signal = self.signal
        return 0
      },
    })
    const ref = await sim.start(Signalled)
    expect(signal?.aborted).toBe(false)
    ref.exit('boom')
    expect(signal?.aborted).toBe(true)
    expect(signal?.reason).toBe('boom')
  })

  it('that still runs when its process is killed changes nothing any more', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, {}))!
    const pending = worker.call('hang')
    await sim.settle()
    worker.exit('kill')
    await expect(sim.run(pending)).rejects.toMatchObject({ code: 'exit', reason: 'killed' })
    expect(sim.system.processCount).toBe(0)
  })
})

describe('hibernate', () => {
  it('gives the mailbox back and the next message still arrives', async () => {
    const sim = createWorld()
    const Sleeper = defineActor({
      name: 'sleeper',
      init: () => ({ woken: 0 }),
      info: (state, _message, self) => {
        state.woken++
        self.hibernate()
      },
      call: { woken: (state) => state.woken },
    })
    const sleeper = await sim.start(Sleeper)
    sleeper.send(1)
    sleeper.send(2)
    await sim.settle()
    sleeper.send(3)
    expect(await sim.run(sleeper.call('woken'))).toBe(3)
  })
})

describe('defineActor', () => {
  it('refuses what is no actor, naming the value that came', () => {
    const init = (): number => 0
    expect(() => defineActor({ name: '', init })).toThrow('name must be a non-empty string')
    expect(() => defineActor({ name: 'x', version: 1.5, init })).toThrow('version must be a whole number, got 1.5')
    expect(() => defineActor({ name: 'x', init: undefined as unknown as typeof init })).toThrow(
      'init must be a function, got undefined',
    )
    expect(() => defineActor({ name: 'x', init, call: { op: 3 as unknown as () => 1 } })).toThrow(
      'call.op must be a function, got number',
    )
  })
})
