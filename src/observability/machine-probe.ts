/** How this program stands with its memory: the port through which pressure is measured, and this machine behind it. */
import { getHeapStatistics } from 'node:v8'

export interface MachineSample {
  /** How late a look at the clock was, in milliseconds. */
  readonly loopDelayMs: number
  /** Used part of the heap's limit, 0 to 1. */
  readonly heapRatio: number
  /** Resident set in bytes. */
  readonly rssBytes: number
  /** Its part of what this program may have, 0 where nothing says how much that is. */
  readonly rssRatio: number
}

/** Takes a sample; `lateMs` is how late whoever asks comes to ask. A test answers with what it likes. */
export type MachineProbe = (lateMs: number) => MachineSample

/** Cgroups without a limit report one of about 2 to the 63rd. */
const NO_LIMIT_BYTES = 2 ** 60

/** Looks at this machine. Costs about 20 microseconds. */
export function machineProbe(): MachineProbe {
  const constrained = process.constrainedMemory?.() ?? 0
  const limitBytes = constrained > 0 && constrained < NO_LIMIT_BYTES ? constrained : 0
  return (lateMs) => {
    const { used_heap_size, heap_size_limit } = getHeapStatistics()
    const rssBytes = process.memoryUsage.rss()
    return {
      loopDelayMs: lateMs,
      heapRatio: used_heap_size / heap_size_limit,
      rssBytes,
      rssRatio: limitBytes === 0 ? 0 : rssBytes / limitBytes,
    }
  }
}
