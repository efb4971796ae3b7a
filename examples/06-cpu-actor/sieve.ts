/** An actor that computes, and remembers what it has computed. It does not know that it runs in a thread. */
import { defineActor } from 'bough/runtime'

export const Sieve = defineActor({
  name: 'sieve',
  init: () => ({ known: new Map<number, number>() }),
  call: {
    /** How many primes there are below `limit`. */
    count: (state, limit: number) => {
      const known = state.known.get(limit)
      if (known !== undefined) return known
      const isComposite = new Uint8Array(limit)
      let count = 0
      for (let n = 2; n < limit; n++) {
        if (isComposite[n]) continue
        count++
        for (let multiple = n * n; multiple < limit; multiple += n) isComposite[multiple] = 1
      }
      state.known.set(limit, count)
      return count
    },
    remembered: (state) => state.known.size,
    /** Turns for ever and says so in shared memory. */
    forever: (_state, turns: SharedArrayBuffer): never => {
      for (;;) Atomics.add(new Int32Array(turns), 0, 1)
    },
  },
})
