/** Log lines as whoever reads them finds them: what they hold, what they never hold, which are written, and how many. */
import { createServer, serve } from 'bough'
import { createSimulation } from 'bough/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { attributed } from '#observability/attribution'
import { FloodGate, KINDS_MAX } from '#observability/flood-gate'
import { LogLevels, logLevels, logModules } from '#observability/log-levels'
import { createLogger, type LoggerOptions } from '#observability/logger'
import { DEPTH_MAX, ENTRIES_MAX, REDACTED, Redactor, TEXT_LENGTH_MAX, WITHHELD } from '#observability/redaction'

type Line = Readonly<Record<string, unknown>>

function loggerInto(options: LoggerOptions = {}) {
  const texts: string[] = []
  const logger = createLogger({ ...options, destination: { write: (text) => texts.push(text) } })
  return { logger, texts, lines: () => texts.map((text) => JSON.parse(text) as Line) }
}

describe('redaction', () => {
  const secrets: readonly (readonly [string, object])[] = [
    ['an authorization header', { headers: { authorization: 'hunter2' } }],
    ['one whose name is written otherwise', { headers: { 'Proxy-Authorization': 'hunter2' } }],
    ['cookies', { cookie: 'hunter2', 'Set-Cookie': ['hunter2'] }],
    ['tokens', { access_token: 'hunter2', refreshToken: 'hunter2', id_token: 'hunter2' }],
    ['a password deep inside', { a: { b: [{ passWord: 'hunter2' }] } }],
    ['an API key', { 'X-API-Key': 'hunter2', apiKey: 'hunter2' }],
    ['a bearer token in a text', { note: 'sent Bearer hunter2hunter2 along' }],
    ['a token in a URL', { url: 'https://x.test/cb?access_token=hunter2&state=1' }],
    ['a name and password in a URL', { url: 'postgres://ann:hunter2@db/x' }],
    ['a signed token in a text', { note: 'eyJhbGciOi.hunter2hunter2.hunter2' }],
    ['the message of an error', { err: new Error('password=hunter2 is wrong') }],
    ['the cause of an error', { err: new Error('no', { cause: new Error('token: hunter2') }) }],
    ['what an error carries', { err: Object.assign(new Error('no'), { headers: { authorization: 'hunter2' } }) }],
  ]
  it.each(secrets)('takes %s out', (_name, fields) => {
    const { logger, texts } = loggerInto()
    logger.info(fields, 'a line')
    expect(texts).toHaveLength(1)
    expect(texts[0]).not.toContain('hunter2')
    expect(texts[0]).toContain(REDACTED)
  })

  it('takes them out of the message too', () => {
    const { logger, texts } = loggerInto()
    logger.info({}, 'Authorization: Bearer hunter2hunter2')
    expect(texts[0]).not.toContain('hunter2')
  })

  it('never shows the values of arguments and results unless they are asked for', () => {
    const fields = { args: { city: 'Bonn' }, params: { a: 'Bonn' }, result: 'Bonn', lastMessage: ['Bonn'] }
    expect(new Redactor().fields(fields)).toEqual({
      args: WITHHELD,
      params: WITHHELD,
      result: WITHHELD,
      lastMessage: WITHHELD,
    })
    expect(new Redactor({ show: ['args'] }).fields(fields)).toMatchObject({ args: { city: 'Bonn' }, params: WITHHELD })
  })

  it('takes out what the author names, by key and by path', () => {
    const redactor = new Redactor({ keys: ['pin'], paths: ['user.email', 'users.*.email', 'list.*'] })
    expect(
      redactor.fields({
        PIN: 1,
        user: { email: 'a', name: 'b' },
        users: [{ email: 'a', name: 'b' }],
        list: ['a'],
        email: 'stays',
      }),
    ).toEqual({
      PIN: REDACTED,
      user: { email: REDACTED, name: 'b' },
      users: [{ email: REDACTED, name: 'b' }],
      list: [REDACTED],
      email: 'stays',
    })
  })

  it('makes plain data of a bounded size of anything', () => {
    const round: Record<string, unknown> = { text: 'x'.repeat(TEXT_LENGTH_MAX * 2), bytes: new Uint8Array(5), n: 5n }
    round['round'] = round
    round['many'] = Object.fromEntries(Array.from({ length: ENTRIES_MAX * 2 }, (_, at) => [`k${at}`, at]))
    Object.defineProperty(round, 'trap', {
      enumerable: true,
      get: () => {
        throw new Error('no')
      },
    })
    const plain = new Redactor().fields(round)
    expect(plain).toMatchObject({ bytes: '(5 bytes)', n: '5', trap: '(a getter that throws)' })
    expect(String(plain['text']).length).toBeLessThan(TEXT_LENGTH_MAX + 10)
    expect(Object.keys(plain['many'] as object)).toHaveLength(ENTRIES_MAX + 1)
    let depth = 0
    for (let at: unknown = plain; typeof at === 'object' && at !== null; at = (at as Line)['round']) depth++
    expect(depth).toBeLessThanOrEqual(DEPTH_MAX + 1)
    expect(() => JSON.stringify(plain)).not.toThrow()
  })
})

describe('levels', () => {
  it('are those of the module, and change while the program runs', () => {
    const { logger, lines } = loggerInto()
    logger.debug({ module: 'sessions' }, 'too quiet')
    logger.levels.set('sessions', 'debug')
    logger.debug({ module: 'sessions' }, 'heard')
    logger.debug({ module: 'store' }, 'still too quiet')
    logger.levels.set('all', 'error')
    logger.warn({ module: 'sessions' }, 'too quiet again')
    logger.levels.set('all', 'silent')
    logger.error({}, 'nothing at all')
    expect(lines().map(({ msg }) => msg)).toEqual(['heard'])
  })

  it.each(logModules.flatMap((module) => logLevels.map((level) => [module, level] as const)))(
    'of %s at %s let through what is as severe, and no less',
    (module, level) => {
      const levels = new LogLevels('info')
      levels.set(module, level)
      const passing = (['debug', 'info', 'warn', 'error'] as const).filter((line) => levels.allows(module, line))
      expect(passing).toEqual(logLevels.slice(logLevels.indexOf(level), -1))
    },
  )

  it('that there are not, and modules, are refused by name', () => {
    const { logger } = loggerInto()
    expect(() => logger.levels.set('all', 'loud' as 'info')).toThrow('There is no log level "loud"')
    expect(() => logger.levels.set('cellar' as 'app', 'info')).toThrow('There is no log module "cellar"')
  })
})

describe('floods', () => {
  it('are cut to a number of lines of one kind a second, and told of', async () => {
    const sim = createSimulation({ seed: 1 })
    const { logger, lines } = loggerInto({ linesPerSecondMax: 3, clock: sim.system.clock })
    for (let at = 0; at < 100; at++) logger.warn({ event: 'rain', module: 'store', at }, 'It rains')
    logger.warn({ event: 'snow', module: 'store' }, 'It snows')
    expect(lines().map(({ event }) => event)).toEqual(['rain', 'rain', 'rain', 'snow'])
    await sim.advance(1_000)
    expect(lines().at(-1)).toMatchObject({ event: 'log_lines_left_out', kind: 'rain', module: 'store', count: 97 })
    logger.warn({ event: 'rain', module: 'store' }, 'It rains')
    await sim.advance(1_000)
    expect(lines()).toHaveLength(6)
  })

  it('of endless kinds share the bound', () => {
    const sim = createSimulation({ seed: 1 })
    const told: string[] = []
    const gate = new FloodGate(sim.system.clock, 1, (kind, count) => told.push(`${kind} ${count}`))
    const passed = Array.from({ length: KINDS_MAX * 3 }, (_, at) => gate.passes(`kind ${at}`)).filter(Boolean)
    expect(passed).toHaveLength(KINDS_MAX + 1)
    gate.flush()
    expect(told).toEqual([`(other kinds) ${KINDS_MAX * 2 - 1}`])
  })

  it('must have a bound that makes sense', () => {
    expect(() => createLogger({ linesPerSecondMax: 0 })).toThrow('linesPerSecondMax must be a whole number')
  })
})

describe('ids', () => {
  it('of session, request, process and trace are on lines that are written while a tool runs', () => {
    const { logger, lines } = loggerInto()
    const origin = {
      kind: 'tool' as const,
      name: 'search',
      sessionId: 's1',
      requestId: 7,
      pid: 'x.1',
      trace: () => 'abc',
      strayed: () => undefined,
    }
    attributed(origin, () => logger.info({ found: 3 }, 'Searched'))
    expect(lines()[0]).toMatchObject({
      module: 'app',
      tool: 'search',
      session: 's1',
      request: 7,
      process: 'x.1',
      trace: 'abc',
      found: 3,
    })
  })

  it('are on the line of a failed tool, beside the pid of the program', async () => {
    const { logger, lines } = loggerInto()
    const server = createServer({ name: 'a', version: '1' })
    server.tool('fails', {
      run: () => {
        throw new Error('a bug')
      },
    })
    const app = await serve(server, { http: { port: 0 }, logger, signals: false })
    onTestFinished(() => app.stop())
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
      traceparent,
    }
    const body = { jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'fails', arguments: {}, _meta: meta } }
    const answer = await fetch(app.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'fails',
      },
      body: JSON.stringify(body),
    })
    expect(await answer.json()).toMatchObject({ result: { isError: true } })
    const line = lines().find(({ event }) => event === 'feature_failed')
    expect(line).toMatchObject({
      module: 'requests',
      request: 5,
      trace: '0af7651916cd43dd8448eb211c80319c',
      err: { message: 'a bug' },
      pid: process.pid,
    })
    expect(line?.['process']).toMatch(/^\S+\.\d+$/)
    app.setLogLevel('requests', 'silent')
    await fetch(app.url, { method: 'POST', body: JSON.stringify(body) })
    expect(lines().filter(({ event }) => event === 'feature_failed')).toHaveLength(1)
  })

  it('leave a logger of the caller in charge of its own level', async () => {
    const told: string[] = []
    const tell = (level: string) => (fields: object, message: string) =>
      void told.push(`${level} ${(fields as Line)['module']} ${message}`)
    const logger = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') }
    const app = await serve(createServer({ name: 'a', version: '1' }), { http: { port: 0 }, logger, signals: false })
    await app.stop()
    expect(told[0]).toMatch(/^info transports Listening on http/)
    expect(told.join()).toContain('info transports Draining http')
  })
})
