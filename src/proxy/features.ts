/**
 * The features of an upstream server as those of the proxy: under their names here, with functions that ask upstream. What an
 * upstream lists is passed on as it is; arguments are checked where the tool is.
 */
import type { Completer } from '#features/completion'
import type { ToolContext } from '#features/context'
import type { Prompt } from '#features/prompt'
import type { Resource, ResourceTemplate } from '#features/resource'
import type { Tool } from '#features/tool'
import {
  type Completion,
  type JsonObject,
  type ParameterHeader,
  type PromptEntity,
  type PromptResult,
  parameterHeaders,
  parseTemplate,
  type ReadResult,
  type ResourceEntity,
  type ResourceTemplateEntity,
  type ToolEntity,
  type ToolResult,
} from '#protocol'

/** What the functions of features ask for. Each rejects with what the client of the proxy is to be told. */
export interface Calls {
  callTool(name: string, args: JsonObject, ctx: ToolContext): Promise<ToolResult>
  readResource(uri: string, ctx: ToolContext): Promise<ReadResult>
  getPrompt(name: string, args: Readonly<Record<string, string>>, ctx: ToolContext): Promise<PromptResult>
  complete(
    ref:
      | { readonly type: 'ref/prompt'; readonly name: string }
      | { readonly type: 'ref/resource'; readonly uri: string },
    argument: { readonly name: string; readonly value: string },
    given: Readonly<Record<string, string>>,
  ): Promise<Completion>
}

export function toolOf(entity: ToolEntity, key: string, timeoutMs: number, calls: Calls): Tool {
  // A task of the upstream is waited for here.
  const { execution: _execution, ...rest } = entity
  return {
    kind: 'tool',
    key,
    entity: { ...rest, name: key },
    input: { jsonSchema: entity.inputSchema, parse: (value) => ({ ok: true, value: value ?? {} }) },
    output: undefined,
    timeoutMs,
    isolate: 'process',
    scopes: [],
    resumable: false,
    taskMessage: undefined,
    parameterHeaders: headersOf(entity),
    source: undefined,
    prepare: undefined,
    // `parse` let any object through, which is what a request has.
    run: (args, ctx) => calls.callTool(entity.name, args as JsonObject, ctx),
  }
}

function headersOf({ inputSchema }: ToolEntity): readonly ParameterHeader[] {
  try {
    return parameterHeaders(inputSchema)
  } catch {
    // Its upstream alone can say what it meant.
    return []
  }
}

export function resourceOf(entity: ResourceEntity, key: string, calls: Calls): Resource {
  return {
    kind: 'resource',
    key,
    entity: { ...entity, uri: key },
    cache: undefined,
    read: async (_variables, ctx) => readAs(await calls.readResource(entity.uri, ctx), entity.uri, key),
  }
}

/** Throws a `UriTemplateError` for what is no template. */
export function templateOf(
  entity: ResourceTemplateEntity,
  key: string,
  original: (uri: string) => string,
  calls: Calls,
): ResourceTemplate {
  const template = parseTemplate(key)
  const uri = entity.uriTemplate
  return {
    kind: 'template',
    key,
    entity: { ...entity, uriTemplate: key },
    cache: undefined,
    template,
    complete: completers(template.variables, (argument, given) =>
      calls.complete({ type: 'ref/resource', uri }, argument, given),
    ),
    list: undefined,
    read: async (_variables, ctx, asked) =>
      readAs(await calls.readResource(original(asked), ctx), original(asked), asked),
  }
}

export function promptOf(entity: PromptEntity, key: string, calls: Calls): Prompt {
  const names = (entity.arguments ?? []).map(({ name }) => name)
  const { name } = entity
  return {
    kind: 'prompt',
    key,
    entity: { ...entity, name: key },
    complete: completers(names, (argument, given) => calls.complete({ type: 'ref/prompt', name }, argument, given)),
    values: new Map(),
    get: (args, ctx) => calls.getPrompt(name, args, ctx),
  }
}

function completers(
  names: readonly string[],
  ask: (argument: { name: string; value: string }, given: Readonly<Record<string, string>>) => Promise<Completion>,
): { readonly [name: string]: Completer } {
  const complete: Record<string, Completer> = Object.create(null)
  for (const name of names) {
    const values = async (value: string, context: { readonly arguments: Readonly<Record<string, string>> }) =>
      (await ask({ name, value }, context.arguments)).values
    complete[name] = { values, match: 'none' }
  }
  return complete
}

/** The contents under the URI that was asked for, and how long they may be kept. */
function readAs(result: ReadResult, original: string, asked: string): ReadResult {
  const { ttlMs, cacheScope } = result as unknown as JsonObject
  const contents =
    original === asked
      ? result.contents
      : result.contents.map((one) => (one.uri === original ? { ...one, uri: asked } : one))
  return {
    contents,
    ...(result._meta !== undefined && { _meta: result._meta }),
    ...(typeof ttlMs === 'number' && { cache: { ttlMs, scope: cacheScope === 'public' ? 'public' : 'private' } }),
  }
}
