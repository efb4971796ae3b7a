/**
 * What Node tells of the program that runs: memory, CPU, the event loop, garbage collection, file descriptors. Most is asked when
 * somebody reads; the event loop and garbage collection must be watched meanwhile, which begins with the first reading, so that a
 * server whose metrics nobody reads pays nothing.
 */
import { readdirSync } from 'node:fs'
import {
  constants,
  type EventLoopUtilization,
  type IntervalHistogram,
  monitorEventLoopDelay,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks'
import type { Metrics } from './metrics.ts'

/** Milliseconds between two looks at the event loop. */
const LOOP_RESOLUTION_MS = 20
const NANOSECONDS = 1e6

const gcKinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak_callbacks',
}

export class ProgramWatch {
  private loop: IntervalHistogram | undefined
  private gc: PerformanceObserver | undefined
  private utilization: EventLoopUtilization | undefined
  private readonly metrics: Metrics

  /** Names the readings of the program in `metrics`. Nothing is watched yet. */
  constructor(metrics: Metrics) {
    this.metrics = metrics
    const percentile = (share: number) => () => this.delayMs((loop) => loop.percentile(share))
    metrics.read('event_loop_delay_p50', percentile(50))
    metrics.read('event_loop_delay_p99', percentile(99))
    metrics.read('event_loop_delay_max', () => this.delayMs((loop) => loop.max))
    metrics.read('event_loop_utilization', () => this.busyShare())
    metrics.read('cpu', () => {
      const { user, system } = process.cpuUsage()
      return [
        ['user', user / 1_000],
        ['system', system / 1_000],
      ]
    })
    metrics.read('heap_used', () => process.memoryUsage().heapUsed)
    metrics.read('heap_size', () => process.memoryUsage().heapTotal)
    metrics.read('external_memory', () => process.memoryUsage().external)
    metrics.read('resident_memory', () => process.memoryUsage.rss())
    metrics.read('open_file_descriptors', openDescriptors)
  }

  /** Somebody begins to read: from now on the event loop and garbage collection are watched. May be called again. */
  begin(): void {
    if (this.loop !== undefined) return
    this.loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
    this.loop.enable()
    const { counters } = this.metrics
    this.gc = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { kind } = (entry as { readonly detail?: { readonly kind?: number } }).detail ?? {}
        const label = gcKinds[kind ?? 0] ?? 'other'
        counters.add('gc', entry.duration, label)
        counters.add('gc_runs', 1, label)
      }
    })
    this.gc.observe({ entryTypes: ['gc'] })
  }

  /** A reading is done: the delays of the event loop begin anew. */
  lap(): void {
    this.loop?.reset()
    this.utilization = performance.eventLoopUtilization()
  }

  end(): void {
    this.loop?.disable()
    this.gc?.disconnect()
    this.loop = undefined
    this.gc = undefined
  }

  /** Beyond the time that a look is late by itself. */
  private delayMs(of: (loop: IntervalHistogram) => number): number {
    if (this.loop === undefined || this.loop.count === 0) return 0
    return Math.max(0, of(this.loop) / NANOSECONDS - LOOP_RESOLUTION_MS)
  }

  private busyShare(): number {
    return performance.eventLoopUtilization(performance.eventLoopUtilization(), this.utilization).utilization
  }
}

/** Linux and its kin list them; elsewhere there is no value. */
function openDescriptors(): Iterable<readonly [string, number]> {
  for (const folder of ['/proc/self/fd', '/dev/fd']) {
    try {
      // The look itself holds one.
      return [['', readdirSync(folder).length - 1]]
    } catch {
      // The next one.
    }
  }
  return []
}
