/** The revisions that are served, by name. */
export { latestRevision, legacyRevisions, negotiate, revisionOf } from './registry.ts'
export { type Feature, knowsMethod, type Revision } from './revision.ts'
