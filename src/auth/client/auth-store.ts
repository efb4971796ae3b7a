/**
 * What an OAuth client remembers, and the port to where it does: registrations by issuer, and for each server its tokens with
 * the metadata that they came by. A store holds the secrets of one user; give every user a store of their own.
 */
import type { JsonObject } from '#protocol/json-rpc'

/** Entries that a store keeps; the one written longest ago goes first. */
export const STORE_ENTRIES_MAX = 1_000

/** Where an OAuth client keeps what it was given. All of it is secret. Keys are texts of up to a few hundred characters. */
export interface AuthStore {
  get(key: string): Promise<JsonObject | undefined>
  set(key: string, value: JsonObject): Promise<void>
  delete(key: string): Promise<void>
}

/** A store that ends with the program. */
export function memoryAuthStore(): AuthStore {
  const entries = new Map<string, JsonObject>()
  return {
    get: async (key) => entries.get(key),
    set: async (key, value) => putBounded(entries, key, value),
    delete: async (key) => void entries.delete(key),
  }
}

/** Puts an entry at the end, and drops the oldest when there are too many. */
export function putBounded(entries: Map<string, JsonObject>, key: string, value: JsonObject): void {
  entries.delete(key)
  entries.set(key, value)
  for (const oldest of entries.keys()) {
    if (entries.size <= STORE_ENTRIES_MAX) return
    entries.delete(oldest)
  }
}
