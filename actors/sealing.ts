/**
 * The key that seals `requestState`, made by the first server that uses a store and kept there: whoever serves from the same
 * store opens what another sealed, also after a restart.
 */
import { createSealer, type Sealer } from '#auth/sealed-state'
import type { System } from '#runtime'
import type { RecordStore } from '#storage/port'
import type { Services } from './services.ts'

const SECRET_BYTES = 32
/** Keys that a store may hold: the newest seals, the older ones still open. */
const KEYS_MAX = 8

export interface KeyRecord {
  readonly id: string
  /** base64url. */
  readonly secret: string
  readonly createdAt: number
}

/** The sealer of an application, made when it is first needed. */
export function sealerOf(services: Services, system: System): Sealer {
  services.kept.sealer ??= makeSealer(services, system)
  return services.kept.sealer
}

/** The keys that the store of an application holds. */
export function keysOf({ store }: Services): RecordStore<KeyRecord> {
  return store.records<KeyRecord>('key', KEYS_MAX)
}

/** Takes what all members of a server seal with, so that each opens what any of them sealed. */
export function takeKeys(services: Services, keys: readonly KeyRecord[]): void {
  const records = keysOf(services)
  const wanted = new Set(keys.map(({ id }) => id))
  for (const { id } of records.list()) if (!wanted.has(id)) records.delete(id)
  for (const key of keys) if (records.get(key.id) === undefined) records.put(key)
  services.kept.sealer = undefined
}

function makeSealer(services: Services, system: System): Sealer {
  const records = keysOf(services)
  const known = [...records.list()]
  if (known.length === 0) {
    const createdAt = system.clock.wallNow()
    const key = { id: `k${createdAt.toString(36)}`, secret: system.random.token(SECRET_BYTES), createdAt }
    // A store that takes nothing now leaves it to this incarnation alone.
    records.put(key)
    known.push(key)
  }
  const newestFirst = known.sort((one, other) => other.createdAt - one.createdAt)
  const keys = newestFirst.map(({ id, secret }) => ({ id, secret: Buffer.from(secret, 'base64url') }))
  return createSealer({ keys, random: system.random, now: () => system.clock.wallNow() })
}
