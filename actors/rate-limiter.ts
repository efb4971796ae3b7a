/**
 * The rate limiter owns the token buckets of a server and forgets those that are full again. Whoever takes a token does so in the
 * table, without a message: a request that is to be refused must cost less than one that is served. The tables are the
 * application's, so a restart of this process lets nobody begin anew.
 */
import { type ChildSpec, child, defineActor, type Self, via } from '#runtime'
import type { Services } from './services.ts'

/** Milliseconds between two sweeps. */
const SWEEP_MS = 10_000
/** Buckets of one table that one sweep looks at. */
const SWEPT_MAX = 10_000

export const RateLimiter = defineActor({
  name: 'rate-limiter',
  init: (services: Services, self: Self<never>) => {
    if (Object.keys(services.overload.rates).length > 0) sweepLater(self as Self)
    return services
  },
  call: {
    /** Buckets kept now, by scope. */
    sizes: ({ overload }) =>
      Object.fromEntries(Object.entries(overload.rates).map(([scope, { size }]) => [scope, size])),
  },
  info: ({ overload }, _sweep, self) => {
    const now = self.now()
    for (const table of Object.values(overload.rates)) table.sweep(now, SWEPT_MAX)
    sweepLater(self as Self)
  },
})

function sweepLater(self: Self): void {
  self.sendAfter(SWEEP_MS, 'sweep')
}

export function rateLimiterChild(services: Services): ChildSpec {
  return child(RateLimiter, services, { id: 'rate-limiter', name: via(services.names, 'rate-limiter') })
}
