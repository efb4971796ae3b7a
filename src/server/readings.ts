/** The readings of an application: what is looked up in its tables and its system only when somebody asks for the metrics. */
import type { Services } from '#actors/services'
import { recordsOf, type TaskRecord } from '#actors/task-record'
import type { Telemetry } from '#observability/telemetry'
import type { System } from '#runtime'
import type { Listening } from '#transports/port'

/** Names them in its metrics; `services` and the system are asked for anew each time, as both may not be there yet. */
export function nameReadings(telemetry: Telemetry, services: () => Services | undefined): void {
  const { metrics } = telemetry
  const system = (): System | undefined => telemetry.system
  const of = (read: (services: Services) => number) => (): number | Iterable<readonly [string, number]> => {
    const current = services()
    return current === undefined ? [] : read(current)
  }
  metrics.read(
    'sessions',
    of(({ open }) => open.size),
  )
  metrics.read(
    'listens_open',
    of(({ listens }) => listens.size),
  )
  metrics.read(
    'draining',
    of(({ status }) => Number(status.isDraining)),
  )
  metrics.read('ready', () => {
    const isReady = services()?.status.isReady
    return isReady === undefined ? [] : Number(isReady)
  })
  metrics.read('requests_in_flight', () =>
    telemetry.isOn ? metrics.counters.get('requests') - metrics.counters.get('request_outcomes') : [],
  )
  metrics.read('store_fullness', () => services()?.store.fullness ?? [])
  metrics.read('event_logs', () => services()?.events.bytes ?? [])
  metrics.read(
    'calls_queued',
    of(({ overload }) => overload.gate.queued),
  )
  metrics.read(
    'pressure',
    of(({ overload }) => pressureLevels.indexOf(overload.pressure.level)),
  )
  metrics.read('tasks', () => tally(tasksOf(services()), ({ status }) => status))
  metrics.read('store_records', () => {
    const current = services()
    if (current === undefined) return []
    const { records, spent } = current
    return [
      ['session', records.size],
      ['spent', spent.size],
    ]
  })
  const byTransport = (of: (listening: Listening) => number | undefined) => (): [string, number][] =>
    [...(services()?.listening ?? [])].flatMap(([name, listening]) => {
      const value = listening === undefined ? undefined : of(listening)
      return value === undefined ? [] : [[name, value] as [string, number]]
    })
  for (const [metric, key] of transportCounts)
    metrics.read(
      metric,
      byTransport((one) => one.counts?.()[key]),
    )
  for (const [metric, key] of transportBytes)
    metrics.read(
      metric,
      byTransport((one) => one.bytes?.()[key]),
    )
  metrics.read('processes', () => tally(system()?.unorderedProcesses() ?? [], (process) => process.definition.name))
  metrics.read('mailbox_messages', () => mailboxes(system()).reduce((sum, length) => sum + length, 0))
  metrics.read('mailbox_longest', () => mailboxes(system()).reduce((most, length) => Math.max(most, length), 0))
  metrics.read('messages_handled', () => system()?.messagesHandled ?? 0)
  metrics.read('uptime', () => {
    const { system: runs, startedAt } = telemetry
    return runs === undefined ? [] : runs.clock.now() - startedAt
  })
  metrics.read('timers', () => system()?.timers.size ?? 0)
}

const pressureLevels = ['normal', 'elevated', 'critical']

const transportCounts = [
  ['connections_open', 'connections'],
  ['streams_open', 'streams'],
  ['bodies_buffered', 'bufferedBodyBytes'],
] as const

const transportBytes = [
  ['received', 'bytesReceived'],
  ['sent', 'bytesSent'],
] as const

function tasksOf(services: Services | undefined): Iterable<TaskRecord> {
  if (services === undefined) return []
  return recordsOf(services).list()
}

function mailboxes(system: System | undefined): number[] {
  return (system?.unorderedProcesses() ?? []).map(({ mailbox }) => mailbox.length)
}

function tally<T>(items: Iterable<T>, labelOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) {
    const label = labelOf(item)
    counts.set(label, (counts.get(label) ?? 0) + 1)
  }
  return counts
}
