/** The metrics of one client, as metric-table.ts has those of a server. */
import { counter, duration, gauge, type MetricRow } from './metric-table.ts'

export const clientMetricTable: readonly MetricRow[] = [
  counter('client_requests', 'request', ['method', 'outcome'], 'Requests that ended, by how they did.'),
  duration('client_request_duration', ['method'], 'From when a request was made to its answer, tries anew included.'),
  counter('client_questions', 'question', ['method', 'outcome'], 'Questions of the server that were answered.'),
  counter('client_connections', 'connection', [], 'How often the connection came up.'),
  gauge('client_connected', '1', [], '1 while the connection operates, 0 otherwise.'),
]
