/**
 * What the primary and its members say to each other over the channel that Node opens between a program and its child. Each
 * message is `{ bough: ... }`, so that it does not mix with what the program itself says there.
 */
import type { KeyRecord } from './sealing.ts'

/** What a member is told when it says hello. */
export interface Welcome {
  readonly index: number
  readonly count: number
  /** The folder of the private sockets; on Windows the beginning of the names of their pipes. */
  readonly folder: string
  /** What opens them. */
  readonly secret: string
  readonly keys: readonly KeyRecord[]
}

/** Where a transport of a member wants to listen. */
export interface Address {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly backlog: number
  /** Whether the first bytes of a connection are an HTTP request that anybody can read. */
  readonly isPlainHttp: boolean
}

/** How busy a member is. */
export interface Load {
  readonly connections: number
  readonly metrics: Record<string, number | Record<string, number>>
  /** The same and more as Prometheus text. */
  readonly text: string
}

export type ToMember =
  | { readonly type: 'welcome'; readonly welcome: Welcome }
  | { readonly type: 'bound'; readonly number: number; readonly port: number }
  | { readonly type: 'not_bound'; readonly number: number; readonly code: string; readonly message: string }
  /** Comes with a socket. */
  | {
      readonly type: 'connection'
      readonly number: number
      readonly door: string
      readonly head: Uint8Array | undefined
    }
  | { readonly type: 'keys'; readonly keys: readonly KeyRecord[] }
  | { readonly type: 'beat'; readonly number: number }
  | { readonly type: 'tree'; readonly number: number }
  | { readonly type: 'updated'; readonly number: number; readonly uri: string }
  | { readonly type: 'level'; readonly module: string; readonly level: string }
  | { readonly type: 'stop' }

export type FromMember =
  | { readonly type: 'hello' }
  | { readonly type: 'bind'; readonly number: number; readonly address: Address }
  /** This member takes no more connections at that door. */
  | { readonly type: 'shut'; readonly door: string }
  | { readonly type: 'taken'; readonly number: number; readonly isTaken: boolean; readonly connections: number }
  | { readonly type: 'ready'; readonly urls: readonly string[]; readonly keys: readonly KeyRecord[] }
  | { readonly type: 'failed'; readonly name: string; readonly code: string | undefined; readonly message: string }
  | { readonly type: 'alive'; readonly number: number; readonly load: Load }
  | { readonly type: 'answer'; readonly number: number; readonly value: unknown }
  | { readonly type: 'stopping' }

/** The message inside of what came, or undefined when it is none of ours. */
export function opened<M extends ToMember | FromMember>(message: unknown): M | undefined {
  const inner = (message as { readonly bough?: unknown } | null)?.bough
  // Only our own program is at the other end.
  return typeof inner === 'object' && inner !== null ? (inner as M) : undefined
}
