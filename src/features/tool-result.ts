/**
 * From what a tool did to the result of tools/call. Everything that went wrong in a tool, or in its arguments, is a result with
 * `isError`, which the model reads and can act on; protocol errors are for the protocol.
 *
 * Spec: MCP 2025-11-25, server/tools, error handling and structured content.
 */
import {
  type ContentBlock,
  contentFault,
  describeIssues,
  describeValue,
  type Issue,
  type ParseResult,
  type ToolResult,
  text,
} from '#protocol'
import { FeatureError, isRecord } from './definition.ts'
import type { Tool } from './tool.ts'

/**
 * Shapes what `tool.run` returned, and checks structured content against the tool's output schema. Throws a FeatureError
 * `MCP_RESULT` for a value that has no meaning. A promise only when the output schema validates asynchronously.
 */
export function toToolResult(returned: unknown, tool: Tool): ToolResult | Promise<ToolResult> {
  const result = shape(returned, tool)
  if (tool.output === undefined || result.isError === true) return result
  if (result.structuredContent === undefined) {
    return errorResult(`Tool "${tool.key}" has an output schema, but returned no structured content`)
  }
  const parsed = tool.output.parse(result.structuredContent)
  return parsed instanceof Promise
    ? parsed.then((settled) => checkedResult(result, returned, settled, tool))
    : checkedResult(result, returned, parsed, tool)
}

/** The answer to arguments that do not match the tool's input schema. */
export function inputErrorResult(tool: Tool, issues: readonly Issue[]): ToolResult {
  return errorResult(`Invalid arguments for tool "${tool.key}": ${describeIssues(issues)}`)
}

/** The answer to a run that threw: the error's message, never its stack. */
export function crashResult(tool: Tool, error: unknown): ToolResult {
  const message = error instanceof Error ? error.message || error.name : describeValue(error)
  return errorResult(`Tool "${tool.key}" failed: ${message}`)
}

/** A result that says what went wrong. */
export function errorResult(message: string): ToolResult {
  return { content: [text(message)], isError: true }
}

function shape(returned: unknown, tool: Tool): ToolResult {
  if (typeof returned === 'string') return { content: [text(returned)] }
  if (returned === undefined) return { content: [] }
  if (Array.isArray(returned)) return { content: checkedContent(returned, tool) }
  if (isRecord(returned)) {
    if ('structured' in returned) return structuredResult(returned, tool)
    if (Array.isArray(returned['content'])) return wholeResult(returned, returned['content'], tool)
  }
  throw meaningless(tool, describeValue(returned))
}

function structuredResult(returned: { readonly [key: string]: unknown }, tool: Tool): ToolResult {
  const { structured, content } = returned
  if (structured === undefined || typeof structured === 'function' || typeof structured === 'symbol')
    throw new FeatureError(
      'MCP_RESULT',
      `${start(tool)} structured must be a JSON value, got ${describeValue(structured)}`,
    )
  if (content !== undefined && !Array.isArray(content))
    throw meaningless(tool, `content that is ${describeValue(content)}`)
  return {
    content: content === undefined ? [text(jsonOf(structured, tool))] : checkedContent(content, tool),
    structuredContent: structured,
  }
}

function wholeResult(
  returned: { readonly [key: string]: unknown },
  content: readonly unknown[],
  tool: Tool,
): ToolResult {
  const { structuredContent, isError, _meta } = returned
  if (typeof structuredContent === 'function' || typeof structuredContent === 'symbol')
    throw new FeatureError(
      'MCP_RESULT',
      `${start(tool)} structuredContent must be a JSON value, got ${describeValue(structuredContent)}`,
    )
  return {
    content: checkedContent(content, tool),
    ...(structuredContent !== undefined && { structuredContent }),
    ...(isError === true && { isError }),
    ...(isRecord(_meta) && { _meta }),
  }
}

function checkedContent(content: readonly unknown[], tool: Tool): readonly ContentBlock[] {
  for (const [index, block] of content.entries()) {
    const fault = contentFault(block)
    if (fault !== undefined) throw new FeatureError('MCP_RESULT', `${start(tool)} content[${index}] ${fault}`)
  }
  return content as readonly ContentBlock[] // each block was checked
}

/** A parsed value may differ from the returned one (defaults, dropped keys); then it is what is sent, in both forms. */
function checkedResult(result: ToolResult, returned: unknown, parsed: ParseResult, tool: Tool): ToolResult {
  if (!parsed.ok) {
    return errorResult(`Tool "${tool.key}" returned what its output schema refuses: ${describeIssues(parsed.issues)}`)
  }
  if (parsed.value === result.structuredContent) return result
  const structuredContent = parsed.value
  const isTextOurs = isRecord(returned) && 'structured' in returned && returned['content'] === undefined
  return { ...result, structuredContent, ...(isTextOurs && { content: [text(jsonOf(structuredContent, tool))] }) }
}

/** The value as JSON text. Throws a FeatureError for a value that JSON has no words for. */
function jsonOf(value: unknown, tool: Tool): string {
  try {
    const text: string | undefined = JSON.stringify(value)
    if (text !== undefined) return text
    throw new TypeError(`${describeValue(value)} is no JSON value`)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new FeatureError('MCP_RESULT', `${start(tool)} structured value is not JSON: ${reason}`, { cause: error })
  }
}

function start(tool: Tool): string {
  return `Tool "${tool.key}" returned a bad result:`
}

function meaningless(tool: Tool, got: string): FeatureError {
  const forms = 'Return a string, an array of content blocks, { structured }, a whole result with content, or nothing'
  return new FeatureError('MCP_RESULT', `${start(tool)} ${got}. ${forms}`)
}
