/**
 * What a client says of itself, in the words of each era: once in `initialize`, or in the `_meta` of every request.
 *
 * Spec: MCP 2025-11-25, basic/lifecycle, initialization; MCP 2026-07-28, basic, `_meta`.
 */
import {
  clientCapabilitiesKey,
  clientInfoKey,
  encodeRequest,
  isObject,
  type JsonObject,
  logLevelKey,
  protocolVersionKey,
  type RequestId,
  standardHeaders,
  TASKS_EXTENSION,
  writeClientCapabilities,
} from '#protocol'
import type { ClientServices, ClientSettings, ServerDescription } from './client-services.ts'

/** The params of `initialize`. */
export function initializeParams({ info, capabilities }: ClientSettings, protocolVersion: string): JsonObject {
  const { extensions = {}, ...rest } = capabilities
  // Tasks are a capability of their own in this era, and one that a client without tasks of its own does not have.
  const { [TASKS_EXTENSION]: _tasks, ...others } = extensions
  const legacy = Object.keys(others).length === 0 ? rest : { ...rest, extensions: others }
  return { protocolVersion, capabilities: writeClientCapabilities(legacy), clientInfo: info }
}

/** The `_meta` that every request of the modern era carries. */
export function modernMeta(
  { settings, known }: ClientServices,
  version: string,
  progressToken?: RequestId,
): JsonObject {
  const { tasks: _tasks, roots, ...rest } = settings.capabilities
  const capabilities = { ...rest, ...(roots !== undefined && { roots: { listChanged: false } }) }
  return {
    [protocolVersionKey]: version,
    [clientInfoKey]: settings.info,
    [clientCapabilitiesKey]: writeClientCapabilities(capabilities),
    ...(known.logLevel !== undefined && { [logLevelKey]: known.logLevel }),
    ...(progressToken !== undefined && { progressToken }),
  }
}

/** The params of a notification, which in the modern era say their revision too. */
export function marked(server: ServerDescription | undefined, params: JsonObject | undefined): JsonObject | undefined {
  if (server?.era !== 'modern') return params
  const own = isObject(params?.['_meta']) ? params['_meta'] : {}
  return { ...params, _meta: { ...own, [protocolVersionKey]: server.protocolVersion } }
}

/** What the protocol says in `_meta` of a request to that server. */
export function metaOf(
  services: ClientServices,
  server: ServerDescription | undefined,
  token?: RequestId,
): JsonObject | undefined {
  if (server?.era === 'modern') return modernMeta(services, server.protocolVersion, token)
  return token === undefined ? undefined : { progressToken: token }
}

/** Headers of what is no request of the modern era. */
export function versionHeader(server: ServerDescription | undefined): Readonly<Record<string, string>> {
  return server === undefined ? {} : { 'MCP-Protocol-Version': server.protocolVersion }
}

/** A request as text with its headers. What the protocol says in `_meta` goes before what the caller says there. */
export function encodeCall(
  id: RequestId,
  method: string,
  params: JsonObject | undefined,
  meta: JsonObject | undefined,
  headers: Readonly<Record<string, string>> = {},
): { readonly text: string; readonly headers: Readonly<Record<string, string>> } {
  const own = isObject(params?.['_meta']) ? params['_meta'] : {}
  const whole = meta === undefined ? params : { ...params, _meta: { ...own, ...meta } }
  const version = meta?.[protocolVersionKey]
  return {
    text: encodeRequest(id, method, whole),
    headers: typeof version === 'string' ? standardHeaders(version, method, params) : headers,
  }
}
