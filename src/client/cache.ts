/**
 * What a server allowed to be kept: results by method and params, each until its time is over, a notification says that it
 * changed, or the place is needed. One client is one authorization, so private results are kept like public ones.
 *
 * Spec: MCP 2026-07-28, server/utilities/caching.
 */
import type { JsonObject } from '#protocol'
import type { Clock } from '#runtime'

/** Results that are kept at once; the one used longest ago goes first. */
const RESULTS_MAX = 1_000
/** Milliseconds that a result is kept at most, whatever its server says. */
const TTL_MS_MAX = 86_400_000

interface Entry {
  readonly method: string
  readonly uri: unknown
  readonly result: JsonObject
  readonly untilMs: number
}

export class ResultCache {
  private readonly clock: Clock
  private readonly isOn: boolean
  private readonly entries = new Map<string, Entry>()

  constructor(clock: Clock, isOn: boolean) {
    this.clock = clock
    this.isOn = isOn
  }

  get(method: string, params: JsonObject | undefined): JsonObject | undefined {
    const key = keyOf(method, params)
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    this.entries.delete(key)
    if (this.clock.now() >= entry.untilMs) return undefined
    this.entries.set(key, entry)
    return entry.result
  }

  /** Keeps a complete result for as long as it says itself. */
  put(method: string, params: JsonObject | undefined, result: JsonObject): void {
    const { ttlMs } = result
    if (!this.isOn || typeof ttlMs !== 'number' || !(ttlMs > 0)) return
    const [oldest] = this.entries.keys()
    if (this.entries.size >= RESULTS_MAX && oldest !== undefined) this.entries.delete(oldest)
    const untilMs = this.clock.now() + Math.min(ttlMs, TTL_MS_MAX)
    this.entries.set(keyOf(method, params), { method, uri: params?.['uri'], result, untilMs })
  }

  /** Forgets all results of a method, or of one resource. */
  drop(method: string, uri?: string): void {
    for (const [key, entry] of this.entries) {
      if (entry.method === method && (uri === undefined || entry.uri === uri)) this.entries.delete(key)
    }
  }

  clear(): void {
    this.entries.clear()
  }
}

function keyOf(method: string, params: JsonObject | undefined): string {
  return `${method} ${JSON.stringify(params ?? {})}`
}
