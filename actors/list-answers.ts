/** What is answered from the catalog's tables without running an author's code, in either era. */
import type { Catalog } from '#features/catalog'
import { getSkill, listSkills, readDirectory } from '#features/skill-catalog'
import { encodedResult, type JsonObject, methodNotFound, type Revision } from '#protocol'
import { Lru } from '#structures/lru'
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

/** Pages whose text is kept at a time, and the characters of them. */
const PAGES_MAX = 256
const PAGE_CHARACTERS_MAX = 8_388_608

/** The pages of a catalog's lists as they stand, each as one revision writes it. */
interface Pages {
  version: number
  readonly texts: Lru<string>
}

const pagesOf = new WeakMap<Catalog, Pages>()
const listMethods = new Set(['tools/list', 'resources/list', 'resources/templates/list', 'prompts/list'])

/** The same as `answerFromTables`, where a page of a list is encoded once for each revision, until the catalog changes. */
export function preparedAnswer(services: Services, method: string, params: JsonObject, revision: Revision): JsonObject {
  const { catalog, info, cache } = services
  if (!listMethods.has(method)) return answerFromTables(services, method, params)
  const { tools, resources, templates, prompts, skills } = catalog
  // Versions only rise, so their sum tells every change.
  const version = tools.version + resources.version + templates.version + prompts.version + skills.version
  let pages = pagesOf.get(catalog)
  if (pages === undefined) {
    pages = { version, texts: new Lru({ entriesMax: PAGES_MAX, bytesMax: PAGE_CHARACTERS_MAX }) }
    pagesOf.set(catalog, pages)
  }
  if (pages.version !== version) pages.texts.clear()
  pages.version = version
  const key = `${revision.version} ${method} ${JSON.stringify(params['cursor'])}`
  const known = pages.texts.get(key)
  if (known !== undefined) return encodedResult(known)
  const result = answerFromTables(services, method, params)
  const context = revision.era === 'modern' ? { serverInfo: info, cache } : undefined
  const text = JSON.stringify(revision.encodeResult(method, result, context))
  pages.texts.set(key, text, text.length)
  return encodedResult(text)
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
