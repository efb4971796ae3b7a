/**
 * Tools: what a server author writes, made ready once. A prepared tool holds what is advertised, how its arguments are parsed,
 * and the function that runs; what the function returned becomes a result in tool-result.ts.
 *
 *     const forecast = defineTool('forecast', {
 *       description: 'Forecast for a city',
 *       input: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
 *       run: ({ city }) => `Sunny in ${city}`,
 *     })
 *
 * Spec: MCP 2025-11-25, server/tools.
 */
import {
  type AnySchema,
  type ContentBlock,
  defineInput,
  defineOutput,
  describeValue,
  type Icon,
  type InferInput,
  type InputSchema,
  type JsonObject,
  SchemaError,
  type ToolAnnotations,
  type ToolEntity,
  type ToolResult,
} from '#protocol'
import type { ToolContext } from './context.ts'
import { checkIcons, checkName, checkOptions, checkTexts, FeatureError, pick, refuse } from './definition.ts'
import { functionSource } from './function-source.ts'

/** Text, content blocks, a structured value (sent as JSON text too), a whole result, or nothing. */
export type ToolReturn =
  | string
  | readonly ContentBlock[]
  | { readonly structured: object; readonly content?: readonly ContentBlock[] }
  | ToolResult
  | undefined
  | void

/** Where a call runs: in a process of this thread, or in a thread of its own that can be ended in a busy loop. */
export type Isolation = 'process' | 'thread'

export interface ToolOptions<S extends AnySchema | undefined = AnySchema | undefined> {
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** A Standard Schema (zod, Valibot, ArkType, ...) or a JSON Schema of type object; without one any arguments pass. */
  readonly input?: S
  /** The schema of the structured result; a result that does not match is answered as an error. */
  readonly output?: AnySchema | undefined
  readonly annotations?: ToolAnnotations | undefined
  /** Each `src` is an https: or data: URI. */
  readonly icons?: readonly Icon[] | undefined
  /** Longest run, in ms; default 60_000. */
  readonly timeout?: number | undefined
  /** Default 'process'. */
  readonly isolate?: Isolation | undefined
  readonly execution?: ToolEntity['execution'] | undefined
  readonly _meta?: JsonObject | undefined
  run(args: InferInput<S>, ctx: ToolContext): ToolReturn | Promise<ToolReturn>
}

/** A tool made ready. */
export interface Tool {
  readonly kind: 'tool'
  /** The name. */
  readonly key: string
  /** What tools/list says, in the neutral shape. */
  readonly entity: ToolEntity
  readonly input: InputSchema
  readonly output: InputSchema | undefined
  readonly timeoutMs: number
  readonly isolate: Isolation
  /** The text of `run` when it runs in a thread. */
  readonly source: string | undefined
  /** Takes what `input.parse` gave. */
  run(args: unknown, ctx: ToolContext): unknown
}

/** Longest run of a call when the tool does not say. */
export const TOOL_TIMEOUT_MS = 60_000

/** Makes a tool ready. Throws a FeatureError that names the tool and the option. */
export function defineTool<const S extends AnySchema | undefined = undefined>(
  name: string,
  options: ToolOptions<S>,
): Tool {
  checkName('Tool', name)
  const what = `Tool "${name}"`
  checkOptions(what, options, 'run')
  checkTexts(what, options, ['title', 'description'])
  checkIcons(what, options.icons)
  const { timeout = TOOL_TIMEOUT_MS, isolate = 'process', execution } = options
  if (typeof timeout !== 'number' || !(timeout > 0)) {
    refuse(what, `timeout must be a positive number of ms, got ${describeValue(timeout)}. Leave it out for 60 seconds`)
  }
  if (isolate !== 'process' && isolate !== 'thread') {
    refuse(what, `isolate must be "process" or "thread", got ${describeValue(isolate)}`)
  }
  const input = prepared(what, 'input', () => defineInput(options.input))
  const output =
    options.output === undefined ? undefined : prepared(what, 'output', () => defineOutput(options.output!))
  return {
    kind: 'tool',
    key: name,
    entity: {
      name,
      ...pick(options, ['title', 'description', 'icons']),
      inputSchema: input.jsonSchema,
      ...(output && { outputSchema: output.jsonSchema }),
      ...pick(options, ['annotations', '_meta']),
      ...(execution && { execution }),
    } as ToolEntity, // pick keeps the members' types but makes each optional
    input,
    output,
    timeoutMs: timeout,
    isolate,
    source: isolate === 'thread' ? functionSource(what, options.run) : undefined,
    // The arguments went through `input.parse`, whose value has the schema's type.
    run: (args, ctx) => options.run(args as InferInput<S>, ctx),
  }
}

function prepared(what: string, option: string, prepare: () => InputSchema): InputSchema {
  try {
    return prepare()
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    throw new FeatureError('MCP_DEFINITION', `${what}: ${option}: ${error.message}`, { cause: error })
  }
}
