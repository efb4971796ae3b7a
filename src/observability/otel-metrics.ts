/**
 * The table of metrics, offered through the OpenTelemetry metrics API: observable instruments that are read when an SDK collects,
 * and a histogram of durations after the conventions for MCP. Without an SDK nothing is registered.
 *
 * Source: OpenTelemetry semantic conventions for generative AI, MCP, metrics.
 */
import {
  type Attributes,
  type BatchObservableResult,
  createNoopMeter,
  type Meter,
  type MeterProvider,
  metrics as metricsApi,
  type Observable,
} from '@opentelemetry/api'
import { type MetricRow, metricTable } from './metric-table.ts'
import type { Metrics } from './metrics.ts'
import { SCOPE } from './tracing.ts'

/** Told of an operation that ended; a duration in milliseconds. */
export type Timed = (
  method: string,
  tool: string | undefined,
  errorType: string | undefined,
  durationMs: number,
) => void

/** In seconds. Source: semantic conventions for MCP, mcp.server.operation.duration. */
const DURATION_BOUNDS_S = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]

const noMeter = createNoopMeter()

export class OtelMetrics {
  /** Set while an SDK is registered. */
  served: Timed | undefined
  private readonly metrics: Metrics
  private readonly reading: () => void
  private provider: MeterProvider | undefined
  private forget: (() => void) | undefined

  /** `reading` is called before the values are read. */
  constructor(metrics: Metrics, reading: () => void) {
    this.metrics = metrics
    this.reading = reading
  }

  /** Looks whether a metrics SDK is registered, and registers with it once. */
  look(): void {
    const provider = metricsApi.getMeterProvider()
    if (provider === this.provider) return
    this.end()
    this.provider = provider
    const meter = provider.getMeter(SCOPE)
    if (meter.constructor === noMeter.constructor) return
    this.served = timed(meter, 'mcp.server.operation.duration', 'The duration of a request as its receiver sees it.')
    this.forget = this.offer(meter)
  }

  end(): void {
    this.forget?.()
    this.forget = undefined
    this.served = undefined
    this.provider = undefined
  }

  private offer(meter: Meter): () => void {
    const rows = metricTable.filter(({ kind }) => kind !== 'histogram')
    const instruments = new Map<string, Observable>(rows.map((row) => [row.name, instrumentOf(meter, row)]))
    const observe = (result: BatchObservableResult): void => {
      this.reading()
      for (const { row, series } of this.metrics.collect(rows)) {
        const instrument = instruments.get(row.name)
        if (instrument === undefined) continue
        for (const { labels, value } of series) {
          if (typeof value !== 'number') continue
          const attributes = Object.fromEntries(row.labels.map((name, at) => [name, labels[at] ?? '']))
          result.observe(instrument, value * row.scale, attributes)
        }
      }
    }
    const observables = [...instruments.values()]
    meter.addBatchObservableCallback(observe, observables)
    return () => meter.removeBatchObservableCallback(observe, observables)
  }
}

function instrumentOf(meter: Meter, { kind, from, unit, description }: MetricRow): Observable {
  const options = { unit, description }
  return kind === 'counter'
    ? meter.createObservableCounter(`${SCOPE}.${from}`, options)
    : meter.createObservableGauge(`${SCOPE}.${from}`, options)
}

/** A histogram of operations. */
export function timed(meter: Meter, name: string, description: string): Timed {
  const advice = { explicitBucketBoundaries: DURATION_BOUNDS_S }
  const histogram = meter.createHistogram(name, { unit: 's', description, advice })
  return (method, tool, errorType, durationMs) => {
    const attributes: Attributes = {
      'mcp.method.name': method,
      ...(tool !== undefined && { 'gen_ai.tool.name': tool, 'gen_ai.operation.name': 'execute_tool' }),
      ...(errorType !== undefined && { 'error.type': errorType }),
    }
    histogram.record(durationMs / 1_000, attributes)
  }
}
