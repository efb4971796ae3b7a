/**
 * Completion of prompt arguments and template variables: a list of candidates, or a function that finds them, ranked by how
 * they match what was typed.
 *
 *     await complete(['oslo', 'Odense', 'bergen'], 'o')                          // values: ['oslo', 'Odense']
 *     await complete(['oslo', 'bergen'], 'rg')                                   // values: ['bergen'], since none begins so
 *     await complete({ values: find, match: 'none' }, 'o')                       // what `find` gives, as it comes
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, server/utilities/completion.
 */
import { type Completion, describeValue } from '#protocol'
import { FeatureError, isRecord, refuse } from './definition.ts'
import { type Match, ranked } from './ranking.ts'

export interface CompletionContext {
  /** What the user has chosen for the other arguments. */
  readonly arguments: { readonly [name: string]: string }
}

/** All candidates, or a function of what was typed and of the other arguments. */
export type CompletionSource =
  | readonly string[]
  | ((prefix: string, context: CompletionContext) => readonly string[] | Promise<readonly string[]>)

/**
 * A source, or a source and how it is matched: 'prefix' takes candidates that begin with what was typed; 'fuzzy' also those with
 * a word that does, and those that hold its letters in order, best first; 'none' takes all as they come. The default is 'prefix',
 * and 'fuzzy' where no candidate begins so. Case does not matter. What a function gives is left as it comes where nothing of it
 * matches, since then it goes by something else than the text.
 */
export type Completer = CompletionSource | { readonly values: CompletionSource; readonly match?: Match }

/** Most values in one answer. */
export const COMPLETION_VALUES_MAX = 100
/** Most candidates that are looked at; those after them are left out. */
export const COMPLETION_CANDIDATES_MAX = 1_000_000

const noContext: CompletionContext = { arguments: {} }

/** The values for what was typed, best first. No source, no values. Rejects with a FeatureError for what is no list of strings. */
export async function complete(
  completer: Completer | undefined,
  value: string,
  context: CompletionContext = noContext,
): Promise<Completion> {
  if (completer === undefined) return { values: [], total: 0, hasMore: false }
  const { values: source, match }: { readonly values: CompletionSource; readonly match?: Match } =
    typeof completer === 'object' && 'values' in completer && !Array.isArray(completer)
      ? (completer as { readonly values: CompletionSource })
      : { values: completer as CompletionSource }
  const given: unknown = typeof source === 'function' ? await source(value, context) : source
  if (!isListOfStrings(given)) {
    throw new FeatureError('MCP_RESULT', `A completer must return an array of strings, got ${describeValue(given)}`)
  }
  const candidates = given.length > COMPLETION_CANDIDATES_MAX ? given.slice(0, COMPLETION_CANDIDATES_MAX) : given
  let found = ranked(candidates, value, match ?? 'best')
  if (found.length === 0 && typeof source === 'function' && match === undefined) found = candidates
  return {
    values: found.slice(0, COMPLETION_VALUES_MAX),
    total: found.length,
    hasMore: found.length > COMPLETION_VALUES_MAX,
  }
}

/** Throws a FeatureError for what cannot complete anything. */
export function checkCompleter(what: string, name: string, completer: unknown): void {
  const isWhole = isRecord(completer) && 'values' in completer
  const source: unknown = isWhole ? completer['values'] : completer
  if (typeof source !== 'function' && !isListOfStrings(source)) {
    refuse(what, `${name} must be an array of strings or a function, got ${describeValue(source)}`)
  }
  const match: unknown = isWhole ? completer['match'] : undefined
  if (match !== undefined && match !== 'prefix' && match !== 'fuzzy' && match !== 'none') {
    refuse(what, `${name}.match must be "prefix", "fuzzy" or "none", got ${describeValue(match)}`)
  }
}

function isListOfStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
