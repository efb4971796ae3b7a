/**
 * What structured clone loses and a message should keep: a Ref stays an address, an Error keeps its name, message, stack, code,
 * cause and other fields. Such values are swapped for tokens before the copy and put back after it. Messages without any, nearly
 * all of them, are looked through once and otherwise left alone.
 */
import {
  CallError,
  type CallErrorCode,
  RegistryError,
  StartError,
  type StartErrorCode,
  SupervisorError,
} from '#runtime'
import { AnyRef, Via } from '#runtime/ref'
import { CloneError, isCloneable } from './clone-error.ts'

/** How refs cross: what a side writes for a ref of its own, and what it reads from a token of the other. */
export interface RefCodec {
  tokenOf(ref: AnyRef | Via): unknown
  refOf(token: unknown): unknown
}

/** The keys of tokens. Looked at only in messages that are marked as packed. */
const REF = 'bough:ref'
const ERROR = 'bough:error'

/** Fields of an Error that travel apart from the others. */
const errorFields = new Set(['name', 'message', 'stack', 'cause', 'errors'])
/** Errors below an error, by `cause` and `errors`, that travel; what is deeper is left out. */
const ERROR_DEPTH_MAX = 8

const errorClasses: Readonly<Record<string, new (message: string) => Error>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
}

function isRef(value: object): value is AnyRef | Via {
  return value instanceof AnyRef || value instanceof Via
}

/** Whether there is anything to pack: a Ref or an Error anywhere inside. */
export function needsPacking(value: unknown): boolean {
  return typeof value === 'object' && value !== null && looksPackable(value, new Set())
}

function looksPackable(value: object, seen: Set<object>): boolean {
  if (value instanceof Error || isRef(value)) return true
  if (ArrayBuffer.isView(value) || seen.has(value)) return false
  seen.add(value)
  const inside = (part: unknown): boolean => typeof part === 'object' && part !== null && looksPackable(part, seen)
  if (Array.isArray(value)) return value.some(inside)
  if (value instanceof Map) return [...value.keys()].some(inside) || [...value.values()].some(inside)
  if (value instanceof Set) return [...value].some(inside)
  for (const key in value) if (inside((value as Record<string, unknown>)[key])) return true
  return false
}

/** A copy with tokens for refs and errors; binary data and what is no container stays as it is. */
export function pack(value: unknown, refs: RefCodec): unknown {
  return new Packer(refs).pack(value)
}

class Packer {
  private readonly refs: RefCodec
  private readonly copies = new Map<object, unknown>()
  private errorDepth = 0

  constructor(refs: RefCodec) {
    this.refs = refs
  }

  pack(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    const known = this.copies.get(value)
    if (known !== undefined) return known
    if (isRef(value)) return this.keep(value, { [REF]: this.refs.tokenOf(value) })
    if (value instanceof Error) return this.packError(value)
    if (Array.isArray(value)) {
      const copy: unknown[] = this.keep(value, [])
      for (const part of value) copy.push(this.pack(part))
      return copy
    }
    if (value instanceof Map) {
      const copy = this.keep(value, new Map<unknown, unknown>())
      for (const [key, part] of value) copy.set(this.pack(key), this.pack(part))
      return copy
    }
    if (value instanceof Set) {
      const copy = this.keep(value, new Set<unknown>())
      for (const part of value) copy.add(this.pack(part))
      return copy
    }
    if (!isRecord(value)) return value
    const copy: Record<string, unknown> = this.keep(value, {})
    for (const key of Object.keys(value)) copy[key] = this.pack(value[key])
    return copy
  }

  private keep<T>(value: object, copy: T): T {
    this.copies.set(value, copy)
    return copy
  }

  /** An error travels whatever hangs on it: a field that has no copy becomes a word about it. */
  private packError(error: Error): unknown {
    const fields: Record<string, unknown> = {}
    const packed = { name: error.name, message: error.message, stack: error.stack, fields } as Record<string, unknown>
    const token = this.keep(error, { [ERROR]: packed })
    if (this.errorDepth >= ERROR_DEPTH_MAX) return token
    this.errorDepth++
    if ('cause' in error) packed['cause'] = this.packLeniently(error.cause)
    if (error instanceof AggregateError) packed['errors'] = error.errors.map((one) => this.packLeniently(one))
    for (const key of Object.keys(error)) {
      if (!errorFields.has(key)) fields[key] = this.packLeniently((error as unknown as Record<string, unknown>)[key])
    }
    this.errorDepth--
    return token
  }

  private packLeniently(value: unknown): unknown {
    const packed = this.pack(value)
    return isCloneable(packed) ? packed : `(${typeof value} that cannot cross to another thread)`
  }
}

/** Plain objects and instances of classes without hidden parts, which structured clone takes field by field. */
function isRecord(value: object): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]'
}

/** The inverse of `pack`, on the copy that came: tokens become refs and errors again, in place. */
export function unpack(value: unknown, refs: RefCodec): unknown {
  return unpackIn(value, refs, new Map())
}

function unpackIn(value: unknown, refs: RefCodec, done: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value
  const known = done.get(value)
  if (known !== undefined) return known
  if (REF in value) {
    const ref = refs.refOf(value[REF])
    done.set(value, ref)
    return ref
  }
  if (ERROR in value) return unpackError(value, value[ERROR] as PackedError, refs, done)
  done.set(value, value)
  const inside = (part: unknown): unknown => unpackIn(part, refs, done)
  if (Array.isArray(value)) for (const [index, part] of value.entries()) value[index] = inside(part)
  else if (value instanceof Map) {
    const entries = [...value]
    value.clear()
    for (const [key, part] of entries) value.set(inside(key), inside(part))
  } else if (value instanceof Set) {
    const parts = [...value]
    value.clear()
    for (const part of parts) value.add(inside(part))
  } else if (isRecord(value)) for (const key of Object.keys(value)) value[key] = inside(value[key])
  return value
}

interface PackedError {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly cause?: unknown
  readonly errors?: unknown[]
  readonly fields: Readonly<Record<string, unknown>>
}

function unpackError(token: object, packed: PackedError, refs: RefCodec, done: Map<object, unknown>): Error {
  const inside = (part: unknown): unknown => unpackIn(part, refs, done)
  const error = createError(packed, inside)
  done.set(token, error)
  const define = (key: string, value: unknown): void => {
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false })
  }
  if (error.name !== packed.name) define('name', packed.name)
  if (packed.stack !== undefined) define('stack', packed.stack)
  if ('cause' in packed && error.cause === undefined) define('cause', inside(packed.cause))
  for (const [key, value] of Object.entries(packed.fields)) {
    if (!(key in error)) Object.assign(error, { [key]: inside(value) })
  }
  return error
}

/** Errors of the runtime come back as what they are, those of the language too; all others as Error with their name. */
function createError({ name, message, errors, fields }: PackedError, inside: (part: unknown) => unknown): Error {
  // The codes were written by the same classes on the other side.
  const { code } = fields
  if (name === 'CallError') return new CallError(code as CallErrorCode, message, inside(fields['reason']))
  if (name === 'StartError') return new StartError(code as StartErrorCode, message, inside(fields['reason']))
  if (name === 'SupervisorError') return new SupervisorError(code as string, message, inside(fields['detail']))
  if (name === 'RegistryError')
    return new RegistryError(code as RegistryError['code'], message, inside(fields['detail']))
  if (name === 'CloneError') return new CloneError(message, String(fields['path']))
  if (errors !== undefined) return new AggregateError(errors.map(inside), message)
  return new (errorClasses[name] ?? Error)(message)
}
