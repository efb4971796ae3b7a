/**
 * Chance from a seed: the same seed gives the same numbers and tokens on every machine. The generator is sfc32 (a chaotic
 * counter of 128 bits); it is for tests, not for secrets.
 */
import type { Random } from '#runtime'

/** Creates a generator. `stream` tells apart generators that share a seed, so that one does not disturb the other. */
export function createRandom(seed: number, stream = 0): Random {
  const WARM_UP_ROUNDS = 12
  let a = seed | 0
  // The high half of seeds above 32 bits, and of fractions, counts too.
  let b = Math.floor(seed / 4_294_967_296) | 0
  let c = stream | 0
  let counter = 1
  const nextInt = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return sum >>> 0
  }
  for (let round = 0; round < WARM_UP_ROUNDS; round++) nextInt()
  return {
    next: () => nextInt() / 4_294_967_296,
    token: (bytes) => Buffer.from(Array.from({ length: bytes }, () => nextInt() >>> 24)).toString('base64url'),
  }
}
