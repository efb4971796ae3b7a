/**
 * Cursors of paginated lists. A cursor is opaque text that names its list and an offset in it; one that we did not make,
 * or that belongs to another list, is invalid params. A list that shrank in between gives an empty last page.
 *
 *     const { page, nextCursor } = paginate('tools', tools, params.cursor, 50)
 *
 * Spec: MCP 2025-11-25, server/utilities/pagination.
 */
import { invalidParams } from './errors.ts'

export interface CursorPosition {
  readonly list: string
  readonly offset: number
}

export interface Page<T> {
  readonly page: readonly T[]
  /** Absent on the last page. */
  readonly nextCursor?: string
}

/** Longest cursor that is looked at; ours are far shorter. */
const CURSOR_LENGTH_MAX = 256
const PREFIX = 'b1:'

/** The cursor for a place in a list. */
export function encodeCursor(position: CursorPosition): string {
  return Buffer.from(`${PREFIX}${position.list}:${position.offset}`, 'utf8').toString('base64url')
}

/** The offset that `cursor` stands for in `list`, or undefined when it is not ours or is another list's. */
export function decodeCursor(cursor: unknown, list: string): number | undefined {
  if (typeof cursor !== 'string' || cursor.length > CURSOR_LENGTH_MAX) return undefined
  const text = Buffer.from(cursor, 'base64url').toString('utf8')
  const head = `${PREFIX}${list}:`
  if (!text.startsWith(head)) return undefined
  const offset = Number(text.slice(head.length))
  if (!Number.isSafeInteger(offset) || offset < 0) return undefined
  return encodeCursor({ list, offset }) === cursor ? offset : undefined
}

/** One page of `items`, and the cursor of the next if there is one. Throws a ProtocolError -32602 for an invalid cursor. */
export function paginate<T>(list: string, items: readonly T[], cursor: unknown, pageSize: number): Page<T> {
  let offset = 0
  if (cursor !== undefined) {
    const decoded = decodeCursor(cursor, list)
    if (decoded === undefined) {
      throw invalidParams(`params.cursor is not a cursor of the list of ${list}. Ask again without a cursor`)
    }
    offset = decoded
  }
  const end = offset + pageSize
  if (offset === 0 && end >= items.length) return { page: items }
  const page = items.slice(offset, end)
  return end < items.length ? { page, nextCursor: encodeCursor({ list, offset: end }) } : { page }
}
