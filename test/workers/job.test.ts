/** A job on the pool: a function that runs once in a thread, with an answer, an error, or an end by force. */
import { CallError, createSystem, defineActor } from 'bough/runtime'
import { CloneError, runInThread, ThreadPool } from 'bough/workers'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { fixture, sharedCount, standsStill, until } from './support.ts'

let pool: ThreadPool
beforeAll(() => {
  pool = new ThreadPool({ threadsMax: 2 })
})
afterAll(() => pool.close())

const jobs = fixture('jobs.mjs')
const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => {
      throw new Error(`It resolved to ${String(value)}.`)
    },
    (error: unknown) => error,
  )

/** Counts in shared memory for ever. */
const loop = (shared: SharedArrayBuffer): void => {
  const counts = new Int32Array(shared)
  for (;;) Atomics.add(counts, 0, 1)
}

describe('runInThread', () => {
  it('runs a function as text, plain or asynchronous, and gives back what it returns', async () => {
    const twice = async (n: number): Promise<number> => n * 2
    const answer = runInThread(twice, 3, { pool })
    expectTypeOf(answer).resolves.toEqualTypeOf<number>()
    expect(await answer).toBe(6)
    const methods = {
      square(n: number) {
        return n * n
      },
    }
    expect(await runInThread(methods.square, 5, { pool })).toBe(25)
    // As text: the tests' own compiler would put something else in the place of an import.
    const job = new Function(
      'return import("node:worker_threads").then((found) => found.isMainThread)',
    ) as () => unknown
    const inThread = await runInThread(job, undefined, { pool })
    expect(inThread).toBe(false)
  })

  it('runs the default export of a module, or the one that is named', async () => {
    expect(await runInThread<string>(jobs, 'loud', { pool })).toBe('LOUD')
    expect(await runInThread<number>(jobs.href, [1, 2, 3], { pool, export: 'sum' })).toBe(6)
  })

  it('has a pool of the program for those who give none', async () => {
    expect(await runInThread((n: number) => n + 1, 1)).toBe(2)
  })

  it('rejects with what was thrown, with its code, cause and fields', async () => {
    const job = (): never => {
      throw Object.assign(new RangeError('too far', { cause: new Error('below') }), { code: 'E_FAR', at: { line: 3 } })
    }
    const error = await errorOf(runInThread(job, undefined, { pool }))
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ message: 'too far', code: 'E_FAR', at: { line: 3 }, cause: { message: 'below' } })
    const data = (): never => {
      throw { plain: true }
    }
    expect(await errorOf(runInThread(data, undefined, { pool }))).toEqual({ plain: true })
  })

  it('names what has no copy: in the argument, the result, and what was thrown', async () => {
    const noted = await errorOf(runInThread((arg: unknown) => arg, { list: [() => 1] }, { pool }))
    expect(noted).toBeInstanceOf(CloneError)
    expect(noted).toMatchObject({ path: 'arg.list[0]' })
    const result = await errorOf(runInThread(() => ({ run: () => 1 }), undefined, { pool }))
    expect(result).toMatchObject({ name: 'CloneError', path: 'result.run' })
    const thrown = (): never => {
      throw { run: () => 1 }
    }
    expect(await errorOf(runInThread(thrown, undefined, { pool }))).toMatchObject({
      name: 'CloneError',
      path: 'error.run',
    })
  })

  it.each([
    ['a name that the module lacks', jobs, { export: 'nothing' }, 'It exports: default, state, sum'],
    ['an export that is no function', jobs, { export: 'state' }, 'must export a function as "state", got string'],
    ['a module that is not there', fixture('missing.mjs'), {}, 'Cannot find module'],
    ['a relative address', './jobs.mjs', {}, "Write new URL('./file.js', import.meta.url)"],
    ['a time-out that is none', jobs, { timeout: -1 }, 'timeout must be a number of milliseconds >= 0'],
  ])('refuses %s in a sentence', async (_what, job, options, sentence) => {
    const error = await errorOf(runInThread(job, 'x', { pool, ...options }))
    expect((error as Error).message).toContain(sentence)
  })

  it('refuses a Ref: a job has no system around it', async () => {
    const system = createSystem()
    const ref = await system.start(defineActor({ name: 'some', init: () => ({}) }))
    const error = await errorOf(runInThread((arg: unknown) => arg, { ref }, { pool }))
    expect((error as Error).message).toContain('Use defineWorker')
    await system.stop()
  })

  it('refuses a function that has no text', async () => {
    expect(await errorOf(runInThread(Math.max as () => number, undefined, { pool }))).toMatchObject({
      message: expect.stringContaining('this one has none'),
    })
  })
})

describe('a job in a busy loop', () => {
  it('ends with its thread at the time-out, and the pool goes on', async () => {
    const count = sharedCount()
    const error = await errorOf(runInThread(loop, count.buffer, { pool, timeout: 300 }))
    expect(error).toBeInstanceOf(CallError)
    expect(error).toMatchObject({ code: 'timeout' })
    expect(await standsStill(count.value)).toBe(true)
    expect(await runInThread<string>(jobs, 'on', { pool })).toBe('ON')
  })

  it('ends when its signal is aborted, with the signal’s reason', async () => {
    const count = sharedCount()
    const abort = new AbortController()
    const failed = errorOf(runInThread(loop, count.buffer, { pool, signal: abort.signal }))
    await until('it loops', () => count.value() > 100)
    abort.abort(new Error('no longer wanted'))
    expect(await failed).toMatchObject({ message: 'no longer wanted' })
    expect(await standsStill(count.value)).toBe(true)
  })

  it('is not started when its signal was aborted before', async () => {
    const count = sharedCount()
    const failed = runInThread(loop, count.buffer, { pool, signal: AbortSignal.abort('before') })
    await expect(failed).rejects.toBe('before')
    expect(count.value()).toBe(0)
  })

  it('leaves no listener on a signal that lives on', async () => {
    const abort = new AbortController()
    let listeners = 0
    const { signal } = abort
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    await Promise.all(Array.from({ length: 10 }, () => runInThread<string>(jobs, 'x', { pool, signal })))
    expect(listeners).toBe(0)
  })

  it('may end its thread itself: that is an exit', async () => {
    const error = await errorOf(runInThread(() => process.exit(4), undefined, { pool }))
    expect(error).toMatchObject({ name: 'CallError', code: 'exit', reason: 'noconnection' })
  })

  it('is refused when the pool has as many waiting as it may', async () => {
    const small = new ThreadPool({ threadsMax: 1, queueMax: 1 })
    const count = sharedCount()
    const running = [1, 2, 3, 4, 5, 6].map(() =>
      errorOf(runInThread(loop, count.buffer, { pool: small, timeout: 500 })),
    )
    const codes = (await Promise.all(running)).map((error) => (error as CallError).code)
    expect(codes).toContain('overload')
    expect(codes.filter((code) => code === 'timeout').length).toBeGreaterThan(0)
    await small.close()
  })
})
