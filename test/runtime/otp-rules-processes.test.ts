/**
 * Rules of OTP's processes, servers, state machines and `sys` that no other file holds, named by the rule; see
 * docs/otp-rules.md. Where bough differs from OTP on purpose, the name says so.
 */
import { defineActor, hibernate, keep, type Ref, type Self, sys } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { play, stateOf } from './state-machine-support.ts'
import { createWorld, Worker, type World } from './support.ts'

/** Starts others, linked to itself, so that a test has a parent. */
const Parent = defineActor({
  name: 'parent',
  init: () => ({ seen: [] as unknown[] }),
  call: { start: (_state, log: string[], self) => self.start(Recorder, log) },
})

/** Traps exits and writes down what it is given. */
const Recorder = defineActor({
  name: 'recorder',
  trapExits: true,
  init: (log: string[]) => ({ log }),
  call: {
    echo: (_state, value: unknown) => value,
    bye: ({ log }, reason: unknown, self) => {
      log.push('handled')
      self.stop(reason)
      return 'reply'
    },
  },
  info: ({ log }, message) => {
    log.push(`info ${(message as { type?: string }).type ?? String(message)}`)
  },
  terminate: ({ log }, reason) => {
    log.push(`terminate ${String(reason)}`)
  },
})

async function family(sim: World) {
  const log: string[] = []
  const parent = await sim.start(Parent)
  const member = (await sim.run(parent.call('start', log))) as Ref<typeof Recorder>
  return { log, parent, member }
}

/** An actor with nothing but a state. */
const Bare = defineActor({ name: 'bare', init: () => 'state' })

describe('exit signals', () => {
  it('the EXIT of the parent ends a trapping process and never reaches info', async () => {
    const sim = createWorld()
    const { log, parent, member } = await family(sim)
    const down = member.down
    member.send('first')
    await sim.settle()
    parent.exit('kill')
    expect(await sim.run(down)).toBe('killed')
    expect(log).toEqual(['info first', 'terminate killed'])
  })

  it('the normal end of the parent ends a trapping child too, through terminate', async () => {
    const sim = createWorld()
    const { log, parent, member } = await family(sim)
    const down = member.down
    await sim.run(parent.stop())
    expect(await sim.run(down)).toBe('normal')
    expect(log).toEqual(['terminate normal'])
  })

  it('the normal end of the parent leaves a child that does not trap alive', async () => {
    const sim = createWorld()
    const Starter = defineActor({
      name: 'starter',
      init: () => 0,
      call: { start: (_state, _arg: undefined, self: Self<number>) => self.start(Bare) },
    })
    const starter = await sim.start(Starter)
    const bare = (await sim.run(starter.call('start'))) as Ref
    await sim.run(starter.stop())
    await sim.settle()
    expect(bare.alive).toBe(true)
  })

  it('the EXIT of the parent ends a suspended process', async () => {
    const sim = createWorld()
    const { log, parent, member } = await family(sim)
    await sim.run(sys.suspend(member))
    member.send('waits')
    const down = member.down
    parent.exit('boom')
    expect(await sim.run(down)).toBe('boom')
    expect(log).toEqual(['terminate boom'])
  })
})

describe('servers', () => {
  it('a cast or send to a dead process fails for nobody: it returns false', async () => {
    const sim = createWorld()
    const bare: Ref = await sim.start(Bare)
    expect([bare.cast('anything'), bare.send('anything')]).toEqual([true, true])
    await sim.run(bare.stop())
    expect([bare.cast('anything'), bare.send('anything')]).toEqual([false, false])
  })

  it('a call that stops is answered when terminate has run', async () => {
    const sim = createWorld()
    const log: string[] = []
    const recorder = await sim.start(Recorder, log)
    const reply = recorder.call('bye', 'normal').then((value) => log.push(String(value)))
    await sim.run(reply)
    expect(log).toEqual(['handled', 'terminate normal', 'reply'])
  })

  it('any value is a reply: there is no bad_return_value', async () => {
    const sim = createWorld()
    const recorder = await sim.start(Recorder, [])
    for (const value of [undefined, null, 'stop', { stop: 1 }, ['reply']])
      expect(await sim.run(recorder.call('echo', value))).toBe(value)
  })

  it('the event time-out of an actor is a length, not a moment: a moment less self.now() is one', async () => {
    const sim = createWorld()
    const Alarm = defineActor({
      name: 'alarm',
      init: (at: number, self: Self<never>) => {
        self.eventTimeout(at - self.now(), { due: at })
        return [] as unknown[]
      },
      info: (seen, message, self) => void seen.push(message, self.now()),
    })
    await sim.advance(40)
    const alarm = await sim.start(Alarm, 100)
    await sim.advance(1_000)
    expect(await sim.run(sys.getState(alarm))).toEqual([{ due: 100 }, 100])
  })

  it('a start that fails is no crash: no report but the StartError', async () => {
    const sim = createWorld()
    await expect(sim.start(Worker, { onStart: () => new Error('no') })).rejects.toMatchObject({ code: 'init' })
    expect(sim.events).toEqual([])
  })

  it('a missing info or cast handler is reported and harms nobody, where OTP crashes for the cast', async () => {
    const sim = createWorld()
    const bare: Ref = await sim.start(Bare)
    bare.send('hello')
    bare.cast('hello')
    await sim.settle()
    expect(sim.events).toMatchObject([
      { type: 'unexpected_message', op: undefined },
      { type: 'unexpected_message', op: 'hello' },
    ])
    expect(await sim.run(sys.getState(bare))).toBe('state')
  })

  it('a missing terminate or codeChange is no fault', async () => {
    const sim = createWorld()
    const bare = await sim.start(Bare)
    await sim.run(sys.suspend(bare))
    await sim.run(sys.changeCode(bare, defineActor({ name: 'bare', version: 2, init: () => 'new' })))
    await sim.run(sys.resume(bare))
    expect(await sim.run(sys.getState(bare))).toBe('state')
    await sim.run(bare.stop())
    expect(sim.events).toEqual([])
  })

  it('a crash report names message and state but no client, who learns the reason by itself', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, {}))!
    await expect(sim.run(worker.call('throw', 'boom'))).rejects.toMatchObject({ code: 'exit', reason: 'boom' })
    const [report] = sim.events
    expect(report).toMatchObject({ type: 'crash', lastMessage: { kind: 'call', op: 'throw' }, state: { received: [] } })
    expect(Object.keys(report!)).not.toContain('client')
  })

  it('the init time-out is the only one of a start: without the option it may take for ever', async () => {
    const sim = createWorld()
    const Slow = defineActor({
      name: 'slow',
      init: (_arg: undefined, self: Self<never>) =>
        new Promise<string>((resolve) => void self.system.timers.start(3_600_000, () => resolve('ready'))),
    })
    const slow = await sim.run(sim.system.start(Slow))
    expect(await sim.run(sys.getState(slow))).toBe('ready')
  })
})

describe('state machines', () => {
  it('the hibernate action leaves the machine as it is, and any event wakes it', async () => {
    const sim = createWorld()
    const { ref, log } = await play(sim, { rest: () => keep(hibernate()) }, { casts: ['rest', 'look'] })
    ref.send('again')
    await sim.settle()
    expect(log).toEqual(['rest in a', 'look in a', 'again in a'])
    expect(await stateOf(sim, ref)).toBe('a')
  })
})

describe('sys', () => {
  it('a replaceState that throws rejects with what was thrown, where OTP wraps it', async () => {
    const sim = createWorld()
    const bare = await sim.start(Bare)
    const thrown = new Error('not so')
    const refused = sys.replaceState(bare, () => {
      throw thrown
    })
    await expect(sim.run(refused)).rejects.toBe(thrown)
    expect(await sim.run(sys.getState(bare))).toBe('state')
  })

  it('every request runs out of time after 5 000 ms unless told otherwise', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, {}))!
    void worker.call('hang', undefined, { timeout: Number.POSITIVE_INFINITY }).catch(() => undefined)
    await sim.settle()
    const codes = [sys.getState(worker), sys.suspend(worker), sys.statistics(worker), sys.getStatus(worker)].map(
      (one) => one.catch((error: { code: string }) => error.code),
    )
    expect(await sim.run(Promise.all(codes))).toEqual(['timeout', 'timeout', 'timeout', 'timeout'])
    expect(sim.clock.now()).toBe(5_000)
  })

  it('a tracer is a function of messages and replies: there is no install that may change the state', async () => {
    const sim = createWorld()
    const recorder = await sim.start(Recorder, [])
    const seen: unknown[] = []
    await sim.run(
      sys.trace(recorder, (event) => {
        seen.push(event.type)
        return { log: ['other'] }
      }),
    )
    await sim.run(recorder.call('echo', 1))
    expect(seen).toEqual(['in', 'out'])
    expect(await sim.run(sys.getState(recorder))).toEqual({ log: [] })
  })
})
