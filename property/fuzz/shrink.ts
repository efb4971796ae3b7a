/** The least of an input that still shows a fault: pieces are cut out, from halves to single bytes, as long as it fails. */

/** Runs that one shrinking may take. */
export const SHRINK_RUNS_MAX = 2_000
/** Milliseconds that one shrinking may take. */
const SHRINK_MS_MAX = 10_000

/** `fails` tells whether an input still shows the same fault. */
export async function shrunk(input: Buffer, fails: (candidate: Buffer) => Promise<boolean>): Promise<Buffer> {
  const until = performance.now() + SHRINK_MS_MAX
  let best = input
  let left = SHRINK_RUNS_MAX
  for (let size = Math.ceil(best.length / 2); size >= 1 && left > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length && left > 0 && performance.now() < until; ) {
      const candidate = Buffer.concat([best.subarray(0, at), best.subarray(at + size)])
      left--
      if (await fails(candidate)) best = candidate
      else at += size
    }
  }
  return best
}
