/**
 * Prompts: templates of messages that a user picks. Arguments are strings; `get` is called only when the required ones came.
 *
 *     definePrompt('review', {
 *       arguments: [{ name: 'code', required: true }, { name: 'tone', enum: ['kind', 'strict'] }],
 *       get: ({ code }) => [{ prompt: 'house-rules' }, { role: 'user', content: text(`Review this code:\n${code}`) }],
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
import { type Completer, checkCompleter } from './completion.ts'
import type { ToolContext } from './context.ts'
import { checkOptions, checkShown, checkTexts, FeatureError, isRecord, pick, refuse } from './definition.ts'

export interface PromptArgument {
  readonly name: string
  readonly title?: string
  readonly description?: string
  /** Default false. */
  readonly required?: boolean
  /** The only values that are taken; they complete the argument unless `complete` does. */
  readonly enum?: readonly string[]
  readonly complete?: Completer
}

/** The messages of another prompt, in the place of this item. */
export interface PromptInclude {
  /** The other prompt's name. */
  readonly prompt: string
  readonly arguments?: { readonly [name: string]: string }
}

/** Text (one user message), messages and other prompts, or the whole result. */
export type PromptReturn =
  | string
  | readonly (PromptMessage | PromptInclude)[]
  | (Omit<PromptResult, 'messages'> & { readonly messages: readonly (PromptMessage | PromptInclude)[] })

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
  /** The values that an argument may have, by its name; the others may have any. */
  readonly values: ReadonlyMap<string, ReadonlySet<string>>
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
  checkShown(what, options)
  const declared: readonly PromptArgument[] = options.arguments ?? []
  if (!Array.isArray(declared)) refuse(what, `arguments must be an array, got ${describeValue(declared)}`)
  const complete: Record<string, Completer> = Object.create(null)
  const values = new Map<string, ReadonlySet<string>>()
  const seen = new Set<string>()
  for (const [index, argument] of declared.entries()) {
    if (typeof argument?.name !== 'string' || argument.name === '') {
      refuse(what, `arguments[${index}].name must be a string, got ${describeValue(argument?.name)}`)
    }
    if (seen.has(argument.name)) refuse(what, `has two arguments named "${argument.name}"`)
    seen.add(argument.name)
    const at = `arguments[${index}]`
    checkTexts(what, argument, ['title', 'description'], `${at}.`)
    if (argument.required !== undefined && typeof argument.required !== 'boolean')
      refuse(what, `${at}.required must be true or false, got ${describeValue(argument.required)}`)
    if (argument.enum !== undefined) values.set(argument.name, new Set(checkedEnum(what, at, argument.enum)))
    const completer = argument.complete ?? argument.enum
    if (completer === undefined) continue
    checkCompleter(what, `${at}.complete`, completer)
    complete[argument.name] = completer
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
    values,
    // `promptArguments` saw to it that required arguments are there.
    get: (args, ctx) => options.get(args as PromptArguments<A>, ctx),
  }
}

function checkedEnum(what: string, at: string, values: unknown): readonly string[] {
  const isGood = Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === 'string')
  if (!isGood) refuse(what, `${at}.enum must be an array of at least one string, got ${describeValue(values)}`)
  return values as readonly string[] // checked just now
}

/** The arguments that a client sent. Throws a ProtocolError -32602 naming those that are missing, no strings, or not allowed. */
export function promptArguments(prompt: Prompt, sent: unknown): { readonly [name: string]: string } {
  const start = `Prompt "${prompt.key}"`
  if (sent !== undefined && !isRecord(sent))
    throw invalidParams(`${start}: arguments must be an object, got ${describeValue(sent)}`)
  const given = sent ?? {}
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string')
      throw invalidParams(`${start}: argument "${name}" must be a string, got ${describeValue(value)}`)
  }
  for (const [name, values] of prompt.values) {
    const value = Object.hasOwn(given, name) ? (given[name] as string) : undefined // each value was checked
    if (value === undefined || values.has(value)) continue
    throw invalidParams(`${start}: argument "${name}" must be one of ${listed(values)}, got ${describeValue(value)}`)
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

const VALUES_SHOWN_MAX = 20

function listed(values: ReadonlySet<string>): string {
  const shown = [...values].slice(0, VALUES_SHOWN_MAX).map((value) => JSON.stringify(value))
  return values.size > shown.length ? `${shown.join(', ')}, ...` : shown.join(', ')
}

/** A prompt's result whose messages may still name other prompts; see prompt-includes.ts. */
export interface PromptDraft extends Omit<PromptResult, 'messages'> {
  readonly messages: readonly (PromptMessage | PromptInclude)[]
}

/** Shapes what `get` returned. Throws a FeatureError `MCP_RESULT` for a value that has no meaning. */
export function toPromptDraft(returned: unknown, prompt: Prompt): PromptDraft {
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

/** Whether an item of a draft stands for another prompt's messages. */
export function isInclude(item: PromptMessage | PromptInclude): item is PromptInclude {
  return 'prompt' in item
}

function checkedMessages(messages: readonly unknown[], prompt: Prompt): readonly (PromptMessage | PromptInclude)[] {
  for (const [index, message] of messages.entries()) {
    const start = `Prompt "${prompt.key}": messages[${index}]`
    if (isRecord(message) && message['prompt'] !== undefined) {
      const { prompt: name, arguments: args } = message
      if (typeof name === 'string' && (args === undefined || isRecord(args))) continue
      throw new FeatureError('MCP_RESULT', `${start} needs the name of another prompt, and arguments as an object`)
    }
    if (!isRecord(message) || (message['role'] !== 'user' && message['role'] !== 'assistant')) {
      throw new FeatureError('MCP_RESULT', `${start} needs the role "user" or "assistant"`)
    }
    const fault = contentFault(message['content'])
    if (fault !== undefined) throw new FeatureError('MCP_RESULT', `${start}.content ${fault}`)
  }
  return messages as readonly (PromptMessage | PromptInclude)[] // each was checked
}
