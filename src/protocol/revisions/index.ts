/** The revisions that are served, by name. */
export { allRevisions, latestRevision, legacyRevisions, modernRevisions, negotiate, revisionOf } from './registry.ts'
export { type Feature, knowsMethod, type ResultContext, type Revision } from './revision.ts'
