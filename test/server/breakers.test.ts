/** A breaker around a tool: it opens after failures in a row, answers at once while it is open, and closes with a success. */
import { createServer } from 'bough'
import { describe, expect, it } from 'vitest'
import { ModernClient } from './modern-client.ts'
import { world } from './support.ts'

type Mode = 'well' | 'throws' | 'hangs' | 'says no'

async function start(era: '2025-11-25' | '2026-07-28', breaker: object | true = { failures: 2, resetMs: 1_000 }) {
  const now = { mode: 'throws' as Mode, calls: 0 }
  const server = createServer({ name: 'breakers', version: '1' }).tool('flaky', {
    breaker,
    timeout: 100,
    run: () => {
      now.calls++
      if (now.mode === 'throws') throw new Error('down')
      if (now.mode === 'hangs') return new Promise<string>(() => undefined)
      return now.mode === 'well' ? 'fine' : { content: [{ type: 'text', text: 'no' }], isError: true }
    },
  })
  const w = await world(server)
  const client = era === '2025-11-25' ? await w.open() : new ModernClient(w)
  const call = async (): Promise<string> => {
    const { result } = await client.call('flaky')
    return `${result?.isError === true ? 'error: ' : ''}${result?.content[0].text}`
  }
  return { now, server, w, call }
}

describe.each(['2025-11-25', '2026-07-28'] as const)('a breaker around a tool, in %s', (era) => {
  it.each(['throws', 'hangs'] as const)(
    'opens when the tool %s too often, and says when it is tried again',
    async (mode) => {
      const { now, w, call } = await start(era)
      now.mode = mode
      for (let n = 0; n < 2; n++) expect(await call()).toMatch(/^error: /)
      expect(now.calls).toBe(2)
      await w.sim.settle()
      expect(await call()).toBe(
        'error: Tool "flaky" failed 2 times in a row and is not called now. It is tried again in 1 s; until then, go on without it.',
      )
      expect(now.calls).toBe(2)
      expect(w.app.metrics()['tool_calls_refused']).toMatchObject({ flaky: 1 })
      expect(w.events.filter(({ type }) => type === 'breaker')).toMatchObject([
        { tool: 'flaky', phase: 'open', failures: 2 },
      ])
    },
  )

  it('tries again after its time, closes with a success, and opens at once with another failure', async () => {
    const { now, w, call } = await start(era)
    for (let n = 0; n < 2; n++) await call()
    await w.sim.advance(1_000)
    expect(await call()).toContain('failed: down')
    await w.sim.settle()
    expect(await call()).toContain('not called now')
    now.mode = 'well'
    await w.sim.advance(1_000)
    expect(await call()).toBe('fine')
    await w.sim.settle()
    expect([await call(), await call()]).toEqual(['fine', 'fine'])
  })

  it('takes an error that the tool returns by itself for an answer', async () => {
    const { now, w, call } = await start(era)
    now.mode = 'says no'
    for (let n = 0; n < 5; n++) expect(await call()).toBe('error: no')
    await w.sim.settle()
    expect(now.calls).toBe(5)
  })
})

describe('a breaker', () => {
  it('begins anew with a tool that is defined anew', async () => {
    const { server, w, call } = await start('2025-11-25')
    for (let n = 0; n < 2; n++) await call()
    await w.sim.settle()
    expect(await call()).toContain('not called now')
    server.tool('flaky', { breaker: true, run: () => 'new' })
    await w.sim.settle()
    expect(await call()).toBe('new')
  })

  it('stays open when its process is killed', async () => {
    const { w, call } = await start('2025-11-25')
    for (let n = 0; n < 2; n++) await call()
    await w.sim.settle()
    const process = await w.process('flaky 1')
    process.exit('kill')
    await w.sim.settle()
    expect(await call()).toContain('not called now')
    await w.sim.advance(1_000)
    expect(await call()).toContain('failed: down')
  })

  it.each([
    [5, 'breaker must be true or { failures, resetMs, trials }'],
    [{ failures: 0 }, 'breaker.failures must be a whole number of at least 1'],
    [{ after: 1 }, 'breaker has the member "after"'],
  ])('refuses the option %j', (breaker, sentence) => {
    const server = createServer({ name: 'x', version: '1' })
    expect(() => server.tool('t', { breaker: breaker as never, run: () => 'x' })).toThrow(sentence)
  })
})
