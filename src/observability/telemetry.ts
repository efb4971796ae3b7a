/**
 * What is measured of the work itself: every request that is let in gets a `Watch`, which is told once how it ended. A watch counts
 * and times the request and, for a tool, the tool; where an SDK traces, it carries the request's span.
 *
 *     const watch = telemetry.begin('tools/call', params, 'legacy', now)
 *     if (telemetry.isTracing) watch.trace({ method: 'tools/call', params }, message)
 *     watch.run(() => work())
 *     watch.answered(result, later)
 *
 * Without an SDK a request costs two map look-ups, one small object and a handful of additions.
 */
import type { Context } from '@opentelemetry/api'
import type { ErrorObject, JsonObject } from '#protocol'
import type { System } from '#runtime'
import { type Cell, Counters } from '#structures/counters'
import type { Histogram } from '#structures/histogram'
import { LABEL_SEPARATOR, Metrics } from './metrics.ts'
import { OtelMetrics } from './otel-metrics.ts'
import { ProgramWatch } from './program-readings.ts'
import { prometheusText } from './prometheus.ts'
import { type OpenSpan, type Subject, Tracing } from './tracing.ts'

export type Era = 'legacy' | 'modern'

/** How a request ended. `tool_error` is an answer all the same: a result that says `isError`. */
const outcomes = ['ok', 'tool_error', 'error', 'timeout', 'cancelled'] as const
export type OutcomeName = (typeof outcomes)[number]
type PerOutcome = Readonly<Record<OutcomeName, Cell>>

/** Tools that have figures of their own; later ones share those of 'other'. */
export const TOOLS_MAX = 200

/** The cells of one method, found by one look-up. */
interface MethodSeries {
  readonly admitted: Cell
  readonly legacy: PerOutcome
  readonly modern: PerOutcome
  readonly duration: Histogram
}

interface ToolSeries {
  readonly runs: PerOutcome
  readonly duration: Histogram
}

/** Milliseconds of use after which it is looked again whether an SDK was registered. */
const LOOK_MS = 1_000

export class Telemetry {
  readonly metrics: Metrics
  readonly tracing = new Tracing()
  readonly otel: OtelMetrics
  /** Whether a tool of that name exists: only those are labels. */
  knowsTool: (name: string) => boolean = () => false
  /** The system that the application runs in, from when it has started. */
  system: System | undefined
  /** When it started, by that system's clock. */
  startedAt = 0
  readonly isOn: boolean
  private readonly program: ProgramWatch
  private readonly methods = new Map<string, MethodSeries>()
  private readonly tools = new Map<string, ToolSeries>()
  private nextLookAt = Number.NEGATIVE_INFINITY

  /** With `isOn` false no request is watched: for who wants to know what watching costs. */
  constructor(counters: Counters = new Counters(), isOn = true) {
    this.metrics = new Metrics(counters)
    this.program = new ProgramWatch(this.metrics)
    this.otel = new OtelMetrics(this.metrics, () => this.program.begin())
    this.isOn = isOn
  }

  /** The application starts, perhaps anew. */
  start(system: System): void {
    this.system = system
    this.startedAt = system.clock.now()
    this.look(this.startedAt)
  }

  /** The application ends: nothing is watched any more, and no SDK asks it. */
  stop(): void {
    this.program.end()
    this.otel.end()
  }

  /** Everything as Prometheus text. The first call begins to watch the event loop, each begins its delays anew. */
  text(): string {
    this.program.begin()
    const text = prometheusText(this.metrics.collect())
    this.program.lap()
    return text
  }

  /** Looks whether SDKs were registered meanwhile; `now` in milliseconds of the clock. */
  private look(now: number): void {
    this.nextLookAt = now + LOOK_MS
    if (!this.isOn) return
    this.tracing.look()
    this.otel.look()
  }

  get isTracing(): boolean {
    return this.tracing.isOn && this.isOn
  }

  /** A request was let in. `now` in milliseconds of the clock. */
  begin(method: string, params: JsonObject, era: Era, now: number): Watch {
    const series = this.methods.get(method) ?? this.addMethod(method)
    series.admitted.value++
    if (!this.isOn) return unwatched
    if (now >= this.nextLookAt) this.look(now)
    const counts = era === 'modern' ? series.modern : series.legacy
    // What becomes a task runs its tool later.
    if (method !== 'tools/call' || (era === 'legacy' && params['task'] !== undefined))
      return new Watch(this, method, '', counts, series.duration, undefined, now)
    const name = String(params['name'])
    const tool = this.tools.get(name) ?? this.addTool(name)
    return new Watch(this, method, name, counts, series.duration, tool, now)
  }

  /** A task runs its tool; `cause` is the span that it was created in, as `traceparent`. */
  beginTask(tool: string, cause: string | undefined, now: number): Watch {
    if (!this.isOn) return unwatched
    const series = this.tools.get(tool) ?? this.addTool(tool)
    const watch = new Watch(this, '', tool, series.runs, series.duration, undefined, now)
    if (this.isTracing) watch.follow(tool, cause)
    return watch
  }

  /** A client is asked something; the answer is told with `Asking.end`. */
  ask(method: string, params: object | undefined, parent: Context | undefined): Asking {
    return new Asking(this, method, params, parent)
  }

  /** Milliseconds of the application's clock; 0 before it has started. */
  now(): number {
    return this.system?.clock.now() ?? 0
  }

  private addMethod(method: string): MethodSeries {
    const { counters } = this.metrics
    const ofEra = (era: Era): PerOutcome =>
      perOutcome((outcome) => counters.cell('request_outcomes', [method, era, outcome].join(LABEL_SEPARATOR)))
    const series = {
      admitted: counters.cell('requests', method),
      legacy: ofEra('legacy'),
      modern: ofEra('modern'),
      duration: this.metrics.histogram('request_duration', method),
    }
    this.methods.set(method, series)
    return series
  }

  private addTool(name: string): ToolSeries {
    const { counters } = this.metrics
    const isOwn = name === 'other' || (this.tools.size < TOOLS_MAX && this.knowsTool(name))
    if (!isOwn) return this.tools.get('other') ?? this.addTool('other')
    const series = {
      runs: perOutcome((outcome) => counters.cell('tool_runs', [outcome, name].join(LABEL_SEPARATOR))),
      duration: this.metrics.histogram('tool_duration', name),
    }
    this.tools.set(name, series)
    return series
  }
}

function perOutcome(cell: (outcome: OutcomeName) => Cell): PerOutcome {
  return Object.fromEntries(outcomes.map((outcome) => [outcome, cell(outcome)])) as PerOutcome
}

/** One request from when it was let in to its end, which is told once; what is told later is left out. */
export class Watch {
  private readonly telemetry: Telemetry | undefined
  private readonly method: string
  private readonly name: string
  private readonly counts: PerOutcome | undefined
  private readonly duration: Histogram | undefined
  private tool: ToolSeries | undefined
  private readonly startedAt: number
  private span: OpenSpan | undefined
  private work: OpenSpan | undefined
  private isOver = false

  constructor(
    telemetry: Telemetry | undefined,
    method: string,
    name: string,
    counts: PerOutcome | undefined,
    duration: Histogram | undefined,
    tool: ToolSeries | undefined,
    startedAt: number,
  ) {
    this.telemetry = telemetry
    this.method = method
    this.name = name
    this.counts = counts
    this.duration = duration
    this.tool = tool
    this.startedAt = startedAt
  }

  /** Opens the request's span; `message` is the one that was told to `Tracing.arrived`. */
  trace(subject: Subject, message?: object): void {
    this.span = this.telemetry?.tracing.server(subject, message)
  }

  /** Opens the span of a task's run, which goes on after its cause. */
  follow(tool: string, cause: string | undefined): void {
    const attributes = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': tool }
    this.span = this.telemetry?.tracing.later(`task ${tool}`, attributes, { traceparent: cause })
  }

  /** Its tool runs later, as a task, and is counted then. */
  becomesTask(): void {
    this.tool = undefined
  }

  get isTraced(): boolean {
    return this.span !== undefined
  }

  /** The context in which its work runs; undefined without a span. */
  get context(): Context | undefined {
    return (this.work ?? this.span)?.context
  }

  /** Its span as `traceparent`, for what it causes later; undefined without one. */
  get traceparent(): string | undefined {
    return this.span?.carrier()['traceparent']
  }

  /** Runs the author's code: inside of the span of the request, or for a tool of its own one below. */
  run<T>(work: () => T): T {
    const { span, telemetry } = this
    if (span === undefined) return work()
    if (this.tool !== undefined) this.work = telemetry?.tracing.tool(this.name, span.context)
    return (this.work ?? span).run(work)
  }

  /** It was answered with a result. */
  answered(result: JsonObject, now?: number): void {
    if (result['isError'] === true && this.name !== '') this.end('tool_error', 'tool_error', now)
    else this.end('ok', undefined, now)
  }

  /** It was answered with an error. */
  refused({ code }: Pick<ErrorObject, 'code'>, now?: number): void {
    this.end('error', String(code), now)
  }

  timedOut(now?: number): void {
    this.end('timeout', 'timeout', now)
  }

  cancelled(now?: number): void {
    this.end('cancelled', 'cancelled', now)
  }

  private end(outcome: OutcomeName, errorType: string | undefined, now: number | undefined): void {
    const { telemetry, tool } = this
    if (this.isOver || telemetry === undefined || this.counts === undefined) return
    this.isOver = true
    const durationMs = (now ?? telemetry.now()) - this.startedAt
    this.counts[outcome].value++
    this.duration?.record(durationMs)
    if (tool !== undefined) {
      tool.runs[outcome].value++
      tool.duration.record(durationMs)
    }
    const timed = telemetry.otel.served
    if (timed !== undefined && this.method !== '')
      timed(this.method, tool === undefined ? undefined : this.name, errorType, durationMs)
    if (this.span === undefined) return
    this.work?.end(errorType)
    this.span.end(errorType)
  }
}

/** What a request is watched with when nothing is. */
export const unwatched = new Watch(undefined, '', '', undefined, undefined, undefined, 0)

/** How a question ended. Of the modern era a question ends its round, and is asked by the client's next one. */
export type AskingOutcome = 'answered' | 'error' | 'timeout' | 'withdrawn'

/** One question to a client. */
export class Asking {
  private readonly telemetry: Telemetry
  private readonly method: string
  private readonly startedAt: number
  private readonly span: OpenSpan | undefined
  private isOver = false

  constructor(telemetry: Telemetry, method: string, params: object | undefined, parent: Context | undefined) {
    this.telemetry = telemetry
    this.method = method
    this.startedAt = telemetry.now()
    // The context that is active where a tool asks is the tool's own, where there is a context manager.
    if (telemetry.isTracing) this.span = telemetry.tracing.question({ method, params: params as JsonObject }, parent)
  }

  /** The trace context that travels with the question; undefined without a span. */
  get meta(): JsonObject | undefined {
    return this.span?.carrier()
  }

  end(outcome: AskingOutcome, errorType?: string): void {
    if (this.isOver) return
    this.isOver = true
    const { metrics } = this.telemetry
    metrics.counters.add('questions', 1, [this.method, outcome].join(LABEL_SEPARATOR))
    if (outcome === 'answered')
      metrics.histogram('question_duration', this.method).record(this.telemetry.now() - this.startedAt)
    this.span?.end(outcome === 'answered' ? undefined : (errorType ?? outcome))
  }
}
