/**
 * Revision 2025-11-25: the newest of the legacy era. Its shapes are the neutral ones, but for what came later: extensions
 * that the modern era alone has, and structured content that is no object.
 */
import type { ToolResult } from '#protocol/content'
import type { JsonObject } from '#protocol/json-rpc'
import { revision20250618 } from './2025-06-18.ts'
import { legacyExtensions } from './extensions.ts'
import type { Revision } from './revision.ts'
import { objectResult, objectSchemas } from './structured-content.ts'

export const revision20251125: Revision = {
  version: '2025-11-25',
  era: 'legacy',
  allowsBatches: false,
  features: new Set([
    ...revision20250618.features,
    'icons',
    'elicitationModes',
    'samplingTools',
    'tasks',
    'extensions',
  ]),
  encodeResult: (method, result) => {
    switch (method) {
      case 'tools/call':
      case 'tasks/result':
        return objectResult(result as unknown as ToolResult) as unknown as JsonObject
      case 'tools/list':
        return objectSchemas(result)
      case 'initialize':
        return initializeResult(result)
      default:
        return result
    }
  },
  encodeParams: (_method, params) => params,
  encodeError: (error) => error,
}

function initializeResult(result: JsonObject): JsonObject {
  const announced = result['capabilities'] as JsonObject
  const capabilities = legacyExtensions(announced)
  return capabilities === announced ? result : { ...result, capabilities }
}
