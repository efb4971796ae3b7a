/** How many scenarios are played against Erlang in all; `BOUGH_DIFFERENTIAL_RUNS=10000` takes about half a minute. */
const RUNS_TOTAL = Number(process.env['BOUGH_DIFFERENTIAL_RUNS'] ?? 500)

/** A property's share of them, from 0 to 1. */
export function shareOfRuns(share: number): number {
  return Math.ceil(RUNS_TOTAL * share)
}
