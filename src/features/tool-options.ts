/**
 * What a tool's options say beyond its schemas and function: hints, its version, who may call it, whether it runs as a task,
 * the user interface that shows its results. Each is checked here; those that clients read go into the tool's `_meta`.
 *
 *     _meta: { 'bough/version': '2.1.0', 'bough/deprecated': { since: '2.0.0', replacedBy: 'forecast' } }
 *
 * Spec: MCP 2025-11-25, server/tools; basic, `_meta`; SEP-1865, tool metadata.
 */
import { describeValue, type JsonObject, type ToolAnnotations, type ToolEntity } from '#protocol'
import { isRecord, refuse } from './definition.ts'
import { checkToolUi, type ToolUi } from './ui.ts'

/** Whether a tool may, must or must not run as a task; a tool that does not say must not. */
export type TaskSupport = NonNullable<NonNullable<ToolEntity['execution']>['taskSupport']>

export interface Deprecation {
  /** The version, or date, since which the tool should not be used. */
  readonly since?: string
  /** Why, and what to do, for people and models. */
  readonly message?: string
  /** The name of the tool to use instead. */
  readonly replacedBy?: string
}

export interface ToolTraits {
  readonly annotations?: ToolAnnotations | undefined
  readonly execution?: ToolEntity['execution'] | undefined
  /** The same as `execution.taskSupport`. */
  readonly task?: TaskSupport | undefined
  /**
   * Whether a task of this tool may run again from its start after a restart of the server; `ctx.restored` is what it saved.
   * Default false: such a task fails.
   */
  readonly resumable?: boolean | undefined
  /** What clients of revision 2025-11-25 may tell their model at once when the tool runs as a task. */
  readonly taskMessage?: string | undefined
  /** The tool's own version, shown in listings under `_meta['bough/version']`. */
  readonly version?: string | undefined
  /** Shown in listings under `_meta['bough/deprecated']`; the tool goes on working. */
  readonly deprecated?: boolean | Deprecation | undefined
  /** What the caller's authorization must grant; a call without it is refused. Without authorization they mean nothing. */
  readonly scopes?: readonly string[] | undefined
  /** The interface that shows the tool's results, in clients that have the apps extension. */
  readonly ui?: ToolUi | undefined
  /** Keys of your own, such as 'com.example/owner'; prefixes with the second label `mcp` or `modelcontextprotocol` are taken. */
  readonly _meta?: JsonObject | undefined
}

/** When a tool that fails is left alone. */
export interface BreakerOptions {
  /** Failures in a row (throws and time-outs) after which it is not called; default 5. */
  readonly failures?: number
  /** Milliseconds after which a call is tried again; default 10 000. */
  readonly resetMs?: number
  /** Calls that are tried at once then; default 1. */
  readonly trials?: number
}

/** Where `_meta` of a listed tool holds its version, and its deprecation: `true` or a `Deprecation`. */
export const VERSION_META_KEY = 'bough/version'
export const DEPRECATED_META_KEY = 'bough/deprecated'

/** Most scopes that one thing may need. */
export const SCOPES_MAX = 64

/** Most characters of a version, and of a deprecation's message. */
const VERSION_LENGTH_MAX = 128
const MESSAGE_LENGTH_MAX = 4_096

const hints = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const

/** A tool's `annotations`: a title and four hints. Spec: MCP 2025-11-25, schema, ToolAnnotations. */
export function checkToolAnnotations(what: string, annotations: unknown): void {
  if (annotations === undefined) return
  if (!isRecord(annotations)) refuse(what, `annotations must be an object, got ${describeValue(annotations)}`)
  const { title } = annotations
  if (title !== undefined && typeof title !== 'string')
    refuse(what, `annotations.title must be a string, got ${describeValue(title)}`)
  for (const name of hints) {
    const value = annotations[name]
    if (value !== undefined && typeof value !== 'boolean')
      refuse(what, `annotations.${name} must be true or false, got ${describeValue(value)}`)
  }
}

/** Whether the tool runs as a task, from `task` or `execution`. Throws a FeatureError when they differ or make no sense. */
export function taskSupportOf(what: string, { task, execution, resumable }: ToolTraits): TaskSupport | undefined {
  if (execution !== undefined && !isRecord(execution))
    refuse(what, `execution must be an object, got ${describeValue(execution)}`)
  const inner: unknown = execution?.taskSupport
  for (const [name, value] of [
    ['task', task],
    ['execution.taskSupport', inner],
  ] as const) {
    if (value !== undefined && value !== 'optional' && value !== 'required' && value !== 'forbidden')
      refuse(what, `${name} must be "optional", "required" or "forbidden", got ${describeValue(value)}`)
  }
  if (task !== undefined && inner !== undefined && task !== inner)
    refuse(what, `task says "${task}" and execution.taskSupport says "${String(inner)}". Give one of them`)
  const support = task ?? (inner as TaskSupport | undefined) // one of the three, or nothing
  if (resumable !== undefined && typeof resumable !== 'boolean')
    refuse(what, `resumable must be true or false, got ${describeValue(resumable)}`)
  if (resumable === true && support !== 'optional' && support !== 'required')
    refuse(what, 'resumable is about tasks. Set task to "optional" or "required", or leave it out')
  return support
}

/** The scopes that a caller needs, each once. Spec: RFC 6749, section 3.3. */
export function checkScopes(what: string, scopes: unknown): readonly string[] {
  if (scopes === undefined) return []
  if (!Array.isArray(scopes) || scopes.length > SCOPES_MAX)
    refuse(what, `scopes must be an array of at most ${SCOPES_MAX} scopes, got ${describeValue(scopes)}`)
  for (const [index, scope] of scopes.entries()) {
    if (typeof scope !== 'string' || !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
      refuse(what, `scopes[${index}] must be a scope without spaces and quotes, got ${describeValue(scope)}`)
  }
  return [...new Set(scopes as readonly string[])]
}

/** The `_meta` of a listed tool: the author's own, and what the other options say. Undefined when there is none. */
export function toolMeta(what: string, { version, deprecated, ui, _meta }: ToolTraits): JsonObject | undefined {
  checkText(what, 'version', version, VERSION_LENGTH_MAX)
  checkDeprecation(what, deprecated)
  checkToolUi(what, ui)
  const added: JsonObject = {
    ...(version !== undefined && { [VERSION_META_KEY]: version }),
    ...(deprecated !== undefined && deprecated !== false && { [DEPRECATED_META_KEY]: deprecated }),
    ...(ui !== undefined && { ui }),
  }
  for (const key of Object.keys(added)) {
    if (_meta !== undefined && Object.hasOwn(_meta, key))
      refuse(what, `_meta holds "${key}", which an option sets already. Leave it out of _meta`)
  }
  return _meta === undefined && Object.keys(added).length === 0 ? undefined : { ..._meta, ...added }
}

function checkDeprecation(what: string, deprecated: unknown): void {
  if (deprecated === undefined || typeof deprecated === 'boolean') return
  if (!isRecord(deprecated))
    refuse(what, `deprecated must be true, false or { since, message, replacedBy }, got ${describeValue(deprecated)}`)
  const { since, message, replacedBy, ...others } = deprecated
  checkText(what, 'deprecated.since', since, VERSION_LENGTH_MAX)
  checkText(what, 'deprecated.message', message, MESSAGE_LENGTH_MAX)
  checkText(what, 'deprecated.replacedBy', replacedBy, VERSION_LENGTH_MAX)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) refuse(what, `deprecated has the member "${unknown}"; since, message and replacedBy exist`)
}

function checkText(what: string, name: string, value: unknown, lengthMax: number): void {
  if (value === undefined) return
  if (typeof value !== 'string' || value === '' || value.length > lengthMax)
    refuse(what, `${name} must be a text of 1 to ${lengthMax} characters, got ${describeValue(value)}`)
}

/** The breaker with its defaults, or undefined for none. */
export function breakerOf(what: string, breaker: unknown): Required<BreakerOptions> | undefined {
  if (breaker === undefined || breaker === false) return undefined
  const defaults = { failures: 5, resetMs: 10_000, trials: 1 }
  if (breaker === true) return defaults
  if (!isRecord(breaker))
    refuse(what, `breaker must be true or { failures, resetMs, trials }, got ${describeValue(breaker)}`)
  for (const [name, value] of Object.entries(breaker)) {
    if (!Object.hasOwn(defaults, name))
      refuse(what, `breaker has the member "${name}"; failures, resetMs and trials exist`)
    if (!Number.isInteger(value) || (value as number) < 1)
      refuse(what, `breaker.${name} must be a whole number of at least 1, got ${describeValue(value)}`)
  }
  return { ...defaults, ...breaker }
}
