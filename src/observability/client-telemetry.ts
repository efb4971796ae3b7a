/**
 * What is measured of a client: its requests and the questions that it answers, counted, timed and, where an SDK traces, as spans
 * whose context travels in `_meta`.
 */
import { createNoopMeter, metrics as metricsApi } from '@opentelemetry/api'
import type { JsonObject } from '#protocol'
import { Counters } from '#structures/counters'
import { clientMetricTable } from './client-metric-table.ts'
import { LABEL_SEPARATOR, Metrics } from './metrics.ts'
import { type Timed, timed } from './otel-metrics.ts'
import { prometheusText } from './prometheus.ts'
import { type OpenSpan, SCOPE, type Subject, Tracing } from './tracing.ts'

/** Milliseconds of use after which it is looked again whether an SDK was registered. */
const LOOK_MS = 1_000

const noMeter = createNoopMeter()

/** The reason of a failure as a label: codes of JSON-RPC are few, and so are the client's own. */
export type CallEnd = string | number | undefined

export class ClientTelemetry {
  readonly metrics = new Metrics(new Counters())
  private readonly tracing = new Tracing()
  private readonly now: () => number
  private timed: Timed | undefined
  private provider: unknown
  private nextLookAt = Number.NEGATIVE_INFINITY

  /** `now` is the clock's, in milliseconds. */
  constructor(now: () => number) {
    this.now = now
  }

  /** A request leaves; it ends with `end`. */
  begin(subject: Subject): ClientWatch {
    const startedAt = this.now()
    if (startedAt >= this.nextLookAt) this.look(startedAt)
    return new ClientWatch(this, subject, this.tracing.isOn ? this.tracing.client(subject) : undefined, startedAt)
  }

  /** A question of the server is answered by `work`, inside of a span. `failed` finds the code in an answer that is an error. */
  async answering<T>(
    method: string,
    params: JsonObject,
    work: () => Promise<T>,
    failed: (answer: T) => CallEnd,
  ): Promise<T> {
    const span = this.tracing.isOn ? this.tracing.server({ method, params }) : undefined
    const answer = await (span === undefined ? work() : span.run(work))
    const code = failed(answer)
    const outcome = code === undefined ? 'answered' : 'error'
    this.metrics.counters.add('client_questions', 1, [method, outcome].join(LABEL_SEPARATOR))
    span?.end(code === undefined ? undefined : String(code))
    return answer
  }

  /** Everything as Prometheus text. */
  text(): string {
    return prometheusText(this.metrics.collect(clientMetricTable))
  }

  /** A request is over; for `ClientWatch`. */
  ended({ method, params }: Subject, code: CallEnd, startedAt: number): void {
    const durationMs = this.now() - startedAt
    const { metrics } = this
    const outcome = code === undefined ? 'ok' : typeof code === 'number' ? 'error' : code
    metrics.counters.add('client_requests', 1, [method, outcome].join(LABEL_SEPARATOR))
    metrics.histogram('client_request_duration', method).record(durationMs)
    const tool = method === 'tools/call' ? String(params?.['name']) : undefined
    this.timed?.(method, tool, code === undefined ? undefined : String(code), durationMs)
  }

  private look(now: number): void {
    this.nextLookAt = now + LOOK_MS
    this.tracing.look()
    const provider = metricsApi.getMeterProvider()
    if (provider === this.provider) return
    this.provider = provider
    const meter = provider.getMeter(SCOPE)
    const isReal = meter.constructor !== noMeter.constructor
    const description = 'The duration of a request as its sender sees it.'
    this.timed = isReal ? timed(meter, 'mcp.client.operation.duration', description) : undefined
  }
}

/** One request of a client. */
export class ClientWatch {
  private readonly telemetry: ClientTelemetry
  private readonly subject: Subject
  private readonly span: OpenSpan | undefined
  private readonly startedAt: number

  constructor(telemetry: ClientTelemetry, subject: Subject, span: OpenSpan | undefined, startedAt: number) {
    this.telemetry = telemetry
    this.subject = subject
    this.span = span
    this.startedAt = startedAt
  }

  /** The params with the span's context in their `_meta`; what its caller put there stays. */
  params(params: JsonObject | undefined): JsonObject | undefined {
    if (this.span === undefined) return params
    const own = params?.['_meta'] as JsonObject | undefined
    // A trace of the caller's own is whole, or it is not one.
    const carrier = own?.['traceparent'] === undefined ? this.span.carrier() : {}
    return { ...params, _meta: { ...carrier, ...own } }
  }

  /** It is over, with the code of its failure or without one; `isToolError` when its result says `isError`. */
  end(code: CallEnd, isToolError = false): void {
    this.telemetry.ended(this.subject, isToolError ? 'tool_error' : code, this.startedAt)
    this.span?.end(isToolError ? 'tool_error' : code === undefined ? undefined : String(code))
  }
}
