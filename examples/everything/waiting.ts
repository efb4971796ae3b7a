/** Waiting with progress, as several tools do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'

/** Longest wait or spin of one call. */
export const WAIT_MAX_MS = 600_000

const PROGRESS_EVERY_MS = 50

export const waiting = z.object({ ms: z.number().min(0).max(WAIT_MAX_MS).describe('How long, in milliseconds') })

/** Waits `ms`; calls `report` at every full 50 ms with 1, 2, 3, ... of floor(ms / 50). Rejects when `signal` aborts. */
export async function waitWithProgress(
  ms: number,
  signal: AbortSignal,
  report: (step: number, steps: number) => void,
): Promise<void> {
  const startedAt = performance.now()
  // A late timer shortens the next wait, so that many steps together take as long as they should.
  const until = (atMs: number) => sleep(Math.max(0, startedAt + atMs - performance.now()), undefined, { signal })
  const steps = Math.floor(ms / PROGRESS_EVERY_MS)
  for (let step = 1; step <= steps; step++) {
    await until(step * PROGRESS_EVERY_MS)
    report(step, steps)
  }
  await until(ms)
}
