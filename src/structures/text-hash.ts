/**
 * Hashes of texts, for tables: quick and well spread, not for secrets. After: MurmurHash3's mixing, one UTF-16 unit at a time.
 */

/** 32 bits, as a signed integer. */
export function hash32(text: string, seed = 0): number {
  let hash = seed ^ text.length
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x5bd1e995)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** 53 bits, as a safe integer: for telling whether a long text is the same as another. */
export function hash53(text: string): number {
  return (hash32(text, 0x9747b28c) >>> 11) * 2 ** 32 + (hash32(text) >>> 0)
}
