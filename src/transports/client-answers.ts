/**
 * Which requests a message of the server answers: all that a link has to know of what it carries.
 *
 * The usual shapes are recognised by their first or last characters, so that a long answer is not parsed twice.
 */
import type { RequestId } from '#protocol'

const NONE: readonly RequestId[] = []
const ID_FIRST = /^\{"jsonrpc":"2\.0","id":(?:(\d{1,15})|"([^"\\]{0,100})"),"(?:result|error)":/
const ID_LAST = /\},"jsonrpc":"2\.0","id":(?:(\d{1,15})|"([^"\\]{0,100})")\}$/
/** Characters that `ID_LAST` can match, and some. */
const TAIL_LENGTH = 160

/**
 * The ids of the requests that `text` answers, with a result or an error; none for other messages, undefined for text that is
 * not JSON. Text of a usual shape is not checked further.
 */
export function answeredIds(text: string): readonly RequestId[] | undefined {
  // A text that was cut off does not end like this, or hardly ever.
  const first = text.endsWith('}') ? ID_FIRST.exec(text) : null
  if (first !== null) return [idOf(first)]
  if (text.startsWith('{"jsonrpc":"2.0","method":') || text.startsWith('{"method":')) return NONE
  if (text.startsWith('{"result":{') || text.startsWith('{"error":{')) {
    // The last brace closes the first one, so what stands before it belongs to the message itself.
    const last = ID_LAST.exec(text.slice(-TAIL_LENGTH))
    if (last !== null) return [idOf(last)]
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return Array.isArray(value) ? value.flatMap(answeredBy) : answeredBy(value)
}

function idOf([, digits, characters]: RegExpExecArray): RequestId {
  return digits === undefined ? (characters ?? '') : Number(digits)
}

function answeredBy(value: unknown): readonly RequestId[] {
  if (typeof value !== 'object' || value === null || !('id' in value)) return NONE
  const { id } = value
  if ((typeof id !== 'string' && typeof id !== 'number') || 'method' in value) return NONE
  return 'result' in value || 'error' in value ? [id] : NONE
}
