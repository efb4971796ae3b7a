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
  /** Code of the server's author failed. `how`: thrown from its function, timed out, or a fault that strayed. */
  | {
      readonly type: 'feature_failed'
      readonly kind: 'tool' | 'resource' | 'prompt' | 'completion'
      readonly name: string
      readonly session: string | undefined
      readonly request: string | number
      readonly how: 'thrown' | 'timeout' | StrayFault
      readonly error: unknown
    }
  | { readonly type: 'stray_fault'; readonly how: StrayFault; readonly error: unknown }

export type Report = (event: ServerEvent) => void
