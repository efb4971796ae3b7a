/**
 * Spans through the OpenTelemetry API alone: names and attributes after its conventions for MCP. Whoever runs the program brings an
 * SDK, or none: then `isOn` is false, nobody makes a span, and that is all it costs. Whether one was registered is looked up at the
 * start, and then by who owns this.
 *
 * The values of arguments and results, and the texts of errors, are recorded nowhere: a span tells which class of error it was.
 *
 * Source: OpenTelemetry semantic conventions for generative AI, MCP; MCP SEP-414.
 */
import {
  type Attributes,
  type Context,
  context,
  type Link,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type { JsonObject } from '#protocol'
import { baggageOf, baggageText, type Carrier, carrierOf, spanContextOf } from './w3c.ts'

/** Under which name spans and instruments are made. */
export const SCOPE = 'bough'
/** Characters of a URI that a span keeps. */
const URI_LENGTH_MAX = 256

/** What a span tells of the request, question or call that it stands for. */
export interface Subject {
  readonly method: string
  readonly params?: JsonObject | undefined
  readonly id?: string | number | undefined
  readonly protocolVersion?: string | undefined
  readonly sessionId?: string | undefined
  /** The transport's name, such as 'http' or 'stdio'. */
  readonly transport?: string | undefined
}

/** A span that is open. It ends once, whatever comes later. */
export class OpenSpan {
  readonly span: Span
  /** The context in which the work of the span runs. */
  readonly context: Context
  private isOver = false

  constructor(span: Span, parent: Context) {
    this.span = span
    this.context = trace.setSpan(parent, span)
  }

  /** Runs `work` inside of the span: spans that it makes are its children. */
  run<T>(work: () => T): T {
    return context.with(this.context, work)
  }

  /** The span's context for a message that leaves, with the baggage if the program propagates it. */
  carrier(): Record<string, string> {
    const baggage = propagation.fields().includes('baggage') ? baggageText(propagation.getBaggage(this.context)) : ''
    return { ...carrierOf(this.span.spanContext()), ...(baggage !== '' && { baggage }) }
  }

  /** Ends it; `errorType` is a class of error: a JSON-RPC code, 'tool_error', 'timeout', 'cancelled'. */
  end(errorType?: string): void {
    if (this.isOver) return
    this.isOver = true
    if (errorType !== undefined) {
      this.span.setAttribute('error.type', errorType)
      if (/^-?\d+$/.test(errorType)) this.span.setAttribute('rpc.response.status_code', errorType)
      this.span.setStatus({ code: SpanStatusCode.ERROR })
    }
    this.span.end()
  }
}

/** What no SDK was registered as: the API gives no other way to know it. */
const noProvider = new ProxyTracerProvider().getDelegate()

/** Where a message came from, beside what it says itself. */
interface Arrival {
  readonly header: SpanContext | undefined
  readonly ambient: SpanContext | undefined
}

export class Tracing {
  /** Whether spans go anywhere. */
  isOn = false
  private readonly arrivals = new WeakMap<object, Arrival>()
  private tracer: Tracer | undefined
  private provider: TracerProvider | undefined

  constructor() {
    this.look()
  }

  /** Looks whether an SDK is registered now. */
  look(): void {
    const proxy = trace.getTracerProvider()
    const provider = delegateOf(proxy)
    this.isOn = provider !== noProvider
    if (provider === this.provider) return
    this.provider = provider
    this.tracer = this.isOn ? provider.getTracer(SCOPE) : undefined
  }

  /** What runs `work` later as if it ran here, below the span that is active now. */
  bound(work: () => void): () => void {
    return context.bind(context.active(), work)
  }

  /** Notes how a message came in over HTTP; call it where the request is being handled. Does nothing when tracing is off. */
  arrived(message: object, headers: Carrier): void {
    if (!this.isOn) return
    const header = spanContextOf(headers)
    const ambient = trace.getSpanContext(context.active())
    if (header !== undefined || ambient !== undefined) this.arrivals.set(message, { header, ambient })
  }

  /**
   * The span of a request that a peer sent. Its parent is the one that its `_meta` names, else the one of the HTTP request; what is
   * not its parent is linked.
   */
  server(subject: Subject, message?: object): OpenSpan | undefined {
    const meta = (subject.params?.['_meta'] ?? {}) as Carrier
    const arrival = message === undefined ? undefined : this.arrivals.get(message)
    const named = spanContextOf(meta)
    const { parent, links } = parentOf(named, arrival)
    const baggage = baggageOf(meta)
    const base = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
    return this.start(
      nameOf(subject),
      SpanKind.SERVER,
      subject,
      baggage === undefined ? base : propagation.setBaggage(base, baggage),
      links,
    )
  }

  /** The span of a request that we send; a child of what runs, or of `parent`. */
  client(subject: Subject, parent: Context = context.active()): OpenSpan | undefined {
    return this.start(nameOf(subject), SpanKind.CLIENT, subject, parent, [])
  }

  /** The span of a question to the client of a request whose context is `parent`. */
  question(subject: Subject, parent: Context | undefined): OpenSpan | undefined {
    const active = context.active()
    return this.client(subject, trace.getSpan(active) === undefined ? (parent ?? active) : active)
  }

  /** The span of a tool's own work, below that of its request. */
  tool(name: string, parent: Context): OpenSpan | undefined {
    const attributes = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': name }
    return this.open(`execute_tool ${name}`, SpanKind.INTERNAL, attributes, parent, [])
  }

  /** The span of work that goes on after the request that caused it: a trace of its own, linked to `cause`. */
  later(name: string, attributes: Attributes, cause: Carrier): OpenSpan | undefined {
    const linked = spanContextOf(cause)
    const links = linked === undefined ? [] : [{ context: linked }]
    return this.open(name, SpanKind.INTERNAL, attributes, ROOT_CONTEXT, links)
  }

  private start(name: string, kind: SpanKind, subject: Subject, parent: Context, links: Link[]): OpenSpan | undefined {
    return this.open(name, kind, attributesOf(subject), parent, links)
  }

  private open(
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    parent: Context,
    links: Link[],
  ): OpenSpan | undefined {
    const span = this.tracer?.startSpan(name, { kind, attributes, links }, parent)
    return span === undefined ? undefined : new OpenSpan(span, parent)
  }
}

/** The span that is active where this is called, for a message that leaves or a record that is kept; {} without one. */
export function activeCarrier(): Record<string, string> {
  const active = trace.getSpanContext(context.active())
  return active === undefined ? {} : carrierOf(active)
}

/** Ids of the span that is active where this is called, or undefined. */
export function activeIds(): { readonly trace: string; readonly span: string } | undefined {
  const active = trace.getSpanContext(context.active())
  return active === undefined ? undefined : { trace: active.traceId, span: active.spanId }
}

function delegateOf(provider: TracerProvider): TracerProvider {
  const { getDelegate } = provider as Partial<ProxyTracerProvider>
  return getDelegate === undefined ? provider : getDelegate.call(provider)
}

function parentOf(
  named: SpanContext | undefined,
  arrival: Arrival | undefined,
): { parent: SpanContext | undefined; links: Link[] } {
  const { header, ambient } = arrival ?? {}
  // An instrumented HTTP server made a child of the header's span: it is the nearer one.
  const transport = ambient ?? header
  if (named === undefined) return { parent: transport, links: [] }
  return { parent: named, links: transport === undefined ? [] : [{ context: transport }] }
}

/** '{method} {target}' where the target is one of few. Source: semantic conventions for MCP, span name. */
function nameOf({ method, params }: Subject): string {
  const target = method === 'tools/call' || method === 'prompts/get' ? params?.['name'] : undefined
  return typeof target === 'string' ? `${method} ${target}` : method
}

function attributesOf({ method, params, id, protocolVersion, sessionId, transport }: Subject): Attributes {
  const { name, uri } = params ?? {}
  const isTool = method === 'tools/call' && typeof name === 'string'
  return {
    'mcp.method.name': method,
    ...(id !== undefined && { 'jsonrpc.request.id': String(id) }),
    ...(protocolVersion !== undefined && { 'mcp.protocol.version': protocolVersion }),
    ...(sessionId !== undefined && { 'mcp.session.id': sessionId }),
    ...(isTool && { 'gen_ai.tool.name': name, 'gen_ai.operation.name': 'execute_tool' }),
    ...(method === 'prompts/get' && typeof name === 'string' && { 'gen_ai.prompt.name': name }),
    ...(method.startsWith('resources/') && typeof uri === 'string' && { 'mcp.resource.uri': plainUri(uri) }),
    ...networkOf(transport),
  }
}

/** What may hold secrets is left out: the query, the fragment and whoever is named before an @. */
function plainUri(uri: string): string {
  return uri
    .replace(/[?#].*$/s, '')
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1')
    .slice(0, URI_LENGTH_MAX)
}

const networks: Readonly<Record<string, Attributes>> = {
  stdio: { 'network.transport': 'pipe' },
  http: { 'network.transport': 'tcp', 'network.protocol.name': 'http' },
  sse: { 'network.transport': 'tcp', 'network.protocol.name': 'http' },
  ws: { 'network.transport': 'tcp', 'network.protocol.name': 'websocket' },
  tcp: { 'network.transport': 'tcp' },
}

function networkOf(transport: string | undefined): Attributes | undefined {
  return transport === undefined ? undefined : networks[transport]
}
