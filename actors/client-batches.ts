/**
 * Requests that go out as one text: those of a batch are held until the last of them is there, and then sent together. A
 * request that is sent again later goes alone.
 *
 * Spec: MCP 2025-03-26, basic, batching.
 */
import { BATCH_LENGTH_MAX, encodeBatch } from '#protocol'
import type { Outgoing } from '#transports/client-port'
import type { Call } from './client-calls.ts'

/** Requests that may be held at once; those beyond are sent by themselves. */
const HELD_MAX = 10_000

export class Batches {
  private readonly held = new Map<number, Call[]>()
  private size = 0

  /** Keeps a request for its batch; false when it belongs to none, or when too many are kept. */
  hold(call: Call): boolean {
    const { batch } = call.job
    if (batch === undefined || this.size >= HELD_MAX) return false
    const calls = this.held.get(batch)
    if (calls === undefined) this.held.set(batch, [call])
    else calls.push(call)
    this.size++
    return true
  }

  /** The requests of a batch, which is then forgotten. */
  take(batch: number): readonly Call[] {
    const calls = this.held.get(batch) ?? []
    this.held.delete(batch)
    this.size -= calls.length
    return calls
  }
}

/** Requests as few messages: texts of a batch have so many members at most. One request stays as it is. */
export function together(messages: readonly Outgoing[]): Outgoing[] {
  const joined: Outgoing[] = []
  for (let from = 0; from < messages.length; from += BATCH_LENGTH_MAX) {
    const some = messages.slice(from, from + BATCH_LENGTH_MAX)
    const [first] = some
    if (first === undefined) continue
    if (some.length === 1) joined.push(first)
    else {
      const text = encodeBatch(some.map((message) => message.text))
      joined.push({ text, kind: 'batch', ids: some.flatMap(({ ids }) => ids), headers: first.headers })
    }
  }
  return joined
}
