/** Who calls, as authorization found. The same shape as `Principal` in src/features/context.ts, which layers keep apart. */
import type { JsonObject } from '#protocol/json-rpc'

export interface Principal {
  /** Unique among callers; what sessions, tasks and request state are bound to. */
  readonly id: string
  readonly clientId?: string
  /** What the caller may do, with the scopes that these imply. */
  readonly scopes: readonly string[]
  /** What the token says of its bearer; never the token itself. */
  readonly claims: JsonObject
}
