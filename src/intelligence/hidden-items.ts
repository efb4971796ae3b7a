/**
 * What providers want back with a tool use but servers have no use for: a model's thoughts, signed or encrypted. MCP has no
 * content for them, and they are nobody's business but the user's, so they stay here, by the id of the tool use, and are put
 * back when the server's next request brings that id. Bounded: the oldest are forgotten, and the model thinks anew.
 */
import type { JsonObject } from '#protocol'

/** Tool uses that have something hidden, and the characters of it all. */
const ENTRIES_MAX = 1_000
const LENGTH_MAX = 16 * 1024 * 1024

interface Entry {
  readonly items: readonly JsonObject[]
  readonly length: number
}

export class HiddenItems {
  private readonly entries = new Map<string, Entry>()
  private length = 0

  set(toolUseId: string, items: readonly JsonObject[]): void {
    const length = JSON.stringify(items).length
    this.delete(toolUseId)
    if (length > LENGTH_MAX) return
    this.entries.set(toolUseId, { items, length })
    this.length += length
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= ENTRIES_MAX && this.length <= LENGTH_MAX) return
      this.delete(oldest)
    }
  }

  get(toolUseId: string): readonly JsonObject[] {
    return this.entries.get(toolUseId)?.items ?? []
  }

  private delete(toolUseId: string): void {
    const entry = this.entries.get(toolUseId)
    if (entry === undefined) return
    this.entries.delete(toolUseId)
    this.length -= entry.length
  }
}
