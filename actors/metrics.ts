/**
 * The metrics process owns the counters of an application: others add to them without a message, this one reads them out.
 * Being a process it stands in the tree, and what it counted outlives a restart, since the table is the application's. While it
 * lives the program is watched for whoever reads.
 */
import type { Telemetry } from '#observability/telemetry'
import { type ChildSpec, child, defineActor, type Self, via } from '#runtime'
import type { Services } from './services.ts'

export const Metrics = defineActor({
  name: 'metrics',
  trapExits: true,
  init: ({ telemetry }: Services, self: Self<never>): Telemetry => {
    telemetry.start(self.system)
    // Killed, it has no last words, but nothing may be watched for nobody.
    self.signal.addEventListener('abort', () => telemetry.stop(), { once: true })
    return telemetry
  },
  call: {
    snapshot: ({ metrics }: Telemetry) => metrics.counters.snapshot(),
    text: (telemetry: Telemetry) => telemetry.text(),
  },
  terminate: (telemetry) => telemetry.stop(),
})

export function metricsChild(services: Services): ChildSpec {
  return child(Metrics, services, { id: 'metrics', name: via(services.names, 'metrics') })
}
