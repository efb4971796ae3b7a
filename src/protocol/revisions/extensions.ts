/**
 * The capabilities of a server as the two eras write them. Tasks are a capability of 2025-11-25 and an extension since; a
 * server announces each where it belongs.
 */
import { TASKS_EXTENSION } from '#protocol/capability-path'
import { isObject, type JsonObject } from '#protocol/json-rpc'

/** Capabilities without the extensions that are of the modern era only. Returns the same object where there are none. */
export function legacyExtensions(capabilities: JsonObject): JsonObject {
  const { extensions, ...left } = capabilities
  if (!isObject(extensions) || !Object.hasOwn(extensions, TASKS_EXTENSION)) return capabilities
  const { [TASKS_EXTENSION]: _tasks, ...others } = extensions
  return Object.keys(others).length === 0 ? left : { ...left, extensions: others }
}

/** Capabilities without those that became extensions. */
export function modernCapabilities(capabilities: JsonObject): JsonObject {
  if (capabilities['tasks'] === undefined) return capabilities
  const { tasks: _tasks, ...left } = capabilities
  return left
}
