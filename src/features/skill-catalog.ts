/**
 * The three methods of the skills extension as pure functions of a catalog. A skill inside another's directory is listed by
 * itself, and its files belong to the other's entry too. Directories are those of the skills' own trees.
 *
 *     listSkills(catalog, {}, 50)                                         // { skills: [{ uri, frontmatter, resources }] }
 *     getSkill(catalog, { uri: 'skill://refunds/SKILL.md' })              // { skill: { ... } }
 *     readDirectory(catalog, { uri: 'skill://refunds/templates' }, 50)    // { resources: [...] }
 *
 * Spec: SEP-2640, listing skills, getting a skill, reading directories.
 */
import { invalidParams, type JsonObject, paginate, type ResourceEntity, withCacheHints } from '#protocol'
import type { Catalog } from './catalog.ts'
import type { Skill, SkillEntity } from './skill.ts'

/** What a directory is. */
export const DIRECTORY_MIME_TYPE = 'inode/directory'

/** The settings under which a server with skills announces the extension. */
export const SKILLS_SETTINGS = Object.freeze({ directoryRead: true })

/** The result of skills/list. Throws a ProtocolError -32602 for a cursor that is not one of it. */
export function listSkills(catalog: Catalog, params: JsonObject, pageSize: number): JsonObject {
  const listed = [...catalog.skills.values()].filter((skill) => skill.isListed)
  const { page, nextCursor } = paginate('skills', listed, params['cursor'], pageSize)
  const skills = page.map((skill) => skillEntry(catalog, skill))
  return nextCursor === undefined ? { skills } : { skills, nextCursor }
}

/** The result of skills/get. Throws a ProtocolError -32602 for a URI that is no skill's. */
export function getSkill(catalog: Catalog, params: JsonObject): JsonObject {
  const uri = String(params['uri'])
  const skill = catalog.skills.get(uri)
  if (skill === undefined) throw invalidParams(`No skill is served at ${uri}. skills/list names those there are.`)
  const result = { skill: skillEntry(catalog, skill) }
  return skill.cache === undefined ? result : withCacheHints(result, skill.cache)
}

/** The result of resources/directory/read. Throws a ProtocolError -32602 for what is no directory, and for a bad cursor. */
export function readDirectory(catalog: Catalog, params: JsonObject, pageSize: number): JsonObject {
  const uri = String(params['uri'])
  const children = childrenOf(catalog, uri)
  if (children === undefined) {
    const why =
      catalog.resolve(uri) === undefined ? 'No directory is served at' : 'This is no directory, but a resource:'
    throw invalidParams(`${why} ${uri}. The directories are those of skills, without a slash at the end.`)
  }
  const { page, nextCursor } = paginate('directory', children, params['cursor'], pageSize)
  return nextCursor === undefined ? { resources: page } : { resources: page, nextCursor }
}

/** The entry of a skill with the files of the skills inside it. */
export function skillEntry(catalog: Catalog, skill: Skill): SkillEntity {
  const inner = [...catalog.skills.values()].filter((other) => other !== skill && isBelow(other.root, skill.root))
  if (inner.length === 0) return skill.entity
  const files = new Map<string, SkillEntity['resources'][number]>()
  // The skills deepest inside come last: a file that two of them hold is the inner one's, as it is when it is read.
  for (const { entity } of [skill, ...inner.sort((one, other) => one.root.length - other.root.length)]) {
    if (entity.resources === 'dynamic') return { ...skill.entity, resources: 'dynamic' }
    for (const file of entity.resources) files.set(file.uri, file)
  }
  return { ...skill.entity, resources: [...files.values()] as SkillEntity['resources'] }
}

/** The direct children of a directory in the order of their names; undefined for what is none. */
function childrenOf(catalog: Catalog, uri: string): readonly ResourceEntity[] | undefined {
  const skills = [...catalog.skills.values()]
  const isServed = skills.some(({ root }) => root === uri || isBelow(uri, root))
  if (!isServed) return undefined
  const children = new Map<string, ResourceEntity>()
  for (const skill of skills) {
    if (!isBelow(skill.root, uri) && skill.root !== uri && !isBelow(uri, skill.root)) continue
    for (const file of skill.files.keys()) {
      if (!isBelow(file, uri)) continue
      const rest = file.slice(uri.length + 1)
      const slash = rest.indexOf('/')
      const name = slash === -1 ? rest : rest.slice(0, slash)
      if (children.has(name)) continue
      // A file of this URI is the one that a read would give.
      const entity = slash === -1 ? catalog.skillFile(file)?.entity : undefined
      children.set(name, entity ?? directory(`${uri}/${name}`, name))
    }
  }
  const isRoot = skills.some(({ root }) => root === uri)
  if (children.size === 0 && !isRoot) return undefined
  return [...children].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, entity]) => entity)
}

function directory(uri: string, encoded: string): ResourceEntity {
  return { uri, name: decodeURIComponent(encoded), mimeType: DIRECTORY_MIME_TYPE }
}

function isBelow(uri: string, root: string): boolean {
  return uri.length > root.length + 1 && uri.startsWith(root) && uri[root.length] === '/'
}
