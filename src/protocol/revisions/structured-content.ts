/**
 * Structured content where it must be an object: until 2025-11-25. Any other value is left out, and said in text where the
 * result has no content yet; an output schema of such a value is left out too. What needs no change comes back as it is.
 *
 * Spec: MCP 2026-07-28, changelog, minor change 10.
 */
import type { ToolResult } from '#protocol/content'
import type { ToolEntity } from '#protocol/entities'
import { isObject, type JsonObject } from '#protocol/json-rpc'

/** A tool's result, or a tool's result in a sampling message, with structured content only if that is an object. */
export function objectResult<T extends Pick<ToolResult, 'content'> & { readonly structuredContent?: unknown }>(
  result: T,
): T {
  if (result.structuredContent === undefined || isObject(result.structuredContent)) return result
  const { structuredContent, ...left } = result
  const content = textOr(result.content, structuredContent)
  return { ...left, content } as unknown as T // an optional member less
}

/** `content`, or the value as text where there is none. */
export function textOr(content: ToolResult['content'], value: unknown): ToolResult['content'] {
  return content.length > 0 ? content : [{ type: 'text', text: JSON.stringify(value) }]
}

/** The result of tools/list with output schemas of objects only. */
export function objectSchemas(result: JsonObject): JsonObject {
  const tools = result['tools'] as readonly ToolEntity[]
  return tools.every(hasObjectSchema) ? result : { ...result, tools: tools.map(objectSchema) }
}

/** A tool without an output schema of anything but an object. */
export function objectSchema(tool: ToolEntity): ToolEntity {
  if (hasObjectSchema(tool)) return tool
  const { outputSchema: _schema, ...left } = tool
  return left
}

function hasObjectSchema({ outputSchema }: ToolEntity): boolean {
  return outputSchema === undefined || outputSchema['type'] === 'object'
}
