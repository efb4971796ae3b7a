/** The error for a JSON Schema that cannot be used, and what a schema is as data. */
import type { JsonObject } from './json-rpc.ts'

/** A schema as data. Booleans are schemas too, but none that MCP can use. */
export type JsonSchema = JsonObject

/**
 * A schema that cannot be used: malformed or with a reference that leads outside (`MCP_SCHEMA_INVALID`), of an unknown dialect
 * (`MCP_SCHEMA_DIALECT`), or past a bound (`MCP_SCHEMA_LIMIT`).
 */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
  readonly code: 'MCP_SCHEMA_INVALID' | 'MCP_SCHEMA_DIALECT' | 'MCP_SCHEMA_LIMIT'
  constructor(code: SchemaError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
