/**
 * Who wants to hear of what the server tells unasked. A listener that throws is a warning, and the next one is told.
 */
import type { ListKind } from '#actors/client-services'
import type { ConnectionPhase } from '#lifecycles/connection'
import type { JsonObject, LogLevel } from '#protocol'

/** A resource changed. */
export interface ResourceUpdate {
  readonly uri: string
  /** True when the connection was interrupted: the resource may have changed meanwhile, or not. */
  readonly isCatchUp: boolean
}

export interface LogMessage {
  readonly level: LogLevel
  readonly logger?: string
  readonly data: unknown
}

type Listener<T> = (value: T) => void

/** Resources, and tasks, that may be listened to at once. */
const WISHES_MAX = 10_000

export class Listeners {
  readonly phases = new Set<Listener<ConnectionPhase>>()
  readonly logs = new Set<Listener<LogMessage>>()
  readonly lists = new Map<ListKind, Set<Listener<ListKind>>>()
  readonly resources = new Map<string, Set<Listener<ResourceUpdate>>>()
  readonly tasks = new Map<string, Set<Listener<JsonObject>>>()
  readonly others = new Map<string, Set<Listener<JsonObject>>>()
  private readonly warn: (message: string) => void

  constructor(warn: (message: string) => void) {
    this.warn = warn
  }

  tell<T>(listeners: Iterable<Listener<T>> | undefined, value: T): void {
    for (const listener of [...(listeners ?? [])]) {
      try {
        listener(value)
      } catch (error) {
        this.warn(`A listener threw: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }

  /** A resource changed, or a part of one that is listened to. */
  updated(uri: string, isCatchUp = false): void {
    const exact = this.resources.get(uri)
    if (exact !== undefined) return this.tell(exact, { uri, isCatchUp })
    for (const [whole, listeners] of this.resources) if (uri.startsWith(whole)) this.tell(listeners, { uri, isCatchUp })
  }

  /** There was an interruption: everything that is listened to may have changed. */
  resumed(): void {
    for (const uri of [...this.resources.keys()]) this.tell(this.resources.get(uri), { uri, isCatchUp: true })
    for (const kind of [...this.lists.keys()]) this.tell(this.lists.get(kind), kind)
  }
}

/** Adds a listener and returns what takes it away. Throws when there are too many wishes. */
export function listenTo<K, T>(
  table: Map<K, Set<Listener<T>>>,
  key: K,
  listener: Listener<T>,
): { readonly isFirst: boolean; readonly remove: () => boolean } {
  let listeners = table.get(key)
  const isFirst = listeners === undefined
  if (listeners === undefined) {
    if (table.size >= WISHES_MAX) throw new RangeError(`A client listens to ${WISHES_MAX} things at most.`)
    listeners = new Set()
    table.set(key, listeners)
  }
  // One function may listen twice.
  const own: Listener<T> = (value) => listener(value)
  listeners.add(own)
  const remove = (): boolean => {
    const held = table.get(key)
    if (held?.delete(own) !== true || held.size > 0) return false
    table.delete(key)
    return true
  }
  return { isFirst, remove }
}

/** Counts a wish up or down in a table of the processes. */
export function count<K>(table: Map<K, number>, key: K, by: 1 | -1): void {
  const left = (table.get(key) ?? 0) + by
  if (left > 0) table.set(key, left)
  else table.delete(key)
}
