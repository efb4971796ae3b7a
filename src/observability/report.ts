/** What a server tells of itself beside the kernel's events: plain data, for the log and whoever else listens. */
import type { SystemEvent } from '#runtime'
import type { StrayFault } from './attribution.ts'

export type ServerEvent =
  | SystemEvent
  | { readonly type: 'listening'; readonly transport: string; readonly url: string }
  | { readonly type: 'draining'; readonly transport: string; readonly sessions: number }
  | {
      readonly type: 'session_opened'
      readonly session: string
      readonly transport: string
      readonly protocolVersion: string
      readonly client: string
    }
  | { readonly type: 'session_closed'; readonly session: string; readonly why: string }
  | { readonly type: 'session_refused'; readonly why: 'max_sessions' | 'draining' }
  /** A request was refused for its credentials. */
  | { readonly type: 'unauthorized'; readonly status: number }
  /** The server became ready, or is no longer: `why` holds one sentence for each check that failed. */
  | { readonly type: 'readiness'; readonly isReady: boolean; readonly why: readonly string[] }
  /** The server is pressed harder, or less hard, than before. */
  | {
      readonly type: 'pressure'
      readonly level: 'normal' | 'elevated' | 'critical'
      readonly from: 'normal' | 'elevated' | 'critical'
      /** 'loop', 'heap', 'rss', 'store': what is over its bound. */
      readonly because: readonly string[]
      readonly loopDelayMs: number
      readonly heapRatio: number
      readonly rssBytes: number
      readonly storeRatio: number
    }
  /** The circuit before a tool changed: 'open' while it is not called, 'half_open' while it is tried again. */
  | {
      readonly type: 'breaker'
      readonly tool: string
      readonly phase: 'closed' | 'open' | 'half_open'
      /** Failures in a row. */
      readonly failures: number
    }
  /** Code of the server's author failed. `how`: thrown from its function, timed out, or a fault that strayed. */
  | {
      readonly type: 'feature_failed'
      readonly kind: 'tool' | 'resource' | 'prompt' | 'completion'
      readonly name: string
      readonly session: string | undefined
      readonly request: string | number
      /** The process that ran it, and the trace it belongs to, where there are any. */
      readonly process?: string
      readonly trace?: string | undefined
      readonly how: 'thrown' | 'timeout' | StrayFault
      readonly error: unknown
    }
  | { readonly type: 'stray_fault'; readonly how: StrayFault; readonly error: unknown }

export type Report = (event: ServerEvent) => void
