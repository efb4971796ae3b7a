/**
 * Skills of a server (the skills extension): listed by their entries, and read file by file when they are needed, never before.
 * What is read is checked against the entry: the length and digest of each file, and the frontmatter of SKILL.md. A file that is
 * not what its entry says is not handed over.
 *
 *     const [refunds] = await listSkills(client)
 *     const { body } = await readSkill(client, refunds)
 *     const style = await readSkillFile(client, refunds, 'skill://refunds/references/STYLE.md')
 *
 * The client announces the extension when it is told to: `capabilities: { extensions: { [SKILLS_EXTENSION]: {} } }`.
 *
 * Spec: SEP-2640, listing skills, integrity and verification.
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { FrontmatterError, readFrontmatter } from '#features/frontmatter'
import { isObject, type JsonObject } from '#protocol'
import type { Client } from './client.ts'
import { clientError } from './errors.ts'
import type { RequestOptions } from './requests.ts'

/** What the server says of a skill. */
export interface SkillEntry {
  /** The URI of SKILL.md. */
  readonly uri: string
  readonly frontmatter: JsonObject
  /** The files; 'dynamic' where the server cannot name them beforehand, and nothing can be checked. */
  readonly resources: readonly SkillFileEntry[] | 'dynamic'
}

export interface SkillFileEntry {
  readonly uri: string
  /** 'sha256:' and 64 hexadecimal digits. */
  readonly digest: string
  /** Bytes. */
  readonly size: number
}

/** SKILL.md, read and checked. */
export interface LoadedSkill {
  readonly frontmatter: JsonObject
  /** What follows the frontmatter. */
  readonly body: string
}

/** Pages of the list. */
const PAGES_MAX = 1_000

/** The entries of all skills that the server lists. Rejects with `ClientError`. No file is read. */
export async function listSkills(client: Client, options: RequestOptions = {}): Promise<SkillEntry[]> {
  const entries: SkillEntry[] = []
  let params: JsonObject = {}
  for (let page = 0; page < PAGES_MAX; page++) {
    const { skills, nextCursor } = await client.request('skills/list', params, { ...options, isSafe: true })
    if (!Array.isArray(skills) || !skills.every(isEntry)) {
      throw clientError('invalid', 'The server answered skills/list with something that is no list of skills.')
    }
    entries.push(...skills)
    if (typeof nextCursor !== 'string') return entries
    params = { cursor: nextCursor }
  }
  throw clientError('invalid', `The list of skills has more than ${PAGES_MAX} pages.`)
}

/** The instructions of a skill. Rejects with 'invalid' when SKILL.md is not what its entry says. */
export async function readSkill(client: Client, entry: SkillEntry, options: RequestOptions = {}): Promise<LoadedSkill> {
  const text = new TextDecoder('utf-8').decode(await readSkillFile(client, entry, entry.uri, options))
  const { fields, body } = read(entry, text)
  const names = new Set([...Object.keys(fields), ...Object.keys(entry.frontmatter)])
  for (const name of names) {
    if (isDeepStrictEqual(fields[name], entry.frontmatter[name])) continue
    throw refused(entry.uri, `its frontmatter and its entry differ in ${JSON.stringify(name)}`)
  }
  return { frontmatter: fields, body }
}

/** The bytes of one file of a skill. Rejects with 'invalid' for a file that the entry lacks, or that is not what it says. */
export async function readSkillFile(
  client: Client,
  entry: SkillEntry,
  uri: string,
  options: RequestOptions = {},
): Promise<Uint8Array> {
  const { resources } = entry
  const listed = resources === 'dynamic' ? undefined : resources.find((file) => file.uri === uri)
  if (resources !== 'dynamic' && listed === undefined) throw refused(uri, `the entry of ${entry.uri} does not name it`)
  const bytes = bytesOf(uri, (await client.readResource(uri, options)).contents)
  if (listed === undefined) return bytes
  if (bytes.byteLength !== listed.size) {
    throw refused(uri, `it has ${bytes.byteLength} bytes and its entry says ${listed.size}`)
  }
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  if (digest !== listed.digest.toLowerCase()) throw refused(uri, `its digest is ${digest}, not that of its entry`)
  return bytes
}

function isEntry(value: unknown): value is SkillEntry {
  if (!isObject(value) || typeof value['uri'] !== 'string' || !isObject(value['frontmatter'])) return false
  const { resources } = value
  return resources === 'dynamic' || (Array.isArray(resources) && resources.every(isFileEntry))
}

function isFileEntry(value: unknown): boolean {
  if (!isObject(value)) return false
  return typeof value['uri'] === 'string' && typeof value['digest'] === 'string' && typeof value['size'] === 'number'
}

function read({ uri }: SkillEntry, text: string): { readonly fields: JsonObject; readonly body: string } {
  try {
    return readFrontmatter(text)
  } catch (error) {
    if (error instanceof FrontmatterError) throw refused(uri, `its ${error.message}`)
    throw error
  }
}

function bytesOf(uri: string, contents: readonly unknown[]): Uint8Array {
  const content = contents.find((one) => isObject(one) && one['uri'] === uri) ?? contents[0]
  if (isObject(content) && typeof content['text'] === 'string') return Buffer.from(content['text'])
  if (isObject(content) && typeof content['blob'] === 'string') return Buffer.from(content['blob'], 'base64')
  throw refused(uri, 'the server answered with no content')
}

function refused(uri: string, why: string): Error {
  return clientError('invalid', `The skill's file ${uri} is not used: ${why}.`)
}
