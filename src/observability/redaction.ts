/**
 * What no log may hold, taken out of a line's fields: secrets by the name of their key, by their path, and by what they look like;
 * and the values that clients and tools exchange, which are nobody's business unless they are asked for. The result is plain data
 * of a bounded size, whatever went in.
 *
 *     redact({ url, headers: { authorization: 'Bearer abc' }, args: { city: 'Bonn' } })
 *     // { url, headers: { authorization: '[redacted]' }, args: '[withheld]' }
 */

export interface RedactionOptions {
  /** Further keys whose values are secret, wherever they occur; case, '-' and '_' do not count. */
  readonly keys?: readonly string[]
  /** Paths to secret values from the fields' top: 'request.body.pin', 'users.*.email'. */
  readonly paths?: readonly string[]
  /** Keys of exchanged values that are to be logged all the same, such as 'args'. */
  readonly show?: readonly string[]
}

export const REDACTED = '[redacted]'
export const WITHHELD = '[withheld]'

/** How deep fields are looked into, how many entries of one object are kept, and how many characters of one text. */
export const DEPTH_MAX = 6
export const ENTRIES_MAX = 100
export const TEXT_LENGTH_MAX = 8_192
const PATHS_MAX = 100

const secretKeys = [
  'authorization',
  'proxyauthorization',
  'cookie',
  'setcookie',
  'dpop',
  'password',
  'passwd',
  'passphrase',
  'pwd',
  'secret',
  'clientsecret',
  'token',
  'accesstoken',
  'refreshtoken',
  'idtoken',
  'subjecttoken',
  'bearer',
  'apikey',
  'xapikey',
  'xauthtoken',
  'privatekey',
  'credentials',
  'assertion',
  'clientassertion',
  'codeverifier',
  'requeststate',
]

const exchangedKeys = [
  'arguments',
  'args',
  'params',
  'input',
  'result',
  'results',
  'content',
  'body',
  'state',
  'lastmessage',
]

/** Secrets as they look inside of a text. */
const looks: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|DPoP)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${REDACTED}`],
  [/\beyJ[\w-]{4,}\.[\w-]+\.[\w-]*/g, REDACTED],
  [/([a-z][a-z0-9+.-]*:\/\/)[^/\s:@]+:[^/\s@]+@/gi, `$1${REDACTED}@`],
  [
    /\b((?:access_|refresh_|id_)?token|api_?key|password|client_secret|secret|code_verifier)(["']?\s*[=:]\s*["']?)[^\s"'&,;}]+/gi,
    `$1$2${REDACTED}`,
  ],
]

/** What takes the secrets out of a line. */
export class Redactor {
  private readonly secret: ReadonlySet<string>
  private readonly exchanged: ReadonlySet<string>
  private readonly paths: readonly (readonly string[])[]

  /** Throws a `TypeError` for more than 100 paths. */
  constructor({ keys = [], paths = [], show = [] }: RedactionOptions = {}) {
    if (paths.length > PATHS_MAX)
      throw new TypeError(`redact.paths may hold ${PATHS_MAX} paths, got ${paths.length}. Use keys instead.`)
    const shown = new Set(show.map(plain))
    this.secret = new Set([...secretKeys, ...keys.map(plain)])
    this.exchanged = new Set(exchangedKeys.filter((key) => !shown.has(key)))
    this.paths = paths.map((path) => path.split('.'))
  }

  /** The fields as plain data that may be logged. */
  fields(fields: object): Record<string, unknown> {
    return this.object(fields, this.paths, 0)
  }

  /** A text without what looks like a secret, cut to what a log takes. */
  text(text: string): string {
    let left = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}...` : text
    for (const [look, instead] of looks) left = left.replace(look, instead)
    return left
  }

  private object(value: object, paths: readonly (readonly string[])[], depth: number): Record<string, unknown> {
    const left: Record<string, unknown> = {}
    let entries = 0
    for (const key of Object.keys(value)) {
      if (++entries > ENTRIES_MAX) {
        left['...'] = `${Object.keys(value).length - ENTRIES_MAX} more`
        break
      }
      const below = paths.filter(([first]) => first === key || first === '*').map(([, ...rest]) => rest)
      left[key] = below.some((rest) => rest.length === 0) ? REDACTED : this.entry(key, value, below, depth)
    }
    return left
  }

  private entry(key: string, owner: object, paths: readonly (readonly string[])[], depth: number): unknown {
    const name = plain(key)
    let value: unknown
    try {
      value = (owner as Record<string, unknown>)[key]
    } catch {
      return '(a getter that throws)'
    }
    if (value === undefined) return undefined
    if (this.secret.has(name)) return REDACTED
    if (this.exchanged.has(name)) return WITHHELD
    return this.value(value, paths, depth + 1)
  }

  private value(value: unknown, paths: readonly (readonly string[])[], depth: number): unknown {
    if (typeof value === 'string') return this.text(value)
    if (typeof value === 'bigint') return String(value)
    if (typeof value === 'function' || typeof value === 'symbol') return `(a ${typeof value})`
    if (typeof value !== 'object' || value === null) return value
    if (depth > DEPTH_MAX) return '(deeper)'
    if (value instanceof Error) return this.error(value, paths, depth)
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? '(an invalid date)' : value.toISOString()
    if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`
    if (Array.isArray(value)) {
      const below = paths.filter(([first]) => first === '*').map(([, ...rest]) => rest)
      if (below.some((rest) => rest.length === 0)) return value.slice(0, ENTRIES_MAX).map(() => REDACTED)
      return value.slice(0, ENTRIES_MAX).map((one) => this.value(one, below, depth + 1))
    }
    return this.object(value, paths, depth)
  }

  /** As pino writes errors, with causes below. */
  private error(error: Error, paths: readonly (readonly string[])[], depth: number): object {
    const own = this.object(error, paths, depth)
    const { name, message, stack, cause } = error
    return {
      type: name,
      message: this.text(String(message)),
      ...(stack !== undefined && { stack: this.text(String(stack)) }),
      ...own,
      ...(cause !== undefined && { cause: this.value(cause, paths, depth + 1) }),
    }
  }
}

/** A key without case and separators. */
function plain(key: string): string {
  return key.replace(/[-_\s]/g, '').toLowerCase()
}
