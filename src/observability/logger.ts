/**
 * Events as log lines, through pino: JSON on standard error unless the caller brings a logger. Standard output is never
 * written to: on the stdio transport it belongs to the protocol.
 */

import { type DestinationStream, pino } from 'pino'
import { describeReason } from '#runtime'
import type { Report, ServerEvent } from './report.ts'

/** The part of a pino logger that is used; any logger with these methods will do. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface LoggerOptions {
  /** The least severe level written; default 'info'. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Default standard error. */
  readonly destination?: DestinationStream
}

/** Log lines that may wait for standard error, in bytes; later ones are dropped. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024

/** The logger that a server uses unless it is given another. */
export function createLogger(options: LoggerOptions = {}): Logger {
  // Asynchronous and bounded: a peer that never reads our standard error must not stop the server, nor fill its memory.
  const destination = options.destination ?? pino.destination({ fd: 2, sync: false, maxLength: UNWRITTEN_BYTES_MAX })
  return pino({ name: 'bough', level: options.level ?? 'info' }, destination)
}

/** Writes every event at the level it deserves. */
export function logEvents(logger: Logger): Report {
  return (event) => {
    const { level, message } = line(event)
    logger[level](fieldsOf(event), message)
  }
}

function line(event: ServerEvent): { level: keyof Logger; message: string } {
  switch (event.type) {
    case 'feature_failed':
      return {
        level: 'error',
        message: `${event.kind} "${event.name}" failed (${event.how}): ${describeReason(event.error)}`,
      }
    case 'stray_fault':
      return {
        level: 'error',
        message: `A fault strayed from code that is no tool's (${event.how}): ${describeReason(event.error)}`,
      }
    case 'crash':
      return { level: 'error', message: `${event.definition} <${event.pid}> crashed: ${describeReason(event.reason)}` }
    case 'supervisor':
      return {
        level: event.report === 'restarted' ? 'warn' : event.report === 'child_terminated' ? 'warn' : 'error',
        message: `${event.definition}: ${event.report.replaceAll('_', ' ')} "${event.child ?? ''}"${event.reason === undefined ? '' : `: ${describeReason(event.reason)}`}`,
      }
    case 'listening':
      return { level: 'info', message: `Listening on ${event.url}` }
    case 'draining':
      return { level: 'info', message: `Draining ${event.transport}` }
    case 'session_refused':
      return { level: 'warn', message: `Refused a session (${event.why})` }
    case 'high_water':
      return { level: 'warn', message: `${event.definition} <${event.pid}> has ${event.length} messages waiting` }
    case 'unexpected_message':
      return { level: 'warn', message: `${event.definition} <${event.pid}> got a message it has no handler for` }
    default:
      return { level: 'debug', message: event.type.replaceAll('_', ' ') }
  }
}

/**
 * The event as log fields; errors under `err`, where pino looks for them. A crashed process's state and last message are left
 * out: they may hold what no log should.
 */
function fieldsOf(event: ServerEvent): object {
  const { type, ...rest } = event as ServerEvent & { readonly error?: unknown; readonly reason?: unknown }
  const { error, reason, state, lastMessage, ...fields } = rest as Readonly<Record<string, unknown>>
  const cause = error ?? reason
  return {
    event: type,
    ...fields,
    ...(cause instanceof Error ? { err: cause } : cause === undefined ? {} : { reason: describeReason(cause) }),
  }
}
