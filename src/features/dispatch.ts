/**
 * From the params of a request to its neutral result, through the catalog and the author's functions. What an author's
 * function throws is told to `failed`; for a tool it becomes an `isError` result, elsewhere an internal error. A value comes
 * back at once where nothing was asynchronous.
 */
import {
  ErrorCode,
  internalError,
  invalidParams,
  type JsonObject,
  type ParseResult,
  ProtocolError,
  resourceNotFound,
} from '#protocol'
import type { Catalog } from './catalog.ts'
import { complete } from './completion.ts'
import type { ToolContext } from './context.ts'
import { promptArguments } from './prompt.ts'
import { renderPrompt } from './prompt-includes.ts'
import { type ListedResource, readDefaults, toReadResult } from './resource.ts'
import type { Tool } from './tool.ts'
import { crashResult, inputErrorResult, toToolResult } from './tool-result.ts'

export type FeatureKind = 'tool' | 'resource' | 'prompt' | 'completion'

/** Told when an author's function threw. */
export type Failed = (kind: FeatureKind, name: string, error: unknown) => void

/** Runs a tool's function elsewhere: in a thread. */
export type RunIsolated = (tool: Tool, args: unknown) => Promise<unknown>

/** What a request is about, for reports: the tool's name, the resource's URI, the prompt's name. */
export function subjectOf(method: string, params: JsonObject): { kind: FeatureKind; name: string } {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  if (method === 'tools/call') return { kind: 'tool', name: text(params['name']) }
  if (method === 'prompts/get') return { kind: 'prompt', name: text(params['name']) }
  if (method === 'completion/complete') {
    const ref = params['ref'] as { readonly name?: unknown; readonly uri?: unknown }
    return { kind: 'completion', name: text(ref.name ?? ref.uri) }
  }
  return { kind: 'resource', name: text(params['uri']) }
}

/** The result of tools/call. Throws a ProtocolError for an unknown tool and for what the tool itself throws as one. */
export function callTool(
  catalog: Catalog,
  params: JsonObject,
  ctx: ToolContext,
  failed: Failed,
  runIsolated: RunIsolated,
): JsonObject | Promise<JsonObject> {
  const name = params['name'] as string
  const tool = catalog.tools.get(name)
  if (tool === undefined) throw invalidParams(`Unknown tool: ${name}. tools/list names those there are.`)
  if (tool.entity.execution?.taskSupport === 'required' && ctx.task === undefined) {
    throw new ProtocolError(
      ErrorCode.MethodNotFound,
      `Tool "${name}" runs only as a task: call it with the parameter "task".`,
    )
  }
  try {
    const parsed = tool.input.parse(params['arguments'])
    const result =
      parsed instanceof Promise
        ? parsed.then((later) => runTool(tool, later, ctx, runIsolated))
        : runTool(tool, parsed, ctx, runIsolated)
    // Neutral results are JSON objects; `toToolResult` says which.
    return isThenable(result)
      ? (result.then(undefined, (error) => toolCrashed(tool, error, failed)) as Promise<JsonObject>)
      : (result as JsonObject)
  } catch (error) {
    return toolCrashed(tool, error, failed)
  }
}

/** The result of a run with arguments that were parsed; a promise where the tool gave one. */
function runTool(tool: Tool, parsed: ParseResult, ctx: ToolContext, runIsolated: RunIsolated): unknown {
  if (!parsed.ok) return inputErrorResult(tool, parsed.issues)
  const returned = tool.isolate === 'thread' ? runIsolated(tool, parsed.value) : tool.run(parsed.value, ctx)
  return isThenable(returned) ? returned.then((later) => toToolResult(later, tool)) : toToolResult(returned, tool)
}

function toolCrashed(tool: Tool, error: unknown, failed: Failed): JsonObject {
  if (error instanceof ProtocolError) throw error
  failed('tool', tool.key, error)
  return crashResult(tool, error) as unknown as JsonObject
}

/** Runs what a tool has to ask before its call becomes a task. Resolves to an empty result; rejects as the tool does. */
export async function prepareTask(
  catalog: Catalog,
  params: JsonObject,
  ctx: ToolContext,
  failed: Failed,
): Promise<JsonObject> {
  const name = params['name'] as string
  const tool = catalog.tools.get(name)
  const parsed = await tool?.input.parse(params['arguments'])
  // What is wrong with the arguments is the task's result.
  if (parsed?.ok === true) await guarded('tool', name, failed, async () => tool?.prepare?.(parsed.value, ctx))
  return {}
}

/** The result of resources/read. */
export async function readResource(
  catalog: Catalog,
  params: JsonObject,
  ctx: ToolContext,
  failed: Failed,
): Promise<JsonObject> {
  const uri = params['uri'] as string
  const found = catalog.resolve(uri)
  if (found === undefined) throw resourceNotFound(uri)
  const { definition, variables } = found
  const result = await guarded('resource', uri, failed, async () =>
    toReadResult(await definition.read(variables, ctx, uri), uri, readDefaults(definition)),
  )
  return result as unknown as JsonObject
}

/** The result of prompts/get. */
export async function getPrompt(
  catalog: Catalog,
  params: JsonObject,
  ctx: ToolContext,
  failed: Failed,
): Promise<JsonObject> {
  const name = params['name'] as string
  const prompt = catalog.prompts.get(name)
  if (prompt === undefined) throw invalidParams(`Unknown prompt: ${name}. prompts/list names those there are.`)
  const args = promptArguments(prompt, params['arguments'])
  const result = await guarded('prompt', name, failed, () => renderPrompt(catalog, prompt, args, ctx))
  return result as unknown as JsonObject
}

/** The result of completion/complete. */
export async function completeArgument(catalog: Catalog, params: JsonObject, failed: Failed): Promise<JsonObject> {
  const ref = params['ref'] as { readonly type: string; readonly name?: string; readonly uri?: string }
  const argument = params['argument'] as { readonly name: string; readonly value: string }
  const context = params['context'] as { readonly arguments?: { readonly [name: string]: string } } | undefined
  const owner = ref.type === 'ref/prompt' ? catalog.prompts.get(ref.name ?? '') : catalog.templates.get(ref.uri ?? '')
  if (owner === undefined)
    throw invalidParams(`Nothing to complete: there is no ${ref.type.slice(4)} ${ref.name ?? ref.uri}.`)
  const source = Object.hasOwn(owner.complete, argument.name) ? owner.complete[argument.name] : undefined
  const completion = await guarded('completion', owner.key, failed, () =>
    complete(source, argument.value, { arguments: context?.arguments ?? {} }),
  )
  return { completion }
}

/** The result of resources/list where templates name resources of their own. */
export async function listResources(
  catalog: Catalog,
  params: JsonObject,
  ctx: ToolContext,
  pageSize: number,
  failed: Failed,
): Promise<JsonObject> {
  const more: ListedResource[] = []
  for (const template of catalog.templates.values()) {
    const { list } = template
    if (list !== undefined) more.push(...(await guarded('resource', template.key, failed, async () => list(ctx))))
  }
  return catalog.listResources(
    params['cursor'],
    pageSize,
    more.map((resource) => ({ name: resource.uri, ...resource })),
  )
}

/** Runs an author's function: its ProtocolErrors pass, anything else is told and answered as an internal error. */
async function guarded<T>(kind: FeatureKind, name: string, failed: Failed, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ProtocolError) throw error
    failed(kind, name, error)
    throw internalError(
      `The ${kind} "${name}" failed: ${error instanceof Error ? error.message : String(error)}`,
      error,
    )
  }
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
