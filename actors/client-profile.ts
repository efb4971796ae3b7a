/**
 * What sessions hold in common. Clients are many and their kinds few: those that say the same of themselves share one object
 * each, so that an idle session holds little of its own.
 */
import {
  type ClientCapabilities,
  type Implementation,
  type JsonObject,
  readClientCapabilities,
  type ServerCapabilities,
} from '#protocol'
import type { Services } from './services.ts'

/** What a client said of itself. */
export interface ClientProfile {
  readonly client: Implementation
  /** As the client sent them, for the record. */
  readonly sentCapabilities: JsonObject
  readonly capabilities: ClientCapabilities
}

/** Kinds of clients that are remembered; more are simply not shared. */
const PROFILES_MAX = 256
/** Characters of one that is remembered. */
const PROFILE_LENGTH_MAX = 4_096

interface Shared {
  readonly profiles: Map<string, ClientProfile>
  offered: { readonly text: string; readonly capabilities: ServerCapabilities } | undefined
}

/** By server, and gone with it. */
const shared = new WeakMap<Services, Shared>()

function sharedBy(services: Services): Shared {
  let found = shared.get(services)
  if (found === undefined) shared.set(services, (found = { profiles: new Map(), offered: undefined }))
  return found
}

/** The profile of a client, the same object for those that say the same. */
export function profileOf(services: Services, client: JsonObject, sentCapabilities: JsonObject): ClientProfile {
  const { profiles } = sharedBy(services)
  const text = JSON.stringify([client, sentCapabilities])
  const known = profiles.get(text)
  if (known !== undefined) return known
  const profile: ClientProfile = {
    // Checked by the method table when it came.
    client: client as unknown as Implementation,
    sentCapabilities,
    capabilities: readClientCapabilities(sentCapabilities),
  }
  if (text.length > PROFILE_LENGTH_MAX) return profile
  const [oldest] = profiles.keys()
  if (profiles.size >= PROFILES_MAX && oldest !== undefined) profiles.delete(oldest)
  profiles.set(text, profile)
  return profile
}

/** The capabilities that a server announces now, the same object while they are the same. */
export function offeredBy(services: Services): ServerCapabilities {
  const table = sharedBy(services)
  const capabilities = services.capabilities()
  const text = JSON.stringify(capabilities)
  if (table.offered?.text !== text) table.offered = { text, capabilities }
  return table.offered.capabilities
}
