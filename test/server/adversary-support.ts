/** A server that knows two people, of whom one has two tokens, and all that it tells of itself. */
import { inspect } from 'node:util'
import { createServer, type ServeOptions, type ServerEvent, serve } from 'bough'
import { type Authenticator, type StaticPrincipal, staticTokens } from 'bough/auth'
import { realClock } from 'bough/runtime'
import { onTestFinished } from 'vitest'
import { HttpClient } from './http-client.ts'
import { ModernHttp } from './modern-http-client.ts'
import { deferred } from './support.ts'

const TASKS = 'io.modelcontextprotocol/tasks'
export const capabilities = { elicitation: {}, extensions: { [TASKS]: {} } }

export const tokens = {
  'token-of-ann': { id: 'ann', scopes: ['write'] },
  'token-of-ann-that-reads': { id: 'ann', scopes: ['read'] },
  'token-of-bob': { id: 'bob', scopes: ['write'] },
} satisfies Record<string, StaticPrincipal>
export type Token = keyof typeof tokens

export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })
export const form = {
  message: 'Name?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
} as const
export const inputResponses = { q: { action: 'accept', content: { name: 'Ann' } } }

export async function start(
  auth: Authenticator | undefined = staticTokens(tokens),
  options: Partial<ServeOptions> = {},
) {
  const gate = deferred()
  const runs = { greet: 0, redeemed: 0 }
  const told: unknown[] = []
  const clock = { aheadMs: 0 }
  const tell =
    (level: string) =>
    (fields: object, message: string): void =>
      void told.push([level, fields, message])
  const server = createServer({ name: 'fort', version: '1' })
    .tool('whoami', { run: (_args, ctx) => ctx.auth?.id ?? 'nobody' })
    .tool('greet', {
      input: { type: 'object', properties: { to: { type: 'string' } } },
      run: async ({ to }, ctx) => {
        runs.greet++
        return `${to}: ${(await ctx.elicit(form, { key: 'q' })).content?.['name']}`
      },
    })
    .tool('other', {
      input: { type: 'object', properties: { to: { type: 'string' } } },
      run: async (_args, ctx) => (await ctx.elicit(form, { key: 'q' })).action,
    })
    .tool('redeem', {
      run: async (_args, ctx) => {
        await ctx.elicit(form, { key: 'q', once: true })
        runs.redeemed++
        return 'redeemed'
      },
    })
    .tool('twice', {
      run: async (_args, ctx) => {
        await ctx.elicit(form, { key: 'q', once: true })
        await ctx.elicit(form, { key: 'r', once: true })
        runs.redeemed++
        return 'redeemed'
      },
    })
    .tool('asks', { run: async (_args, ctx) => (await ctx.elicit(form)).action })
    .tool('erase', { scopes: ['write'], run: (_args, ctx) => `erased by ${ctx.auth?.id}` })
    .tool('throws', {
      run: (_args, ctx) => {
        throw new Error(`no luck for ${ctx.auth?.id}`)
      },
    })
    .tool('dies', {
      run: async (_args, ctx) => {
        await Promise.resolve()
        ctx.self.ref.exit(new Error('dead'))
        return new Promise(() => undefined)
      },
    })
    .tool('reveals', {
      run: (_args, ctx) => inspect({ auth: ctx.auth, meta: ctx.meta, client: ctx.client }, { depth: 9 }),
    })
    .tool('session', { run: (_args, ctx) => `${ctx.session?.id}` })
    .tool('job', { task: 'optional', run: () => gate.promise.then(() => 'secret of the job') })
    .prompt('greet', { get: async (_args, ctx) => (await ctx.elicit(form, { key: 'q' })).action })
    .resource('config://app', { read: () => 'x' })
  const app = await serve(server, {
    // Small, since the tests look through everything that a server holds.
    caching: { entries: 16, bytes: 65_536 },
    http: { port: 0 },
    signals: false,
    guard: false,
    drainMs: 200,
    clock: { ...clockOf(), wallNow: () => realClock.wallNow() + clock.aheadMs },
    logger: { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') },
    events: (event: ServerEvent) => told.push(event),
    ...(auth !== undefined && { auth }),
    ...options,
  })
  onTestFinished(() => app.stop())
  const modern = (token: Token) => new ModernHttp(app.url, { capabilities }, bearer(token))
  const legacy = (token: Token, offered: object = {}) => HttpClient.open(app.url, '2025-11-25', offered, bearer(token))
  return { app, server, runs, told, clock, modern, legacy, open: () => gate.resolve() }
}

/** The real clock as a plain object, so that one function of it can be replaced. */
function clockOf() {
  return {
    now: () => realClock.now(),
    setTimer: (fn: () => void, ms: number) => realClock.setTimer(fn, ms),
    clearTimer: (timer: unknown) => realClock.clearTimer(timer),
  }
}
