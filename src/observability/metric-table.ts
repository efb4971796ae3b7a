/**
 * Every metric there is: its name outside, what it is counted or read under inside, its unit, its labels, and what it says. What
 * /metrics prints, what the OpenTelemetry metrics API is offered and what docs/metrics.md lists are this table. A new metric is a
 * line here, and either a counter of that name that somebody adds to or a reading that somebody names.
 *
 * Labels are few by construction: methods of the protocol, transports, words of ours, names of what the server's author defined.
 * What a client can make up (URIs, names of unknown tools) is never a label: `labels: []` sums it up.
 */

export interface MetricRow {
  /** As Prometheus has it; counters end with _total, and units are base units. */
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** After UCUM: 's', 'By', '{request}', '1'. */
  readonly unit: string
  readonly labels: readonly string[]
  /** The counter, histogram or reading that it comes from. */
  readonly from: string
  /** What a value inside is multiplied by outside: 0.001 where milliseconds are kept. */
  readonly scale: number
  readonly description: string
}

type Labels = readonly string[]

/** Counts that only rise. `from` is the counter, and without _total the name. */
export const counter = (from: string, unit: string, labels: Labels, description: string): MetricRow => ({
  name: `bough_${from}_total`,
  kind: 'counter',
  unit: `{${unit}}`,
  labels,
  from,
  scale: 1,
  description,
})

/** Values as they stand. The unit is part of the name where it is one of seconds or bytes. */
export const gauge = (from: string, unit: string, labels: Labels, description: string): MetricRow => ({
  ...named(from, unit, ''),
  kind: 'gauge',
  labels,
  from,
  description,
})

/** Amounts of a unit that only rise: seconds (kept in milliseconds) or bytes. */
const amount = (from: string, unit: 'ms' | 'By', labels: Labels, description: string): MetricRow => ({
  ...named(from, unit, '_total'),
  kind: 'counter',
  labels,
  from,
  description,
})

/** How long something takes, kept in milliseconds. */
export const duration = (from: string, labels: Labels, description: string): MetricRow => ({
  ...named(from, 'ms', ''),
  kind: 'histogram',
  labels,
  from,
  description,
})

function named(from: string, unit: string, suffix: string): Pick<MetricRow, 'name' | 'unit' | 'scale'> {
  if (unit === 'ms') return { name: `bough_${from}_seconds${suffix}`, unit: 's', scale: 0.001 }
  if (unit === 'By') return { name: `bough_${from}_bytes${suffix}`, unit, scale: 1 }
  return { name: `bough_${from}${suffix}`, unit: unit === '1' ? unit : `{${unit}}`, scale: 1 }
}

export const metricTable: readonly MetricRow[] = [
  // Requests.
  counter('requests', 'request', ['method'], 'Requests that were let in.'),
  counter('request_outcomes', 'request', ['method', 'era', 'outcome'], 'Requests that ended, by how they did.'),
  duration('request_duration', ['method'], 'From when a request was let in to its answer.'),
  gauge('requests_in_flight', 'request', [], 'Requests that were let in and have no answer yet.'),
  counter('requests_cancelled', 'request', [], 'Requests that the client cancelled.'),
  counter('requests_timed_out', 'request', [], 'Requests that took longer than they may.'),
  counter('requests_refused', 'request', ['reason'], 'Requests that were not let in, for a limit or for pressure.'),
  counter('requests_unauthorized', 'request', ['status'], 'Requests whose token was missing or not good.'),
  counter('states_refused', 'request', ['reason'], 'Rounds of a request that came with a state which is not good.'),
  // What the server's author wrote.
  counter('tool_runs', 'run', ['outcome', 'tool'], 'Calls of tools that ended, by how they did.'),
  duration('tool_duration', ['tool'], 'From when a call of a tool was let in to its answer.'),
  counter('tool_failures', 'failure', ['tool'], 'Tools that threw, or returned what has no meaning.'),
  counter('resource_failures', 'failure', [], 'Resources that threw, or returned what has no meaning.'),
  counter('prompt_failures', 'failure', ['prompt'], 'Prompts that threw, or returned what has no meaning.'),
  counter('completion_failures', 'failure', [], 'Completers that threw, or returned what has no meaning.'),
  counter('tool_stray_faults', 'fault', ['tool'], 'Faults of tools that surfaced outside of a call.'),
  counter('resource_stray_faults', 'fault', [], 'Faults of resources that surfaced outside of a read.'),
  counter('prompt_stray_faults', 'fault', ['prompt'], 'Faults of prompts that surfaced outside of a request.'),
  counter('completion_stray_faults', 'fault', [], 'Faults of completers that surfaced outside of a request.'),
  counter('stray_faults', 'fault', [], 'Faults that could be traced to nothing.'),
  // Questions to clients.
  counter('questions', 'question', ['method', 'outcome'], 'Questions to clients that ended, by how they did.'),
  duration('question_duration', ['method'], 'From when a client was asked to its answer.'),
  // Sessions.
  gauge('sessions', 'session', [], 'Session subtrees now.'),
  gauge('sessions_open', 'session', [], 'Sessions that were opened and have not closed.'),
  counter('sessions_opened', 'session', [], 'Sessions that were opened.'),
  counter('sessions_closed', 'session', [], 'Sessions that ended, for whatever reason.'),
  counter('sessions_ended', 'session', ['reason'], 'Sessions that ended, by why: normal, shutdown, or a crash.'),
  counter('sessions_restored', 'session', [], 'Sessions of an earlier run whose clients came back.'),
  counter('sessions_expired', 'session', [], 'Sessions that ended because nobody used them.'),
  counter('sessions_refused', 'session', ['reason'], 'Sessions that were not opened.'),
  gauge('subscribers', 'subscriber', [], 'Sessions and listeners that want to be told of changes.'),
  gauge('subscribed_topics', 'topic', [], 'Resources, lists and elicitations that somebody wants to be told of.'),
  counter('announcements', 'announcement', [], 'Changes that were announced, once for each who is told.'),
  counter('changes_coalesced', 'change', [], 'Changes that were announced together with an earlier one.'),
  gauge('listens_open', 'stream', [], 'Open subscriptions/listen of the modern era.'),
  // Tasks.
  gauge('tasks', 'task', ['status'], 'Tasks that are kept, by status.'),
  counter('tasks_created', 'task', ['tool'], 'Tasks that were created.'),
  counter('tasks_completed', 'task', ['tool'], 'Tasks that completed.'),
  counter('tasks_failed', 'task', ['tool'], 'Tasks that failed.'),
  counter('tasks_cancelled', 'task', ['tool'], 'Tasks that were cancelled.'),
  counter('tasks_expired', 'task', [], 'Tasks that were forgotten when their time was up.'),
  counter('tasks_refused', 'task', [], 'Tasks that were not created, for a limit or the disk.'),
  counter('tasks_untold', 'change', [], 'Changes of tasks that nobody was told of, since the disk was too far behind.'),
  // Transports.
  counter('connections', 'connection', ['transport'], 'Connections that were taken and carry a session each.'),
  gauge('connections_open', 'connection', ['transport'], 'Open connections of the network transports.'),
  counter('connections_handed', 'connection', ['member'], 'Connections that a primary handed to its members.'),
  counter('connections_dropped', 'connection', [], 'Connections that a primary closed, as no member could take them.'),
  counter('requests_forwarded', 'request', [], 'Requests that reached another process than the one of their session.'),
  gauge('streams_open', 'stream', ['transport'], 'Open event streams.'),
  amount('received', 'By', ['transport'], 'Bytes that came in on connections of the network transports.'),
  amount('sent', 'By', ['transport'], 'Bytes that left on connections of the network transports.'),
  gauge('bodies_buffered', 'By', ['transport'], 'Bytes of requests that are not whole yet.'),
  // Processes.
  gauge('processes', 'process', ['definition'], 'Processes that live, by what they are.'),
  gauge('mailbox_messages', 'message', [], 'Messages that wait in all mailboxes.'),
  gauge('mailbox_longest', 'message', [], 'Messages that wait in the longest mailbox.'),
  counter(
    'mailbox_high_water',
    'report',
    ['definition'],
    'Mailboxes that grew past their high-water mark, or doubled beyond.',
  ),
  counter('messages_handled', 'message', [], 'Messages that processes have handled.'),
  counter('process_crashes', 'crash', ['definition'], 'Processes that crashed.'),
  counter('process_restarts', 'restart', ['child'], 'Children that a supervisor started again.'),
  counter('supervisor_reports', 'report', ['report'], 'What supervisors reported of their children.'),
  counter('dead_letters', 'message', [], 'Messages that reached nobody.'),
  counter('unexpected_messages', 'message', ['definition'], 'Messages that their receiver has no handler for.'),
  gauge('timers', 'timer', [], 'Timers that are running.'),
  // The store and the threads.
  gauge('store_records', 'record', ['kind'], 'Records that the store keeps, by kind.'),
  gauge('store_fullness', '1', [], 'How full the fuller of what may wait for the disk is, 0 to 1.'),
  gauge('event_logs', 'By', [], 'Bytes of messages that are kept for clients that resume.'),
  gauge('threads_pending', 'call', [], 'Calls that run in a thread or wait for one.'),
  // Limits under load.
  gauge('calls_queued', 'call', [], 'Calls that wait to begin.'),
  gauge('pressure', '1', [], 'How hard pressed the server is: 0 normal, 1 elevated, 2 critical.'),
  counter('pressure_changes', 'change', ['level'], 'Changes of that level, by the new one.'),
  counter('tool_calls_refused', 'call', ['tool'], 'Calls that the circuit breaker of their tool refused.'),
  counter('breaker_changes', 'change', ['phase'], 'Changes of circuit breakers of tools, by the new phase.'),
  // Kept answers.
  counter('cache_hits', 'answer', ['level'], 'Answers that were kept.'),
  counter('cache_misses', 'answer', ['why'], 'Answers that had to be made.'),
  counter('cache_joined', 'answer', [], 'Answers that somebody else was just making.'),
  counter('cache_stores', 'answer', [], 'Answers that were put aside.'),
  counter('cache_refusals', 'answer', [], 'Answers that were not taken in: too long, or there was no room.'),
  counter('cache_invalidations', 'change', [], 'Changes that made kept answers stale.'),
  counter('cache_swept', 'answer', [], 'Answers that were cleared away when their time was up.'),
  counter('cache_faults', 'fault', [], 'Failures of the cache; the answer was made anew.'),
  // The program.
  gauge('event_loop_delay_p50', 'ms', [], 'Median delay of the event loop since the last reading.'),
  gauge('event_loop_delay_p99', 'ms', [], '99th percentile of the delay of the event loop since the last reading.'),
  gauge('event_loop_delay_max', 'ms', [], 'Longest delay of the event loop since the last reading.'),
  gauge('event_loop_utilization', '1', [], 'Share of its time that the event loop was busy since the last reading.'),
  amount('cpu', 'ms', ['mode'], 'CPU time of the program.'),
  amount('gc', 'ms', ['kind'], 'Time that garbage collection took.'),
  counter('gc_runs', 'run', ['kind'], 'Garbage collections.'),
  gauge('heap_used', 'By', [], 'Heap in use.'),
  gauge('heap_size', 'By', [], 'Heap that is reserved.'),
  gauge('external_memory', 'By', [], 'Memory of buffers and native objects beside the heap.'),
  gauge('resident_memory', 'By', [], 'Resident memory of the program.'),
  gauge('open_file_descriptors', 'descriptor', [], 'Open file descriptors; where the system tells.'),
  gauge('uptime', 'ms', [], 'Time since the application was set up.'),
  // Seen from outside.
  gauge('ready', '1', [], '1 when the last look found the server ready, 0 when not.'),
  gauge('draining', '1', [], '1 while the server drains.'),
  counter('health_failures', 'failure', ['check'], 'Checks of readiness that failed.'),
  counter('log_lines', 'line', ['level'], 'Log lines that were written.'),
  counter('log_lines_left_out', 'line', ['level'], 'Log lines of a flood that were left out.'),
]
