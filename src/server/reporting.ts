/** Where a server's events go: into its counters, the log and the caller's own sink; and what it is measured with. */
import { logEvents } from '#observability/event-log'
import { createLogger, type LogDoor, throughDoor } from '#observability/logger'
import type { Report, ServerEvent } from '#observability/report'
import { Telemetry } from '#observability/telemetry'
import { traceIdOf } from '#observability/w3c'
import type { Counters } from '#structures/counters'
import { observeOf } from './observe-options.ts'
import type { ApplicationOptions } from './options.ts'

export interface Reporting {
  readonly report: Report
  readonly telemetry: Telemetry
  /** What its log lines pass; undefined without a logger. */
  readonly log: LogDoor | undefined
}

/** Throws a `TypeError` for wrong options. */
export function reporter(options: ApplicationOptions): Reporting {
  const telemetry = new Telemetry(undefined, observeOf(options.observe).isOn)
  const { counters } = telemetry.metrics
  const log = options.logger === false ? undefined : throughDoor(options.logger ?? createLogger())
  if (log !== undefined) log.counted = (name, level, by) => counters.add(name, by, level)
  const write = log === undefined ? undefined : logEvents(log, idsOf)
  const report = (event: ServerEvent): void => {
    count(counters, event)
    write?.(event)
    options.events?.(event)
  }
  return { report, telemetry, log }
}

function count(counters: Counters, event: ServerEvent): void {
  switch (event.type) {
    case 'crash':
      return counters.add('process_crashes', 1, event.definition)
    case 'supervisor':
      counters.add('supervisor_reports', 1, event.report)
      if (event.report === 'restarted') counters.add('process_restarts', 1, event.child ?? '')
      return
    case 'dead_letter':
      return counters.add('dead_letters', event.count)
    case 'high_water':
      return counters.add('mailbox_high_water', 1, event.definition)
    case 'unexpected_message':
      return counters.add('unexpected_messages', 1, event.definition)
    case 'stray_fault':
      return counters.add('stray_faults')
    case 'session_closed':
      return counters.add('sessions_ended', 1, endOf(event.why))
  }
}

/** The reason of an end as one of few words. */
function endOf(why: string): string {
  return why === 'normal' || why === 'killed' ? why : why.includes('shutdown') ? 'shutdown' : 'crash'
}

/** What the states of our own processes say of whom they worked for; the kernel's events cannot know it. */
function idsOf(definition: string, state: unknown): object | undefined {
  // The shapes are those of the actors of these names; what is missing is left out.
  const { arg, job, record } = (state ?? {}) as {
    readonly arg?: { readonly id?: unknown }
    readonly job?: { readonly id?: unknown; readonly session?: { readonly id: string }; readonly params?: object }
    readonly record?: { readonly id?: unknown; readonly sessionId?: unknown }
  }
  if (definition === 'session') return { session: arg?.id }
  if (definition === 'request') {
    const { _meta } = (job?.params ?? {}) as { readonly _meta?: Record<string, unknown> }
    return { session: job?.session?.id, request: job?.id, trace: traceIdOf(_meta ?? {}) }
  }
  return definition === 'task' ? { session: record?.sessionId, task: record?.id } : undefined
}
