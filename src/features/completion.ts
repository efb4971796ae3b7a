/**
 * Completion of prompt arguments and template variables: a fixed list, filtered by prefix, or a function that finds
 * candidates itself.
 *
 *     await complete(['oslo', 'Odense', 'bergen'], 'o')   // { values: ['oslo', 'Odense'], total: 2, hasMore: false }
 *
 * Spec: MCP 2025-11-25, server/utilities/completion.
 */
import { type Completion, describeValue } from '#protocol'
import { FeatureError } from './definition.ts'

export interface CompletionContext {
  /** What the user has chosen for the other arguments. */
  readonly arguments: { readonly [name: string]: string }
}

export type Completer =
  | readonly string[]
  | ((prefix: string, context: CompletionContext) => readonly string[] | Promise<readonly string[]>)

/** Most values in one answer. */
export const COMPLETION_VALUES_MAX = 100

const noContext: CompletionContext = { arguments: {} }

/** The candidates for `value`: a list's by prefix, without regard to case; a function's as they come. No source, no values. */
export async function complete(
  source: Completer | undefined,
  value: string,
  context: CompletionContext = noContext,
): Promise<Completion> {
  if (source === undefined) return { values: [], total: 0, hasMore: false }
  const found = typeof source === 'function' ? await source(value, context) : byPrefix(source, value)
  if (!Array.isArray(found) || !found.every((item) => typeof item === 'string')) {
    throw new FeatureError('MCP_RESULT', `A completer must return an array of strings, got ${describeValue(found)}`)
  }
  return {
    values: found.slice(0, COMPLETION_VALUES_MAX),
    total: found.length,
    hasMore: found.length > COMPLETION_VALUES_MAX,
  }
}

function byPrefix(candidates: readonly string[], value: string): readonly string[] {
  const prefix = value.toLowerCase()
  return candidates.filter((candidate) => candidate.toLowerCase().startsWith(prefix))
}
