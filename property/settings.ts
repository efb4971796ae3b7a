/** The seed of all properties: fixed, so that a run repeats; `BOUGH_SEED=7 npx vitest run property` tries another. */
export const seed = Number(process.env['BOUGH_SEED'] ?? 20_260_101)

/** How many cases a property tries: `BOUGH_RUNS=10` multiplies them by ten. */
export function runs(count: number): { readonly seed: number; readonly numRuns: number } {
  return { seed, numRuns: Math.round(count * Number(process.env['BOUGH_RUNS'] ?? 1)) }
}
