/** What is answered from the catalog's tables without running an author's code, in either era. */
import type { Catalog } from '#features/catalog'
import { getSkill, listSkills, readDirectory } from '#features/skill-catalog'
import { type JsonObject, methodNotFound } from '#protocol'
import type { Services } from './services.ts'

/** Requests that run an author's code, each in a process of its own. */
const methodsWithProcess = new Set(['tools/call', 'resources/read', 'prompts/get', 'completion/complete'])

/** Whether a request runs an author's code. */
export function needsProcess(catalog: Catalog, method: string): boolean {
  return methodsWithProcess.has(method) || (method === 'resources/list' && hasListingTemplate(catalog))
}

function hasListingTemplate(catalog: Catalog): boolean {
  for (const template of catalog.templates.values()) if (template.list !== undefined) return true
  return false
}

/** The neutral result. Throws a ProtocolError for a cursor that is not the list's, and for a method that is not here. */
export function answerFromTables({ catalog, limits }: Services, method: string, params: JsonObject): JsonObject {
  const { pageSize } = limits
  switch (method) {
    case 'tools/list':
      return catalog.listTools(params['cursor'], pageSize)
    case 'resources/list':
      return catalog.listResources(params['cursor'], pageSize)
    case 'resources/templates/list':
      return catalog.listTemplates(params['cursor'], pageSize)
    case 'prompts/list':
      return catalog.listPrompts(params['cursor'], pageSize)
    case 'skills/list':
      return listSkills(catalog, params, pageSize)
    case 'skills/get':
      return getSkill(catalog, params)
    case 'resources/directory/read':
      return readDirectory(catalog, params, pageSize)
    default:
      throw methodNotFound(method)
  }
}
