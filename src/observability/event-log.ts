/** Events as log lines: which module's they are, at which level, in which words. */
import { describeReason } from '#runtime'
import type { LineLevel, LogModule } from './log-levels.ts'
import { type Logger, throughDoor } from './logger.ts'
import type { Report, ServerEvent } from './report.ts'

/** Which session, request and trace a process that crashed worked for, as far as its state tells. */
export type IdsOf = (definition: string, state: unknown) => object | undefined

/** Writes every event at the level it deserves. `idsOf` finds the ids that the kernel cannot know. */
export function logEvents(logger: Logger, idsOf?: IdsOf): Report {
  const door = throughDoor(logger)
  return (event) => {
    const { level, message } = line(event)
    const module = moduleOfEvent(event)
    if (door.levels.allows(module, level)) door[level]({ module, ...fieldsOf(event, idsOf) }, message)
  }
}

function line(event: ServerEvent): { level: LineLevel; message: string } {
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
    case 'pressure': {
      const why = event.because.length === 0 ? '' : ` (${event.because.join(', ')})`
      const level = event.level === 'normal' ? 'info' : 'warn'
      return { level, message: `Pressure is ${event.level}, was ${event.from}${why}` }
    }
    case 'breaker':
      return event.phase === 'open'
        ? {
            level: 'warn',
            message: `Tool "${event.tool}" failed ${event.failures} times in a row and is not called now`,
          }
        : { level: 'info', message: `The circuit of tool "${event.tool}" is ${event.phase.replace('_', ' ')}` }
    case 'high_water':
      return { level: 'warn', message: `${event.definition} <${event.pid}> has ${event.length} messages waiting` }
    case 'unexpected_message':
      return { level: 'warn', message: `${event.definition} <${event.pid}> got a message it has no handler for` }
    case 'unauthorized':
      return { level: 'info', message: `Refused a request for its credentials (${event.status})` }
    case 'readiness':
      return event.isReady
        ? { level: 'info', message: 'Ready' }
        : { level: 'warn', message: `Not ready: ${event.why.join(' ')}` }
    default:
      return { level: 'debug', message: event.type.replaceAll('_', ' ') }
  }
}

/** Whose line it is: of a process, the part of the server that it belongs to. */
function moduleOfEvent(event: ServerEvent): LogModule {
  switch (event.type) {
    case 'feature_failed':
      return 'requests'
    case 'listening':
    case 'draining':
      return 'transports'
    case 'session_opened':
    case 'session_closed':
    case 'session_refused':
      return 'sessions'
    case 'unauthorized':
      return 'auth'
    case 'readiness':
    case 'pressure':
      return 'health'
    case 'breaker':
      return 'requests'
    case 'supervisor':
      return 'supervisor'
    case 'crash':
    case 'dead_letter':
    case 'high_water':
    case 'unexpected_message':
      return moduleOfProcess(event.definition)
    default:
      return 'kernel'
  }
}

const prefixes: readonly (readonly [string, LogModule])[] = [
  ['session', 'sessions'],
  ['request', 'requests'],
  ['question', 'requests'],
  ['listener', 'transports'],
  ['store', 'store'],
  ['task', 'tasks'],
  ['client', 'client'],
  ['health', 'health'],
  ['pressure', 'health'],
]

function moduleOfProcess(definition: string): LogModule {
  return prefixes.find(([prefix]) => definition.startsWith(prefix))?.[1] ?? 'kernel'
}

/**
 * The event as log fields; errors under `err`, where pino looks for them. A crashed process's state and last message are left
 * out: they may hold what no log should.
 */
function fieldsOf(event: ServerEvent, idsOf: IdsOf | undefined): object {
  const { type, ...rest } = event as ServerEvent & { readonly error?: unknown; readonly reason?: unknown }
  const { error, reason, state, lastMessage, ...fields } = rest as Readonly<Record<string, unknown>>
  const cause = error ?? reason
  return {
    event: type,
    ...(event.type === 'crash' && idsOf?.(event.definition, state)),
    ...fields,
    ...(cause instanceof Error ? { err: cause } : cause === undefined ? {} : { reason: describeReason(cause) }),
  }
}
