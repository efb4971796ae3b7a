/** Kept answers and authorization: nobody is given what was made for somebody else, over HTTP in both eras. */
import { createServer, serve } from 'bough'
import { staticTokens } from 'bough/auth'
import { expect, it, onTestFinished } from 'vitest'
import { bearer, type Token, tokens } from './adversary-support.ts'
import { HttpClient } from './http-client.ts'
import { ModernHttp } from './modern-http-client.ts'

const readOnly = { readOnlyHint: true } as const

async function start() {
  const runs = { own: 0, all: 0, secret: 0 }
  const server = createServer({ name: 'fort', version: '1' })
    .tool('own', {
      annotations: readOnly,
      cache: { ttlMs: 600_000, scope: 'private' },
      run: (_args, ctx) => `${ctx.auth?.id} ${ctx.auth?.scopes.join()} ${++runs.own}`,
    })
    .tool('all', { annotations: readOnly, cache: { ttlMs: 600_000, scope: 'public' }, run: () => `all ${++runs.all}` })
    .tool('secret', {
      scopes: ['write'],
      annotations: readOnly,
      cache: { ttlMs: 600_000, scope: 'public' },
      run: () => `secret ${++runs.secret}`,
    })
  const app = await serve(server, { http: { port: 0 }, signals: false, logger: false, auth: staticTokens(tokens) })
  onTestFinished(() => app.stop())
  const call = async (token: Token, name: string): Promise<string | undefined> =>
    (await new ModernHttp(app.url, {}, bearer(token)).call(name)).result?.content?.[0]?.text
  return { app, runs, call }
}

it('a private answer is kept for its principal with the same scopes, whoever asked before', async () => {
  const { call } = await start()
  for (let round = 0; round < 2; round++) {
    expect(await call('token-of-ann', 'own')).toBe('ann write 1')
    expect(await call('token-of-bob', 'own')).toBe('bob write 2')
    expect(await call('token-of-ann-that-reads', 'own')).toBe('ann read 3')
  }
}, 30_000)

it('a private answer follows its principal over sessions, and no further', async () => {
  const { app } = await start()
  const own = async (token: Token): Promise<unknown> => {
    const client = await HttpClient.open(app.url, '2025-11-25', {}, bearer(token))
    return (await client.request('tools/call', { name: 'own' })).result?.content?.[0]?.text
  }
  expect([await own('token-of-ann'), await own('token-of-ann'), await own('token-of-bob')]).toEqual([
    'ann write 1',
    'ann write 1',
    'bob write 2',
  ])
}, 30_000)

it('a public answer is everybody’s, but not for callers who may not call the tool', async () => {
  const { app, call, runs } = await start()
  expect([await call('token-of-ann', 'all'), await call('token-of-bob', 'all')]).toEqual(['all 1', 'all 1'])
  expect(await call('token-of-ann', 'secret')).toBe('secret 1')
  const refused = await new ModernHttp(app.url, {}, bearer('token-of-ann-that-reads')).ask('tools/call', {
    name: 'secret',
    arguments: {},
  })
  expect(refused.status).toBe(403)
  expect(runs).toEqual({ own: 0, all: 1, secret: 1 })
}, 30_000)
