/**
 * The streams of changes that are open on a connection, by the id of the request that opened each.
 *
 * Spec: MCP 2026-07-28, basic/patterns/subscriptions.
 */
import { isObject, isRequestId, type JsonObject, type RequestId, subscriptionIdKey } from '#protocol'
import type { ListenJob, ListenNews } from './client-connection.ts'
import type { Failure } from './client-services.ts'

interface Listening {
  readonly job: ListenJob
  readonly epoch: number
}

export class Listens {
  private readonly open = new Map<RequestId, Listening>()

  add(id: RequestId, job: ListenJob, epoch: number): void {
    this.open.set(id, { job, epoch })
  }

  has(id: RequestId): boolean {
    return this.open.has(id)
  }

  /** Takes out those of a key, or all; the ids of those that the link of `epoch` carries. */
  take(key: number | undefined, epoch: number): RequestId[] {
    const taken: RequestId[] = []
    for (const [id, { job, epoch: own }] of this.open) {
      if (key !== undefined && job.key !== key) continue
      this.open.delete(id)
      if (own === epoch) taken.push(id)
    }
    return taken
  }

  /** The server said what it agrees to. */
  acknowledge(params: JsonObject): void {
    const listening = this.open.get(subscriptionOf(params) ?? '')
    const acknowledged = isObject(params['notifications']) ? params['notifications'] : {}
    if (listening !== undefined) tellListener(listening.job, { acknowledged })
  }

  /** A stream is over; without a failure the server ended it on purpose. */
  end(id: RequestId, failure: Failure | undefined): void {
    const listening = this.open.get(id)
    this.open.delete(id)
    if (listening !== undefined) tellListener(listening.job, { ended: { failure } })
  }

  /** The link of `epoch` is over, and every stream on it. */
  endAll(epoch: number, failure: Failure): void {
    for (const [id, listening] of this.open) if (listening.epoch === epoch) this.end(id, failure)
  }
}

export function tellListener({ to, key }: ListenJob, news: Omit<ListenNews, 'type' | 'key'>): void {
  void to.send({ type: 'listen', key, ...news } satisfies ListenNews)
}

/** The stream that a notification came on; undefined for those that belong to none. */
export function subscriptionOf(params: JsonObject): RequestId | undefined {
  const meta = params['_meta']
  const id = isObject(meta) ? meta[subscriptionIdKey] : undefined
  return isRequestId(id) ? id : undefined
}
