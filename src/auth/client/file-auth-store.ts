/**
 * A store in a file of JSON that only its owner can read. Every change replaces the file at once, so that a crash leaves the
 * old one or the new one, and reads it first, so that programs which take turns do not undo each other's changes.
 */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AuthError } from '#auth/errors'
import { isObject, type JsonObject } from '#protocol/json-rpc'
import { type Random, realRandom } from '#runtime/random'
import { type AuthStore, putBounded } from './auth-store.ts'

/** Largest file that is read, in bytes. */
export const STORE_BYTES_MAX = 8 * 1024 * 1024

const OWNER_ONLY = 0o600
const OWNER_ONLY_FOLDER = 0o700
const NAME_BYTES = 9

/**
 * A store in the file at `path`, made with its folder when first written to, with mode 0600. Its functions reject with
 * `AuthError` `store_failed` when the file cannot be read or written, or is no store.
 */
export function fileAuthStore(path: string, options: { readonly random?: Pick<Random, 'token'> } = {}): AuthStore {
  const random = options.random ?? realRandom
  let last: Promise<unknown> = Promise.resolve()

  const change = (apply: (entries: Map<string, JsonObject>) => void): Promise<void> => {
    const next = last.then(async () => {
      const entries = await readEntries(path)
      apply(entries)
      await replaceFile(path, `${path}.${random.token(NAME_BYTES)}.tmp`, JSON.stringify(Object.fromEntries(entries)))
    })
    // One that fails does not stop those behind it.
    last = next.catch(() => undefined)
    return next
  }

  return {
    get: async (key) => {
      await last
      return (await readEntries(path)).get(key)
    },
    set: (key, value) => change((entries) => putBounded(entries, key, value)),
    delete: (key) => change((entries) => void entries.delete(key)),
  }
}

async function readEntries(path: string): Promise<Map<string, JsonObject>> {
  let text: string
  try {
    const { size } = await stat(path)
    if (size > STORE_BYTES_MAX) throw failed(path, `it has ${size} bytes, at most ${STORE_BYTES_MAX} are read`)
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof AuthError) throw error
    if (codeOf(error) === 'ENOENT') return new Map()
    throw failed(path, codeOf(error))
  }
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) {
      return new Map(Object.entries(value).filter((entry): entry is [string, JsonObject] => isObject(entry[1])))
    }
  } catch {
    // Not the cause: it quotes the text.
  }
  throw failed(path, 'it is no JSON object')
}

async function replaceFile(path: string, draft: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: OWNER_ONLY_FOLDER })
    // 'wx': never into a file, or through a link, that somebody else has put there.
    const file = await open(draft, 'wx', OWNER_ONLY)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw failed(path, codeOf(error))
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error'

function failed(path: string, why: string): AuthError {
  return new AuthError(
    'store_failed',
    `The file ${JSON.stringify(path)} cannot serve as a store: ${why}. Mend it, or remove it and sign in again.`,
  )
}
