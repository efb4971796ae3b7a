/**
 * Prompts made of prompts: where a prompt's messages name another prompt, the other's messages stand in its place. Depth and
 * number are bounded, and a prompt that comes to include itself is an error that shows the way round.
 *
 *     server.prompt('rules', { get: () => 'Be kind.' })
 *     server.prompt('review', { get: () => [{ prompt: 'rules' }, { role: 'user', content: text('Review this.') }] })
 */
import { type PromptMessage, type PromptResult, ProtocolError } from '#protocol'
import type { Catalog } from './catalog.ts'
import type { ToolContext } from './context.ts'
import { FeatureError } from './definition.ts'
import { isInclude, type Prompt, promptArguments, toPromptDraft } from './prompt.ts'

/** Prompts inside one another, the one that was asked for among them. */
export const PROMPT_DEPTH_MAX = 8
/** Prompts that one request may run, and messages that may come of it. */
export const PROMPT_INCLUDES_MAX = 256
export const PROMPT_MESSAGES_MAX = 10_000

/**
 * The result of a prompt with checked arguments, others included where it names them. Throws a FeatureError `MCP_RESULT` for an
 * unknown prompt, arguments that it does not take, a cycle, or too many; and whatever `get` throws.
 */
export async function renderPrompt(
  catalog: Catalog,
  prompt: Prompt,
  args: { readonly [name: string]: string },
  ctx: ToolContext,
): Promise<PromptResult> {
  let count = 0
  const messages: PromptMessage[] = []

  const render = async (one: Prompt, given: { readonly [name: string]: string }, way: readonly string[]) => {
    if (++count > PROMPT_INCLUDES_MAX) throw bad(way, `it runs more than ${PROMPT_INCLUDES_MAX} prompts`)
    const draft = toPromptDraft(await one.get(given, ctx), one)
    for (const item of draft.messages) {
      if (isInclude(item)) {
        const next = [...way, item.prompt]
        if (way.includes(item.prompt)) throw bad(next, 'it includes itself')
        if (next.length > PROMPT_DEPTH_MAX) throw bad(next, `it goes deeper than ${PROMPT_DEPTH_MAX} prompts`)
        const other = catalog.prompts.get(item.prompt)
        if (other === undefined) throw bad(next, `there is no prompt "${item.prompt}"`)
        await render(other, checked(other, item.arguments, next), next)
      } else if (messages.push(item) > PROMPT_MESSAGES_MAX) {
        throw bad(way, `it has more than ${PROMPT_MESSAGES_MAX} messages`)
      }
    }
    return draft
  }
  const { messages: _own, ...head } = await render(prompt, args, [prompt.key])
  return { ...head, messages }
}

/** What is wrong with the arguments of an included prompt is the including prompt's fault, not the client's. */
function checked(prompt: Prompt, given: unknown, way: readonly string[]): { readonly [name: string]: string } {
  try {
    return promptArguments(prompt, given)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw bad(way, error.message)
  }
}

function bad(way: readonly string[], why: string): FeatureError {
  return new FeatureError('MCP_RESULT', `Prompt "${way[0]}" cannot be put together: ${why} (${way.join(' -> ')})`)
}
