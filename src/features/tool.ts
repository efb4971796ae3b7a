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
  type ParameterHeader,
  ParameterHeaderError,
  parameterHeaders,
  SchemaError,
  type ToolEntity,
  type ToolResult,
} from '#protocol'
import { type AnswerCaching, type Caching, cachingOf } from './caching.ts'
import type { ToolContext } from './context.ts'
import { checkName, checkOptions, checkShown, checkTexts, FeatureError, pick, refuse } from './definition.ts'
import { functionSource } from './function-source.ts'
import {
  type BreakerOptions,
  breakerOf,
  checkScopes,
  checkToolAnnotations,
  type ToolTraits,
  taskSupportOf,
  toolMeta,
} from './tool-options.ts'

/**
 * Text, content blocks, a structured value (any JSON value, sent as JSON text too), a whole result, or nothing. Clients of
 * revisions before 2026-07-28 get structured objects only; other values they read as text.
 */
export type ToolReturn =
  | string
  | readonly ContentBlock[]
  | { readonly structured: unknown; readonly content?: readonly ContentBlock[] }
  | ToolResult
  | undefined
  | void

/** Where a call runs: in a process of this thread, or in a thread of its own that can be ended in a busy loop. */
export type Isolation = 'process' | 'thread'

export interface ToolOptions<S extends AnySchema | undefined = AnySchema | undefined> extends ToolTraits {
  readonly title?: string | undefined
  readonly description?: string | undefined
  /**
   * A Standard Schema (zod, Valibot, ArkType, ...) or a JSON Schema of type object; without one any arguments pass. A property
   * with `x-mcp-header` is repeated in the header of that name under revision 2026-07-28.
   */
  readonly input?: S
  /** The schema of the structured result; a result that does not match is answered as an error. */
  readonly output?: AnySchema | undefined
  /** Each `src` is an https: or data: URI. */
  readonly icons?: readonly Icon[] | undefined
  /** Longest run, in ms; default 60_000. */
  readonly timeout?: number | undefined
  /**
   * How long the server keeps an answer, for calls with the same arguments. Only for a tool that says `readOnlyHint`, and whose
   * answer depends on its arguments and its caller alone. By default nothing is kept.
   */
  readonly cache?: AnswerCaching | undefined
  /**
   * Stands before the tool and, when it fails too often in a row, answers at once that it is not called now; `true` for all
   * defaults. Default: none.
   */
  readonly breaker?: boolean | BreakerOptions | undefined
  /** Default 'process'. */
  readonly isolate?: Isolation | undefined
  /**
   * What a tool that runs as a task asks before there is a task: under revision 2026-07-28 these questions go with the call
   * itself. `run` asks the same again, under the same keys, and has the answers at once.
   */
  prepare?(args: InferInput<S>, ctx: ToolContext): unknown
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
  /** Undefined where every call is made. */
  readonly breaker?: Required<BreakerOptions> | undefined
  /** How its answers are kept; undefined for not at all. */
  readonly caching?: Caching | undefined
  /** What the caller must be granted. */
  readonly scopes: readonly string[]
  /** Whether a task of it may run again after a restart. */
  readonly resumable: boolean
  /** What the model may be told while a task of it runs. */
  readonly taskMessage: string | undefined
  /** The parameters that headers repeat. Spec: MCP 2026-07-28, server/tools, x-mcp-header. */
  readonly parameterHeaders: readonly ParameterHeader[]
  /** The text of `run` when it runs in a thread. */
  readonly source: string | undefined
  /** Asks what has to be known before a call becomes a task. */
  readonly prepare: ((args: unknown, ctx: ToolContext) => unknown) | undefined
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
  checkTexts(what, options, ['title', 'description', 'taskMessage'])
  checkShown(what, options, 'own')
  checkToolAnnotations(what, options.annotations)
  const { timeout = TOOL_TIMEOUT_MS, isolate = 'process' } = options
  if (typeof timeout !== 'number' || !(timeout > 0)) {
    refuse(what, `timeout must be a positive number of ms, got ${describeValue(timeout)}. Leave it out for 60 seconds`)
  }
  if (isolate !== 'process' && isolate !== 'thread') {
    refuse(what, `isolate must be "process" or "thread", got ${describeValue(isolate)}`)
  }
  const input = prepared(what, 'input', () => defineInput(options.input))
  const output =
    options.output === undefined ? undefined : prepared(what, 'output', () => defineOutput(options.output!))
  const taskSupport = taskSupportOf(what, options)
  if (options.prepare !== undefined && typeof options.prepare !== 'function') {
    refuse(what, `prepare must be a function, got ${describeValue(options.prepare)}`)
  }
  const caching = cachingOf(what, options.cache, options.run)
  if (caching !== undefined && options.annotations?.readOnlyHint !== true)
    refuse(
      what,
      'cache is for tools that only read. Say annotations: { readOnlyHint: true } if it does, or leave cache out',
    )
  if (caching !== undefined && (taskSupport === 'optional' || taskSupport === 'required'))
    refuse(what, `cache is not for tools that run as a task, got task "${taskSupport}". Leave one of them out`)
  const execution = taskSupport === undefined ? options.execution : { ...options.execution, taskSupport }
  const _meta = toolMeta(what, options)
  return {
    kind: 'tool',
    key: name,
    entity: {
      name,
      ...pick(options, ['title', 'description', 'icons']),
      inputSchema: input.jsonSchema,
      ...(output && { outputSchema: output.jsonSchema }),
      ...pick(options, ['annotations']),
      ...(_meta && { _meta }),
      ...(execution && { execution }),
    } as ToolEntity, // pick keeps the members' types but makes each optional
    input,
    output,
    timeoutMs: timeout,
    isolate,
    breaker: breakerOf(what, options.breaker),
    caching,
    scopes: checkScopes(what, options.scopes),
    resumable: options.resumable ?? false,
    taskMessage: options.taskMessage,
    parameterHeaders: prepared(what, 'input', () => parameterHeaders(input.jsonSchema)),
    source: isolate === 'thread' ? functionSource(what, options.run) : undefined,
    // The arguments went through `input.parse`, whose value has the schema's type.
    prepare: options.prepare && ((args, ctx) => options.prepare?.(args as InferInput<S>, ctx)),
    run: (args, ctx) => options.run(args as InferInput<S>, ctx),
  }
}

function prepared<T>(what: string, option: string, prepare: () => T): T {
  try {
    return prepare()
  } catch (error) {
    if (!(error instanceof SchemaError || error instanceof ParameterHeaderError)) throw error
    throw new FeatureError('MCP_DEFINITION', `${what}: ${option}: ${error.message}`, { cause: error })
  }
}
