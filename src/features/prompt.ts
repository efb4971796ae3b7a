/**
 * Prompts: templates of messages that a user picks. Arguments are strings; `get` is called only when the required ones came.
 *
 *     definePrompt('review', {
 *       arguments: [{ name: 'code', required: true }, { name: 'tone', complete: ['kind', 'strict'] }],
 *       get: ({ code }) => `Review this code:\n${code}`,
 *     })
 *
 * Spec: MCP 2025-11-25, server/prompts.
 */
import {
  contentFault,
  describeValue,
  type Icon,
  invalidParams,
  type JsonObject,
  type PromptEntity,
  type PromptMessage,
  type PromptResult,
  text,
} from '#protocol'
import type { Completer } from './completion.ts'
import type { ToolContext } from './context.ts'
import { checkIcons, checkOptions, checkTexts, FeatureError, isRecord, pick, refuse } from './definition.ts'

export interface PromptArgument {
  readonly name: string
  readonly title?: string
  readonly description?: string
  /** Default false. */
  readonly required?: boolean
  readonly complete?: Completer
}

/** Text (one user message), messages, or the whole result. */
export type PromptReturn = string | readonly PromptMessage[] | PromptResult

/** What `get` receives: required arguments are strings, others may be absent. */
export type PromptArguments<A extends readonly PromptArgument[]> = {
  readonly [K in A[number] as K['name']]: K extends { readonly required: true } ? string : string | undefined
}

export interface PromptOptions<A extends readonly PromptArgument[] = readonly PromptArgument[]> {
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly arguments?: A
  /** Each `src` is an https: or data: URI. */
  readonly icons?: readonly Icon[] | undefined
  readonly _meta?: JsonObject | undefined
  get(args: PromptArguments<A>, ctx: ToolContext): PromptReturn | Promise<PromptReturn>
}

/** A prompt made ready. */
export interface Prompt {
  readonly kind: 'prompt'
  /** The name. */
  readonly key: string
  readonly entity: PromptEntity
  /** By argument name. */
  readonly complete: { readonly [argument: string]: Completer }
  /** Takes what `promptArguments` gave. */
  get(args: { readonly [name: string]: string }, ctx: ToolContext): unknown
}

/** Makes a prompt ready. Throws a FeatureError that names the prompt and the option. */
export function definePrompt<const A extends readonly PromptArgument[] = readonly PromptArgument[]>(
  name: string,
  options: PromptOptions<A>,
): Prompt {
  if (typeof name !== 'string' || name === '') refuse('Prompt', `the name must be a string, got ${describeValue(name)}`)
  const what = `Prompt "${name}"`
  checkOptions(what, options, 'get')
  checkTexts(what, options, ['title', 'description'])
  checkIcons(what, options.icons)
  const declared: readonly PromptArgument[] = options.arguments ?? []
  if (!Array.isArray(declared)) refuse(what, `arguments must be an array, got ${describeValue(declared)}`)
  const complete: Record<string, Completer> = Object.create(null)
  const seen = new Set<string>()
  for (const [index, argument] of declared.entries()) {
    if (typeof argument?.name !== 'string' || argument.name === '') {
      refuse(what, `arguments[${index}].name must be a string, got ${describeValue(argument?.name)}`)
    }
    if (seen.has(argument.name)) refuse(what, `has two arguments named "${argument.name}"`)
    seen.add(argument.name)
    if (argument.complete !== undefined) complete[argument.name] = argument.complete
  }
  return {
    kind: 'prompt',
    key: name,
    entity: {
      name,
      ...pick(options, ['title', 'description']),
      ...(declared.length > 0 && {
        arguments: declared.map((argument) => pick(argument, ['name', 'title', 'description', 'required'])),
      }),
      ...pick(options, ['icons', '_meta']),
    } as PromptEntity, // pick leaves out what is undefined
    complete,
    // `promptArguments` saw to it that required arguments are there.
    get: (args, ctx) => options.get(args as PromptArguments<A>, ctx),
  }
}

/** The arguments that a client sent. Throws a ProtocolError -32602 naming those that are missing or no strings. */
export function promptArguments(prompt: Prompt, sent: unknown): { readonly [name: string]: string } {
  const start = `Prompt "${prompt.key}"`
  if (sent !== undefined && !isRecord(sent))
    throw invalidParams(`${start}: arguments must be an object, got ${describeValue(sent)}`)
  const given = sent ?? {}
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string')
      throw invalidParams(`${start}: argument "${name}" must be a string, got ${describeValue(value)}`)
  }
  const missing = (prompt.entity.arguments ?? []).filter(
    (argument) => argument.required && !Object.hasOwn(given, argument.name),
  )
  if (missing.length > 0) {
    const names = missing.map((argument) => `"${argument.name}"`).join(', ')
    throw invalidParams(`${start}: missing required ${missing.length === 1 ? 'argument' : 'arguments'} ${names}`)
  }
  return given as { readonly [name: string]: string } // each value was checked
}

/** Shapes what `get` returned. Throws a FeatureError `MCP_RESULT` for a value that has no meaning. */
export function toPromptResult(returned: unknown, prompt: Prompt): PromptResult {
  const { description } = prompt.entity
  const head = description === undefined ? {} : { description }
  if (typeof returned === 'string') return { ...head, messages: [{ role: 'user', content: text(returned) }] }
  if (Array.isArray(returned)) return { ...head, messages: checkedMessages(returned, prompt) }
  if (isRecord(returned) && Array.isArray(returned['messages'])) {
    const { messages, description: own, _meta } = returned
    return {
      ...(typeof own === 'string' ? { description: own } : head),
      messages: checkedMessages(messages as readonly unknown[], prompt),
      ...(isRecord(_meta) && { _meta }),
    }
  }
  const forms = 'Return a string, an array of messages, or { messages }'
  throw new FeatureError('MCP_RESULT', `Prompt "${prompt.key}": get returned ${describeValue(returned)}. ${forms}`)
}

function checkedMessages(messages: readonly unknown[], prompt: Prompt): readonly PromptMessage[] {
  for (const [index, message] of messages.entries()) {
    const start = `Prompt "${prompt.key}": messages[${index}]`
    if (!isRecord(message) || (message['role'] !== 'user' && message['role'] !== 'assistant')) {
      throw new FeatureError('MCP_RESULT', `${start} needs the role "user" or "assistant"`)
    }
    const fault = contentFault(message['content'])
    if (fault !== undefined) throw new FeatureError('MCP_RESULT', `${start}.content ${fault}`)
  }
  return messages as readonly PromptMessage[] // each was checked
}
