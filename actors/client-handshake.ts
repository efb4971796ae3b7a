/**
 * Which era a server is of, and in which revision to speak with it: from the answers to the first requests to the next step.
 *
 *     server/discover   a result, or a modern error        -> modern, in a version that both have
 *                       any other error, or silence        -> initialize
 *     initialize        a version that the client speaks   -> legacy
 *                       HTTP 400, 404 or 405               -> the HTTP+SSE transport of 2024-11-05
 *
 * Spec: MCP 2026-07-28, basic/versioning, backward compatibility; basic/transports, stdio and streamable-http, backward
 * compatibility; MCP 2025-11-25, basic/lifecycle, version negotiation.
 */
import {
  decode,
  ErrorCode,
  type ErrorObject,
  type Implementation,
  isObject,
  type JsonObject,
  type Revision,
  type ServerCapabilities,
  serverInfoKey,
} from '#protocol'
import type { LinkFailure } from '#transports/client-port'
import type { ClientSettings, Failure, FailureCode, ServerDescription } from './client-services.ts'

/** What came of a first request. */
export type Answer =
  | { readonly result: JsonObject }
  | { readonly error: ErrorObject }
  | { readonly failure: LinkFailure }
  | 'timeout'

export type Step =
  | { readonly kind: 'operate'; readonly server: ServerDescription }
  /** Ask again, in this version. */
  | { readonly kind: 'discover'; readonly version: string }
  | { readonly kind: 'initialize' }
  /** The link did not survive the probe: open another one and initialize. */
  | { readonly kind: 'reopen' }
  /** Try the next transport. */
  | { readonly kind: 'fall_back' }
  /** `isFinal`: trying again would give the same. */
  | { readonly kind: 'fail'; readonly failure: Failure; readonly isFinal: boolean; readonly retryAfterMs?: number }

type Settings = Pick<ClientSettings, 'revisions' | 'era'>

/** The revisions of an era that the client speaks, newest first. */
export function spoken({ revisions, era }: Settings, wanted: Revision['era']): readonly Revision[] {
  if (era !== 'auto' && era !== wanted) return []
  return revisions.filter((revision) => revision.era === wanted).reverse()
}

/**
 * The step after `server/discover`. `isHttp`: statuses tell more than silence does. `isKnown`: the server has been modern
 * before, so that silence is a loss, not a sign.
 */
export function afterDiscover(settings: Settings, answer: Answer, isHttp: boolean, isKnown = false): Step {
  if (answer !== 'timeout' && 'result' in answer) {
    const supported = versionsIn(answer.result['supportedVersions'])
    return supported === undefined
      ? toLegacy(settings, 'no list of versions')
      : agree(settings, supported, answer.result)
  }
  const error = errorOf(answer)
  if (error !== undefined && isModernError(error)) {
    const supported = isObject(error.data) ? versionsIn(error.data['supported']) : undefined
    if (error.code !== ErrorCode.UnsupportedProtocolVersion || supported === undefined) return refused(error)
    const version = spoken(settings, 'modern').find((revision) => supported.includes(revision.version))?.version
    return version === undefined ? agree(settings, supported, {}) : { kind: 'discover', version }
  }
  if (answer === 'timeout') {
    const isLegacyTried = !isHttp && !isKnown && spoken(settings, 'legacy').length > 0
    return isLegacyTried
      ? toLegacy(settings, 'nothing')
      : failed('timeout', 'The server did not answer server/discover in time.', false)
  }
  if ('failure' in answer) {
    const { failure } = answer
    if (!isHttp && !isKnown && failure.kind === 'broken' && spoken(settings, 'legacy').length > 0)
      return { kind: 'reopen' }
    if (!isSignOfLegacy(failure)) return failedLink(failure)
    return toLegacy(settings, failure.message)
  }
  return toLegacy(settings, `the error ${answer.error.code}`)
}

/** The step after `initialize`. */
export function afterInitialize(settings: Settings, answer: Answer, canFallBack: boolean): Step {
  if (answer === 'timeout') return failed('timeout', 'The server did not answer initialize in time.', false)
  if ('result' in answer) {
    const { protocolVersion, capabilities, serverInfo, instructions } = answer.result
    const revision = spoken(settings, 'legacy').find(({ version }) => version === protocolVersion)
    if (revision === undefined) return unsupported(settings, [String(protocolVersion)])
    return operate('legacy', revision.version, capabilities, serverInfo, instructions)
  }
  const error = errorOf(answer)
  if ('failure' in answer) {
    const { kind, status = 0 } = answer.failure
    if (kind === 'unauthorized') return failedLink(answer.failure)
    const isNotThere = kind === 'status' && (status === 400 || status === 404 || status === 405)
    if (isNotThere && canFallBack && (error === undefined || !isModernError(error))) return { kind: 'fall_back' }
    if (error === undefined) return failedLink(answer.failure)
  }
  return refused(error ?? { code: ErrorCode.InternalError, message: 'The server refused initialize.' })
}

/** What a link's failure is to somebody who waits for an answer. */
export function failureOf(failure: LinkFailure): Failure {
  const { kind, message, mayHaveRun, status, cause } = failure
  const codes: Partial<Record<LinkFailure['kind'], FailureCode>> = {
    broken: 'lost',
    closed: 'lost',
    session_lost: 'lost',
  }
  return {
    code: codes[kind] ?? (kind as FailureCode),
    message,
    mayHaveRun,
    ...(status !== undefined && { data: { status } }),
    ...(cause !== undefined && { cause }),
  }
}

/** What an error that the server answered with is to whoever asked. */
export function refusalOf({ code, message, data }: ErrorObject): Failure {
  // Refused before it ran, unless the server itself failed or the code is its own.
  const mayHaveRun = code === ErrorCode.InternalError || code > -32000
  return { code, message, mayHaveRun, ...(data !== undefined && { data }) }
}

/** The JSON-RPC error in the body of a refusal, if there is one. */
export function errorInBody({ body }: LinkFailure): ErrorObject | undefined {
  if (body === undefined || body === '') return undefined
  const message = decode(body)
  return !Array.isArray(message) && message.kind === 'error' ? message.error : undefined
}

/** The server told of versions: speaks the newest that both have, in whichever era. */
function agree(settings: Settings, supported: readonly string[], result: JsonObject): Step {
  const modern = spoken(settings, 'modern').find(({ version }) => supported.includes(version))
  if (modern !== undefined) {
    const meta = isObject(result['_meta']) ? result['_meta'] : {}
    const { capabilities, instructions } = result
    return operate('modern', modern.version, capabilities, meta[serverInfoKey], instructions)
  }
  if (spoken(settings, 'legacy').some(({ version }) => supported.includes(version))) return { kind: 'initialize' }
  return unsupported(settings, supported)
}

function operate(
  era: Revision['era'],
  protocolVersion: string,
  capabilities: unknown,
  info: unknown,
  instructions: unknown,
): Step {
  const server: ServerDescription = {
    // Self-reported, and read member by member where something depends on it.
    info: isObject(info) ? (info as unknown as Implementation) : undefined,
    capabilities: isObject(capabilities) ? (capabilities as ServerCapabilities) : {},
    instructions: typeof instructions === 'string' ? instructions : undefined,
    protocolVersion,
    era,
  }
  return { kind: 'operate', server }
}

function toLegacy(settings: Settings, came: string): Step {
  if (spoken(settings, 'legacy').length > 0) return { kind: 'initialize' }
  const ours = settings.revisions.map(({ version }) => version).join(', ')
  const message =
    `The server answered server/discover with ${came}: it is of the legacy era, and this client speaks only ` +
    `modern revisions (${ours}). Allow both with era: 'auto'.`
  return failed('unsupported_version', message, true)
}

function unsupported(settings: Settings, supported: readonly string[]): Step {
  const ours = [...spoken(settings, 'modern'), ...spoken(settings, 'legacy')].map(({ version }) => version)
  const message = `The server speaks ${supported.join(', ') || 'no known revision'}, this client ${ours.join(', ')}.`
  return failed('unsupported_version', message, true)
}

function refused({ code, message, data }: ErrorObject): Step {
  const failure: Failure = { code, message, mayHaveRun: false, ...(data !== undefined && { data }) }
  return { kind: 'fail', failure, isFinal: true }
}

function failed(code: FailureCode, message: string, isFinal: boolean): Step {
  return { kind: 'fail', failure: { code, message, mayHaveRun: false }, isFinal }
}

function failedLink(failure: LinkFailure): Step {
  const isFinal = failure.kind === 'unauthorized' || failure.kind === 'invalid'
  const { retryAfterMs } = failure
  return { kind: 'fail', failure: failureOf(failure), isFinal, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

function errorOf(answer: Answer): ErrorObject | undefined {
  if (answer === 'timeout' || 'result' in answer) return undefined
  return 'error' in answer ? answer.error : errorInBody(answer.failure)
}

function isModernError({ code }: ErrorObject): boolean {
  return (
    code === ErrorCode.UnsupportedProtocolVersion ||
    code === ErrorCode.HeaderMismatch ||
    code === ErrorCode.MissingRequiredClientCapability
  )
}

/** Refusals that a modern server would have explained. Overload, gateways and missing authorization say nothing of the era. */
function isSignOfLegacy({ kind, status = 0 }: LinkFailure): boolean {
  if (kind === 'invalid') return true
  return kind === 'status' && status >= 400 && status <= 501 && status !== 408 && status !== 429
}

function versionsIn(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((version) => typeof version === 'string') : undefined
}
