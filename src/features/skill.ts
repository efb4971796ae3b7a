/**
 * Skills: instructions that a server gives to an agent, as a directory of files around a SKILL.md. A skill is written here as a
 * description, a body and files; each file becomes a resource below the skill's root, and the whole an entry with the digest
 * and size of each. A body or file that is a function has no digest: then the skill is "dynamic".
 *
 *     defineSkill('acme/billing/refunds', { description: 'Process refunds', body: '# Refunds\n...', files: { 'mail.md': '...' } }, sha256)
 *     // skill://acme/billing/refunds/SKILL.md, skill://acme/billing/refunds/mail.md
 *
 * Spec: SEP-2640, skills extension; Agent Skills specification.
 */
import { describeValue, type JsonObject } from '#protocol'
import type { ToolContext } from './context.ts'
import { FeatureError, isRecord, refuse } from './definition.ts'
import { FrontmatterError, readFrontmatter, writeFrontmatter } from './frontmatter.ts'
import { defineResource, type ReadCache, type Resource } from './resource.ts'
import { fileUri, mimeTypeOf, skillRoot } from './skill-paths.ts'

/** Text or bytes, or a function that makes them when they are read. */
export type SkillContent = string | Uint8Array | ((ctx: ToolContext) => SkillBytes | Promise<SkillBytes>)
export type SkillBytes = string | Uint8Array

/** A file: its content, or its content and what is said of it. */
export type SkillFile =
  | SkillContent
  | { readonly content: SkillContent; readonly mimeType?: string; readonly description?: string }

export interface SkillOptions {
  /** What the skill does and when to use it; 1 to 1024 characters. */
  readonly description?: string | undefined
  /** What follows the frontmatter in SKILL.md. Default: nothing. */
  readonly body?: string | ((ctx: ToolContext) => string | Promise<string>) | undefined
  /** More fields of the frontmatter: license, compatibility, metadata, ... */
  readonly frontmatter?: JsonObject | undefined
  /** The whole SKILL.md with its frontmatter, in place of the three above. */
  readonly text?: string | undefined
  /** The other files, by their path below the skill's directory, with `/` between names. */
  readonly files?: { readonly [path: string]: SkillFile } | undefined
  /** Whether skills/list and resources/list name it; default true. It can be read by its URI in any case. */
  readonly isListed?: boolean | undefined
  /** Default: what the server says for all. */
  readonly cache?: ReadCache | undefined
}

/** A file of a skill as its entry names it. */
export interface SkillResource {
  readonly uri: string
  /** 'sha256:' and 64 hexadecimal digits. */
  readonly digest: string
  /** Bytes. */
  readonly size: number
}

/** What skills/list and skills/get say of a skill. */
export interface SkillEntity {
  /** The URI of SKILL.md. */
  readonly uri: string
  readonly frontmatter: JsonObject
  readonly resources: readonly SkillResource[] | 'dynamic'
}

/** A skill made ready. */
export interface Skill {
  readonly kind: 'skill'
  /** The URI of SKILL.md. */
  readonly key: string
  /** The URI of the directory, without a slash at its end. */
  readonly root: string
  /** The entry of the skill's own files; skills inside it come in where it is listed. */
  readonly entity: SkillEntity
  /** By URI, SKILL.md first. */
  readonly files: ReadonlyMap<string, Resource>
  readonly isListed: boolean
  readonly cache: Resource['cache']
}

/** The SHA-256 of bytes, as 64 lower-case hexadecimal digits. */
export type Sha256 = (bytes: Uint8Array) => string

/** Most files of a skill with its SKILL.md, and most bytes of them together. Spec: SEP-2640, limits. */
export const SKILL_FILES_MAX = 512
export const SKILL_BYTES_MAX = 16_777_216

/** Makes a skill ready. Throws a FeatureError that names the skill and what is wrong. */
export function defineSkill(path: string, options: SkillOptions, sha256: Sha256): Skill {
  const { root, name } = skillRoot(path)
  const what = `Skill "${path}"`
  if (!isRecord(options as unknown)) refuse(what, `options must be an object, got ${describeValue(options)}`)
  const { files = {}, isListed = true, cache } = options
  if (!isRecord(files as unknown)) refuse(what, `files must be an object of files by path, got ${describeValue(files)}`)
  if (typeof isListed !== 'boolean') refuse(what, `isListed must be true or false, got ${describeValue(isListed)}`)
  const { frontmatter, content } = manifest(what, name, options)
  const description = frontmatter['description'] as string // `manifest` saw to it
  const main = { uri: `${root}/SKILL.md`, name, description, mimeType: 'text/markdown', content }
  const all = [main, ...Object.entries(files).map(([inner, file]) => fileOf(what, root, inner, file))]
  if (all.length > SKILL_FILES_MAX) refuse(what, `may have ${SKILL_FILES_MAX} files, got ${all.length}`)
  const held = new Map<string, Resource>()
  const resources: SkillResource[] = []
  let bytesLeft = SKILL_BYTES_MAX
  for (const file of all) {
    if (held.has(file.uri)) refuse(what, `two files have the URI ${file.uri}`)
    const bytes = bytesOf(what, file.uri, file.content)
    bytesLeft -= bytes?.byteLength ?? 0
    if (bytesLeft < 0) refuse(what, `its files may have ${SKILL_BYTES_MAX} bytes together, got more`)
    if (bytes !== undefined)
      resources.push({ uri: file.uri, digest: `sha256:${sha256(bytes)}`, size: bytes.byteLength })
    held.set(file.uri, resourceOf(file, bytes, cache))
  }
  return {
    kind: 'skill',
    key: main.uri,
    root,
    entity: { uri: main.uri, frontmatter, resources: resources.length === all.length ? resources : 'dynamic' },
    files: held,
    isListed,
    cache: held.get(main.uri)?.cache,
  }
}

interface HeldFile {
  readonly uri: string
  readonly name: string
  readonly description?: string | undefined
  readonly mimeType: string
  readonly content: SkillContent
}

function resourceOf(file: HeldFile, bytes: Uint8Array | undefined, cache: ReadCache | undefined): Resource {
  const { uri, content, ...described } = file
  return defineResource(uri, {
    ...described,
    size: bytes?.byteLength,
    cache,
    read: (_variables, ctx) => (typeof content === 'function' ? content(ctx) : content),
  })
}

/** SKILL.md: its frontmatter as an object, and the text that says the same. */
function manifest(
  what: string,
  name: string,
  { description, body = '', frontmatter = {}, text }: SkillOptions,
): { readonly frontmatter: JsonObject; readonly content: SkillContent } {
  if (text !== undefined) {
    if (description !== undefined || body !== '' || Object.keys(frontmatter).length > 0)
      refuse(what, 'text is the whole SKILL.md. Leave out description, body and frontmatter')
    if (typeof text !== 'string') refuse(what, `text must be a string, got ${describeValue(text)}`)
    return { frontmatter: checkFields(what, name, fieldsOf(what, text)), content: text }
  }
  if (!isRecord(frontmatter)) refuse(what, `frontmatter must be an object, got ${describeValue(frontmatter)}`)
  if (typeof body !== 'string' && typeof body !== 'function')
    refuse(what, `body must be a string or a function, got ${describeValue(body)}`)
  // What has no JSON is dropped here, so that the entry and the file say the same.
  const given = JSON.parse(JSON.stringify({ name, description, ...frontmatter })) as JsonObject
  const fields = checkFields(what, name, given)
  const head = writeFrontmatter(fields)
  if (typeof body === 'string') return { frontmatter: fields, content: `${head}\n${body}` }
  return { frontmatter: fields, content: async (ctx) => `${head}\n${await body(ctx)}` }
}

function fieldsOf(what: string, text: string): JsonObject {
  try {
    return readFrontmatter(text).fields
  } catch (error) {
    if (!(error instanceof FrontmatterError)) throw error
    throw new FeatureError('MCP_DEFINITION', `${what}: SKILL.md ${error.message}`, { cause: error })
  }
}

/** Lengths in characters. Spec: Agent Skills specification, frontmatter. */
const DESCRIPTION_LENGTH_MAX = 1_024
const COMPATIBILITY_LENGTH_MAX = 500

function checkFields(what: string, name: string, fields: JsonObject): JsonObject {
  const { description, compatibility, metadata, license } = fields
  if (fields['name'] !== name)
    refuse(what, `name must be "${name}", the last part of its path, got ${describeValue(fields['name'])}`)
  if (typeof description !== 'string' || description.trim() === '' || description.length > DESCRIPTION_LENGTH_MAX)
    refuse(
      what,
      `description must be a text of 1 to ${DESCRIPTION_LENGTH_MAX} characters, got ${describeValue(description)}`,
    )
  if (license !== undefined && typeof license !== 'string')
    refuse(what, `license must be a string, got ${describeValue(license)}`)
  if (
    compatibility !== undefined &&
    !(typeof compatibility === 'string' && compatibility.length <= COMPATIBILITY_LENGTH_MAX)
  )
    refuse(
      what,
      `compatibility must be a text of at most ${COMPATIBILITY_LENGTH_MAX} characters, got ${describeValue(compatibility)}`,
    )
  if (metadata === undefined) return fields
  if (!isRecord(metadata)) refuse(what, `metadata must be an object, got ${describeValue(metadata)}`)
  const reserved = Object.keys(metadata).find((key) => key.startsWith('io.modelcontextprotocol/'))
  if (reserved !== undefined) refuse(what, `metadata key "${reserved}" is one that MCP keeps for itself`)
  return fields
}

function fileOf(what: string, root: string, path: string, file: SkillFile): HeldFile {
  const uri = fileUri(what, root, path)
  if (path === 'SKILL.md') refuse(what, 'files must not hold SKILL.md. Use text, or description and body')
  const whole = isRecord(file) && 'content' in file ? file : { content: file as SkillContent }
  const { content, mimeType, description } = whole as { readonly content: SkillContent } & Partial<HeldFile>
  if (typeof content !== 'string' && typeof content !== 'function' && !(content instanceof Uint8Array))
    refuse(what, `file "${path}" must be text, bytes or a function, got ${describeValue(content)}`)
  for (const [member, value] of Object.entries({ mimeType, description })) {
    if (value !== undefined && typeof value !== 'string')
      refuse(what, `file "${path}": ${member} must be a string, got ${describeValue(value)}`)
  }
  const name = path.slice(path.lastIndexOf('/') + 1)
  return { uri, name, description, mimeType: mimeType ?? mimeTypeOf(name, content instanceof Uint8Array), content }
}

/** The bytes that a read gives; undefined for what is made when it is read. */
function bytesOf(what: string, uri: string, content: SkillContent): Uint8Array | undefined {
  if (typeof content === 'function') return undefined
  if (typeof content !== 'string') return content
  if (/\p{Surrogate}/u.test(content)) refuse(what, `${uri} holds half a surrogate pair, which has no bytes in UTF-8`)
  return Buffer.from(content, 'utf8')
}
