/** Chance as the system sees it: seeded in a simulation, so that a run can be repeated exactly. */
import { randomBytes } from 'node:crypto'

/** A source of chance; `createSystem({ random })` takes one. */
export interface Random {
  /** A number in [0, 1), good enough for jitter and sampling, not for secrets. */
  next(): number
  /** `bytes` random bytes as base64url text; from the operating system unless simulated, so fit for session ids. */
  token(bytes: number): string
}

/** Chance from this machine. */
export const realRandom: Random = {
  next: () => Math.random(),
  token: (bytes) => randomBytes(bytes).toString('base64url'),
}
