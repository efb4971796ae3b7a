/**
 * Which revisions are served, and which one a session speaks.
 *
 *     negotiate('2025-06-18').version    // '2025-06-18'
 *     negotiate('1999-01-01').version    // '2025-11-25', the latest
 *
 * Spec: MCP 2025-11-25, basic/lifecycle, version negotiation.
 */
import { revision20241105 } from './2024-11-05.ts'
import { revision20250326 } from './2025-03-26.ts'
import { revision20250618 } from './2025-06-18.ts'
import { revision20251125 } from './2025-11-25.ts'
import type { Revision } from './revision.ts'

/** The stateful revisions, which open with `initialize`, oldest first. */
export const legacyRevisions: readonly Revision[] = [
  revision20241105,
  revision20250326,
  revision20250618,
  revision20251125,
]

/** What is offered to a peer that asks for a revision we do not have. */
export const latestRevision: Revision = revision20251125

const byVersion: ReadonlyMap<unknown, Revision> = new Map(
  legacyRevisions.map((revision) => [revision.version, revision]),
)

/** The revision of that version, or undefined when it is not served. */
export function revisionOf(version: unknown): Revision | undefined {
  return byVersion.get(version)
}

/** The revision to answer `initialize` with: the requested one when it is among `served`, otherwise the newest of them. */
export function negotiate(requested: unknown, served: readonly Revision[] = legacyRevisions): Revision {
  return served.find((revision) => revision.version === requested) ?? served.at(-1) ?? latestRevision
}
