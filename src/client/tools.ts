/**
 * What a client remembers of the tools that were listed: what their results look like, which of their arguments go into headers,
 * whether a call may be repeated.
 *
 * Spec: MCP 2026-07-28, server/tools, output schema and x-mcp-header; basic/transports/streamable-http, client behavior.
 */
import {
  type CompiledSchema,
  compileSchema,
  describeIssues,
  isObject,
  type JsonObject,
  type ParameterHeader,
  ParameterHeaderError,
  parameterHeaders,
  parameterHeadersOf,
  type ToolEntity,
  type ToolResult,
} from '#protocol'
import { clientError } from './errors.ts'

/** Tools that are remembered; those beyond are called like unknown ones. */
const TOOLS_MAX = 10_000

interface Remembered {
  readonly entity: ToolEntity
  readonly mirrored: readonly ParameterHeader[]
  /** Compiled with the first result. */
  output: CompiledSchema | undefined
}

export class ToolMemory {
  private readonly tools = new Map<string, Remembered>()
  private readonly warn: (message: string) => void

  constructor(warn: (message: string) => void) {
    this.warn = warn
  }

  /** Remembers tools, and returns those that may be used: with `isStrict`, not those whose `x-mcp-header` is invalid. */
  remember(listed: readonly unknown[], isStrict: boolean): ToolEntity[] {
    const usable: ToolEntity[] = []
    for (const one of listed) {
      if (!isObject(one) || typeof one['name'] !== 'string') {
        this.warn('The server listed a tool without a name.')
        continue
      }
      // The rest is read where something depends on it.
      const entity = one as unknown as ToolEntity
      const mirrored = this.mirroredOf(entity, isStrict)
      if (mirrored === undefined) continue
      usable.push(entity)
      if (this.tools.size < TOOLS_MAX || this.tools.has(entity.name)) {
        this.tools.set(entity.name, { entity, mirrored, output: undefined })
      }
    }
    return usable
  }

  get(name: string): ToolEntity | undefined {
    return this.tools.get(name)?.entity
  }

  forget(): void {
    this.tools.clear()
  }

  /** The headers that repeat arguments of a call. */
  headersOf(name: string, args: unknown): Record<string, string> {
    return parameterHeadersOf(this.tools.get(name)?.mirrored ?? [], args)
  }

  /** Whether a call may be repeated: the tool says so itself. */
  isSafe(name: string): boolean {
    const annotations = this.tools.get(name)?.entity.annotations
    return annotations?.readOnlyHint === true || annotations?.idempotentHint === true
  }

  /** Throws `ClientError` 'invalid' for a result that is not what the tool's output schema says. */
  checkResult(name: string, result: ToolResult): void {
    const tool = this.tools.get(name)
    const schema = tool?.entity.outputSchema
    if (tool === undefined || schema === undefined || result.isError === true) return
    const structured = result.structuredContent
    if (structured === undefined) {
      throw clientError(
        'invalid',
        `The tool ${name} has an output schema, but its result has no structuredContent.`,
        true,
      )
    }
    try {
      tool.output ??= compileSchema(schema as JsonObject)
    } catch (error) {
      // A schema that cannot be used is the server's fault, not the result's.
      this.warn(
        `The output schema of ${name} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      )
      tool.output = { check: () => undefined }
    }
    const issues = tool.output.check(structured)
    if (issues === undefined) return
    const message = `The result of ${name} is not what its output schema says: ${describeIssues(issues)}`
    throw clientError('invalid', message.replaceAll('(arguments)', 'structuredContent'), true)
  }

  private mirroredOf({ name, inputSchema }: ToolEntity, isStrict: boolean): readonly ParameterHeader[] | undefined {
    try {
      return isObject(inputSchema) ? parameterHeaders(inputSchema) : []
    } catch (error) {
      if (!isStrict || !(error instanceof ParameterHeaderError)) return []
      this.warn(`The tool ${name} is left out: ${error.message}`)
      return undefined
    }
  }
}
