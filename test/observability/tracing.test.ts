/** Spans as an SDK in memory gets them: which there are, whose children, linked to what, and what they do not say. */
import { Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect as connectTo } from 'node:net'
import {
  type Attributes,
  context,
  metrics as metricsApi,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { type App, createServer, type ServeOptions, type Server, serve } from 'bough'
import { type Client, connect } from 'bough/client'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Telemetry } from '#observability/telemetry'
import { Tracing } from '#observability/tracing'
import { baggageOf, baggageText, carrierOf, spanContextOf } from '#observability/w3c'

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const OTHER = '00-11111111111111111111111111111111-2222222222222222-01'
const seed = Number(process.env['BOUGH_SEED'] ?? 42)

const exporter = new InMemorySpanExporter()

beforeEach(() => {
  exporter.reset()
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  onTestFinished(() => {
    trace.disable()
    context.disable()
    propagation.disable()
    metricsApi.disable()
  })
})

const spans = (): ReadableSpan[] => exporter.getFinishedSpans()

/** The span of that name, once it has ended. */
async function span(name: string, kind?: SpanKind): Promise<ReadableSpan> {
  const found = (): ReadableSpan | undefined =>
    spans().find((one) => one.name === name && (kind === undefined || one.kind === kind))
  await expect.poll(found, { timeout: 20_000, message: `no span ${name}` }).toBeDefined()
  return found()!
}

const idOf = (one: ReadableSpan): string => one.spanContext().spanId

async function start(server: Server, options: Partial<ServeOptions> = {}): Promise<App> {
  const app = await serve(server, { http: { port: 0 }, logger: false, signals: false, guard: false, ...options })
  onTestFinished(() => app.stop())
  return app
}

async function client(app: App, era: 'legacy' | 'modern', more: object = {}): Promise<Client> {
  const one = await connect(app.url, { name: 'c', version: '1', era, ...more })
  onTestFinished(() => one.close())
  return one
}

/** Gives every HTTP request of this program a span while the test runs, as what instruments node:http does. */
function instrumentHttp(): void {
  type Emit = (this: HttpServer, ...told: unknown[]) => boolean
  const emit = HttpServer.prototype.emit as Emit
  const instrumented: Emit = function (this: HttpServer, ...told): boolean {
    if (told[0] !== 'request') return emit.apply(this, told)
    const [, request, response] = told as [string, IncomingMessage, ServerResponse]
    const own = trace.getTracer('http').startSpan(`http ${request.headers['x-caller']}`, { kind: SpanKind.SERVER })
    const within = trace.setSpan(context.active(), own)
    context.bind(within, request)
    context.bind(within, response).on('finish', () => own.end())
    return context.with(within, () => emit.apply(this, told))
  }
  HttpServer.prototype.emit = instrumented as typeof HttpServer.prototype.emit
  onTestFinished(() => {
    HttpServer.prototype.emit = emit as typeof HttpServer.prototype.emit
  })
}

function someServer(): Server {
  const server = createServer({ name: 'traced', version: '1' })
  server.tool('search', {
    run: () => {
      trace.getTracer('author').startSpan('inside').end()
      return 'found'
    },
  })
  server.tool('fails', {
    run: () => {
      throw new Error('the secret word is swordfish')
    },
  })
  server.tool('hangs', { timeout: 50, run: () => new Promise(() => undefined) })
  server.tool('asks', {
    run: async (_args, ctx) => {
      const { action } = await ctx.elicit({ message: 'Sure?', requestedSchema: { type: 'object', properties: {} } })
      return action
    },
  })
  server.tool('long', { task: 'required', run: () => 'at last' })
  server.resource('db://user:swordfish@host/rows?key=swordfish', { name: 'rows', read: () => 'rows' })
  return server
}

describe.each(['legacy', 'modern'] as const)('a call of the %s era', (era) => {
  it('is one trace from the client to the tool and what the tool does', async () => {
    const one = await client(await start(someServer()), era)
    await one.callTool('search', { word: 'swordfish' })
    const outer = await span('tools/call search', SpanKind.CLIENT)
    const inner = await span('tools/call search', SpanKind.SERVER)
    const tool = await span('execute_tool search')
    const author = await span('inside')
    expect([inner, tool, author].map((child) => child.parentSpanContext?.spanId)).toEqual(
      [outer, inner, tool].map(idOf),
    )
    expect(new Set([outer, inner, tool, author].map((each) => each.spanContext().traceId)).size).toBe(1)
    expect(inner.attributes).toMatchObject({
      'mcp.method.name': 'tools/call',
      'mcp.protocol.version': era === 'legacy' ? '2025-11-25' : '2026-07-28',
      'gen_ai.tool.name': 'search',
      'gen_ai.operation.name': 'execute_tool',
      'jsonrpc.request.id': expect.any(String) as string,
    })
    expect('mcp.session.id' in inner.attributes).toBe(era === 'legacy')
    expect(outer.attributes).toMatchObject({ 'network.transport': 'tcp', 'network.protocol.name': 'http' })
    expect(inner.status.code).toBe(SpanStatusCode.UNSET)
  })

  it.each([
    ['a tool that throws', 'fails', 'tool_error'],
    ['a tool that hangs', 'hangs', 'timeout'],
    ['a tool that nobody has', 'nobody', '-32602'],
  ])('of %s says which class of error it was, and nothing else', async (_what, name, errorType) => {
    const one = await client(await start(someServer()), era)
    await one.callTool(name, { word: 'swordfish' }).catch(() => undefined)
    const inner = await span(`tools/call ${name}`, SpanKind.SERVER)
    expect(inner.attributes['error.type']).toBe(errorType)
    expect(inner.status).toEqual({ code: SpanStatusCode.ERROR })
    const said = JSON.stringify(
      spans().map(({ name: own, attributes, events, status }) => [own, attributes, events, status]),
    )
    expect(said).not.toContain('swordfish')
  })

  it('asks its client within the same trace', async () => {
    const handlers = { elicitation: () => ({ action: 'accept', content: {} }) }
    const one = await client(await start(someServer()), era, { handlers })
    await one.callTool('asks')
    const question = await span('elicitation/create', SpanKind.CLIENT)
    expect((await span('execute_tool asks')).spanContext().traceId).toBe(question.spanContext().traceId)
    const answer = await span('elicitation/create', SpanKind.SERVER)
    // A question of the modern era is part of a result, and carries no context of its own.
    if (era === 'legacy') expect(answer.parentSpanContext?.spanId).toBe(idOf(question))
  })

  it('that becomes a task is linked to by the run', async () => {
    const one = await client(await start(someServer()), era)
    await (await one.callToolAsTask('long')).result()
    const created = await span('tools/call long', SpanKind.SERVER)
    const run = await span('task long')
    expect(run.parentSpanContext).toBeUndefined()
    expect(run.spanContext().traceId).not.toBe(created.spanContext().traceId)
    expect(run.links.map(({ context: linked }) => linked.spanId)).toEqual([idOf(created)])
  })

  it('shows no secrets of a URI', async () => {
    const one = await client(await start(someServer()), era)
    await one.readResource('db://user:swordfish@host/rows?key=swordfish')
    const read = await span('resources/read', SpanKind.SERVER)
    expect(read.attributes['mcp.resource.uri']).toBe('db://host/rows')
  })

  it('may belong to a trace of the caller’s choice', async () => {
    const one = await client(await start(someServer()), era)
    await one.callTool('search', {}, { meta: { traceparent: PARENT, tracestate: 'a=1' } })
    const inner = await span('tools/call search', SpanKind.SERVER)
    expect(inner.parentSpanContext).toMatchObject({ traceId: TRACE, spanId: 'b7ad6b7169203331', isRemote: true })
    expect(inner.spanContext().traceState?.serialize()).toBe('a=1')
  })
})

describe('the context of an HTTP request', () => {
  async function post(app: App, headers: Record<string, string>, meta: object): Promise<void> {
    await fetch(app.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/list',
        ...headers,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/list',
        params: {
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
            'io.modelcontextprotocol/clientCapabilities': {},
            ...meta,
          },
        },
      }),
    })
  }

  it('is the parent where the message names none', async () => {
    await post(await start(someServer()), { traceparent: PARENT }, {})
    const list = await span('tools/list')
    expect([list.parentSpanContext?.spanId, list.links]).toEqual(['b7ad6b7169203331', []])
  })

  it('is linked where the message names another', async () => {
    await post(await start(someServer()), { traceparent: OTHER }, { traceparent: PARENT })
    const list = await span('tools/list')
    expect(list.parentSpanContext?.traceId).toBe(TRACE)
    expect(list.links.map(({ context: linked }) => linked.spanId)).toEqual(['2222222222222222'])
  })
})

describe('without an SDK', () => {
  it('nothing is traced, and tracing begins when one is registered', () => {
    trace.disable()
    const telemetry = new Telemetry()
    expect(telemetry.isTracing).toBe(false)
    const watch = telemetry.begin('ping', {}, 'legacy', 0)
    watch.trace({ method: 'ping' })
    expect([watch.isTraced, watch.traceparent, watch.run(() => 7)]).toEqual([false, undefined, 7])
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
    telemetry.begin('ping', {}, 'legacy', 500)
    expect(telemetry.isTracing).toBe(false)
    telemetry.begin('ping', {}, 'legacy', 1_000)
    expect(telemetry.isTracing).toBe(true)
    trace.disable()
    telemetry.begin('ping', {}, 'legacy', 2_000)
    expect(telemetry.isTracing).toBe(false)
  })

  it('a client adds nothing to what it sends', async () => {
    trace.disable()
    let seen: unknown
    const server = createServer({ name: 'x', version: '1' })
    server.tool('meta', { run: (_args, ctx) => void (seen = ctx.meta['traceparent']) })
    const one = await client(await start(server), 'modern')
    await one.callTool('meta')
    expect(seen).toBeUndefined()
  })
})

describe('baggage', () => {
  it('comes in with the message, and leaves only where the program propagates it', async () => {
    const seen: unknown[] = []
    const server = createServer({ name: 'x', version: '1' })
    server.tool('bag', {
      run: (_args, ctx) => {
        seen.push(propagation.getActiveBaggage()?.getEntry('user')?.value, ctx.meta['baggage'])
        return 'ok'
      },
    })
    const one = await client(await start(server), 'modern')
    await one.callTool('bag', {}, { meta: { baggage: 'user=ann%20b;secret' } })
    const bag = propagation.setBaggage(context.active(), propagation.createBaggage({ user: { value: 'bob' } }))
    await context.with(bag, () => one.callTool('bag'))
    propagation.setGlobalPropagator({
      inject: () => undefined,
      extract: (active) => active,
      fields: () => ['traceparent', 'tracestate', 'baggage'],
    })
    await context.with(bag, () => one.callTool('bag'))
    expect(seen).toEqual(['ann b', 'user=ann%20b;secret', undefined, undefined, 'bob', 'user=bob'])
  })
})

describe('the text of the W3C', () => {
  const hex = (length: number) =>
    fc
      .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
      .map((digits) => digits.join(''))
      .filter((text) => /[1-9a-f]/.test(text))

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 1 }), (traceId, spanId, traceFlags) => {
        const back = spanContextOf(carrierOf({ traceId, spanId, traceFlags }))
        expect(back).toEqual({ traceId, spanId, traceFlags, isRemote: true })
      }),
      { seed },
    )
  })

  it('of baggage too, whatever its values', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string({ maxLength: 50 }), { maxKeys: 8 }),
        (entries) => {
          const bag = propagation.createBaggage(
            Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, { value }])),
          )
          const back = baggageOf({ baggage: baggageText(bag) })?.getAllEntries() ?? []
          expect(Object.fromEntries(back.map(([key, { value }]) => [key, value]))).toEqual({ ...entries })
        },
      ),
      { seed },
    )
  })

  it.each([
    ['', '00'],
    ['a wrong version', `ff${PARENT.slice(2)}`],
    ['more than version 00 has', `${PARENT}-more`],
    ['an id of nothing but zeros', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
    ['capitals', PARENT.toUpperCase()],
    ['a number', 7],
  ])('is as good as absent with %s', (_what, traceparent) => {
    expect(spanContextOf({ traceparent })).toBeUndefined()
  })

  it('is read in later versions as far as it is known', () => {
    expect(spanContextOf({ traceparent: `cc${PARENT.slice(2)}-what-comes` })?.traceId).toBe(TRACE)
  })
})

describe('metrics through the API', () => {
  it('are those of the table, and durations after the conventions', async () => {
    const collected = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter: collected, exportIntervalMillis: 3_600_000 })
    const provider = new MeterProvider({ readers: [reader] })
    metricsApi.setGlobalMeterProvider(provider)
    onTestFinished(() => provider.shutdown())
    const one = await client(await start(someServer()), 'modern')
    await one.callTool('search')
    await one.callTool('fails')
    await reader.forceFlush()
    const found = collected.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    const named = (name: string) => found.find(({ descriptor }) => descriptor.name === name)
    expect(named('bough.uptime')?.descriptor).toMatchObject({ unit: 's' })
    const requests = named('bough.requests')?.dataPoints ?? []
    expect(requests.find(({ attributes }) => attributes['method'] === 'tools/call')?.value).toBe(2)
    for (const side of ['server', 'client']) {
      const durations = named(`mcp.${side}.operation.duration`)
      expect(durations?.descriptor.unit).toBe('s')
      const attributes = (durations?.dataPoints ?? []).map((point) => point.attributes as Attributes)
      expect(attributes).toContainEqual({
        'mcp.method.name': 'tools/call',
        'gen_ai.tool.name': 'fails',
        'gen_ai.operation.name': 'execute_tool',
        'error.type': 'tool_error',
      })
    }
  })
})

describe('a span', () => {
  it('ends once', () => {
    const tracing = new Tracing()
    const open = tracing.server({ method: 'ping' })
    open?.end()
    open?.end('late')
    expect(spans().map(({ attributes }) => attributes['error.type'])).toEqual([undefined])
  })
})

describe('requests over HTTP that come at once', () => {
  it('are each below the span of its own HTTP request', async () => {
    instrumentHttp()
    const { url } = await start(someServer())
    const names = Array.from({ length: 20 }, (_, index) => `caller${index}`)
    const { host, hostname, port, pathname } = new URL(url)
    const requests = names.map((caller) => {
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: caller, version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      }
      const params = { name: 'search', arguments: {}, _meta }
      const body = JSON.stringify({ jsonrpc: '2.0', id: caller, method: 'tools/call', params })
      const head = [
        `POST ${pathname} HTTP/1.1`,
        `Host: ${host}`,
        'Content-Type: application/json',
        'Accept: application/json, text/event-stream',
        'MCP-Protocol-Version: 2026-07-28',
        'Mcp-Method: tools/call',
        'Mcp-Name: search',
        `X-Caller: ${caller}`,
        `Content-Length: ${body.length}`,
      ]
      return `${head.join('\r\n')}\r\n\r\n${body}`
    })
    // In one piece: the server reads them all in one pass of its loop.
    const socket = connectTo(Number(port), hostname)
    onTestFinished(() => void socket.destroy())
    socket.resume().write(requests.join(''))
    const all = (): ReadableSpan[] => spans().filter(({ name }) => name === 'tools/call search')
    await expect.poll(() => all().length, { timeout: 20_000 }).toBe(names.length)
    for (const caller of names) {
      const outer = await span(`http ${caller}`)
      const [inner] = all().filter(({ attributes }) => attributes['jsonrpc.request.id'] === caller)
      expect(inner?.parentSpanContext?.spanId).toBe(idOf(outer))
    }
  })
})
