/**
 * Which revisions are served, and which one a session speaks. A new revision is a file of its own and a line here.
 *
 *     negotiate('2025-06-18').version    // '2025-06-18'
 *     negotiate('1999-01-01').version    // '2025-11-25', the latest of those that open with initialize
 *
 * Spec: MCP 2025-11-25, basic/lifecycle, version negotiation; MCP 2026-07-28, basic/versioning.
 */
import { revision20241105 } from './2024-11-05.ts'
import { revision20250326 } from './2025-03-26.ts'
import { revision20250618 } from './2025-06-18.ts'
import { revision20251125 } from './2025-11-25.ts'
import { revision20260728 } from './2026-07-28.ts'
import type { Revision } from './revision.ts'

/** Every revision, oldest first. */
export const allRevisions: readonly Revision[] = [
  revision20241105,
  revision20250326,
  revision20250618,
  revision20251125,
  revision20260728,
]

/** The stateful revisions, which open with `initialize`, oldest first. */
export const legacyRevisions: readonly Revision[] = allRevisions.filter((revision) => revision.era === 'legacy')

/** The revisions in which every request says for itself who asks, oldest first. */
export const modernRevisions: readonly Revision[] = allRevisions.filter((revision) => revision.era === 'modern')

/** What is offered in a session to a peer that asks for a revision we do not have. */
export const latestRevision: Revision = revision20251125

const byVersion: ReadonlyMap<unknown, Revision> = new Map(allRevisions.map((revision) => [revision.version, revision]))

/** The revision of that version, or undefined when there is none. */
export function revisionOf(version: unknown): Revision | undefined {
  return byVersion.get(version)
}

/**
 * The revision to answer `initialize` with: the requested one when it is a legacy one among `served`, otherwise the newest
 * such; the latest of all when none is served. Modern revisions have no `initialize`, so none is ever answered.
 */
export function negotiate(requested: unknown, served: readonly Revision[] = legacyRevisions): Revision {
  const legacy = served.filter((revision) => revision.era === 'legacy')
  return legacy.find((revision) => revision.version === requested) ?? legacy.at(-1) ?? latestRevision
}
