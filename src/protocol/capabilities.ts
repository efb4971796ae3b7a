/**
 * Capabilities: what a server announces, and what a client said it can do. A client's are read once, tolerantly, into a
 * neutral shape of plain booleans; a server's are built from what it has. Only what both sides named may be used.
 *
 *     const client = readClientCapabilities({ elicitation: {} })     // { elicitation: { form: true, url: false } }
 *     has(client, 'elicitation.url')                                 // false
 *
 * Spec: MCP 2025-11-25, basic/lifecycle, capability negotiation.
 */
import { capabilityPath } from './capability-path.ts'
import { isObject, type JsonObject } from './json-rpc.ts'

/** Settings of optional extensions, by identifier. Spec: MCP 2026-07-28, basic/versioning, extension negotiation. */
export type Extensions = { readonly [identifier: string]: JsonObject }

/** What a client can do. A member that is absent was not announced. */
export interface ClientCapabilities {
  readonly sampling?: { readonly context: boolean; readonly tools: boolean }
  readonly elicitation?: { readonly form: boolean; readonly url: boolean }
  readonly roots?: { readonly listChanged: boolean }
  readonly tasks?: {
    readonly list: boolean
    readonly cancel: boolean
    readonly sampling: boolean
    readonly elicitation: boolean
  }
  readonly experimental?: JsonObject
  readonly extensions?: Extensions
}

/** What a server announces, in neutral shape: both the tasks of revision 2025-11-25 and the extensions of later ones. */
export interface ServerCapabilities {
  readonly tools?: { readonly listChanged?: boolean }
  readonly resources?: { readonly subscribe?: boolean; readonly listChanged?: boolean }
  readonly prompts?: { readonly listChanged?: boolean }
  readonly completions?: JsonObject
  readonly logging?: JsonObject
  readonly tasks?: JsonObject
  readonly experimental?: JsonObject
  readonly extensions?: Extensions
}

/** What a server has. */
export interface ServerOffer {
  readonly tools?: boolean
  readonly resources?: boolean
  readonly subscriptions?: boolean
  readonly prompts?: boolean
  readonly completions?: boolean
  readonly logging?: boolean
  /** Whether changes of the lists are told; default true. */
  readonly listChanged?: boolean
  /** The `tasks` capability of revision 2025-11-25. For later ones name the extension. */
  readonly tasks?: JsonObject
  readonly experimental?: JsonObject
  readonly extensions?: Extensions
}

/** The capabilities that a server with `offer` announces. */
export function serverCapabilities(offer: ServerOffer): ServerCapabilities {
  const list = (offer.listChanged ?? true) ? { listChanged: true } : {}
  return {
    ...(offer.tools && { tools: list }),
    ...(offer.resources && { resources: offer.subscriptions ? { subscribe: true, ...list } : list }),
    ...(offer.prompts && { prompts: list }),
    ...(offer.completions && { completions: {} }),
    ...(offer.logging && { logging: {} }),
    ...(offer.tasks && { tasks: offer.tasks }),
    ...(offer.experimental && { experimental: offer.experimental }),
    ...(offer.extensions && { extensions: offer.extensions }),
  }
}

/**
 * The capabilities that a client sent, in `initialize` or in the `_meta` of a request. Objects and `true` announce, anything else does not; unknown members
 * are left out. `elicitation: {}` means forms only, as it did before modes existed.
 */
export function readClientCapabilities(sent: unknown): ClientCapabilities {
  if (!isObject(sent)) return {}
  const { sampling, elicitation, roots, tasks, experimental, extensions } = sent
  const requests = member(tasks, 'requests')
  return {
    ...(isOn(sampling) && {
      sampling: { context: isOn(member(sampling, 'context')), tools: isOn(member(sampling, 'tools')) },
    }),
    ...(isOn(elicitation) && { elicitation: readElicitation(elicitation) }),
    ...(isOn(roots) && { roots: { listChanged: isOn(member(roots, 'listChanged')) } }),
    ...(isOn(tasks) && {
      tasks: {
        list: isOn(member(tasks, 'list')),
        cancel: isOn(member(tasks, 'cancel')),
        sampling: isOn(member(member(requests, 'sampling'), 'createMessage')),
        elicitation: isOn(member(member(requests, 'elicitation'), 'create')),
      },
    }),
    ...(isObject(experimental) && { experimental }),
    ...(isObject(extensions) && { extensions: readExtensions(extensions) }),
  }
}

/** A client's capabilities as it sends them in `initialize`, in the shape of revision 2025-11-25. */
export function writeClientCapabilities(client: ClientCapabilities): JsonObject {
  const { sampling, elicitation, roots, tasks, experimental, extensions } = client
  return {
    ...(sampling && { sampling: { ...(sampling.context && { context: {} }), ...(sampling.tools && { tools: {} }) } }),
    ...(elicitation && { elicitation: { ...(elicitation.form && { form: {} }), ...(elicitation.url && { url: {} }) } }),
    ...(roots && { roots: roots.listChanged ? { listChanged: true } : {} }),
    ...(tasks && {
      tasks: {
        ...(tasks.list && { list: {} }),
        ...(tasks.cancel && { cancel: {} }),
        requests: {
          ...(tasks.sampling && { sampling: { createMessage: {} } }),
          ...(tasks.elicitation && { elicitation: { create: {} } }),
        },
      },
    }),
    ...(experimental && { experimental }),
    ...(extensions && { extensions }),
  }
}

/**
 * Whether a capability such as 'tools', 'resources.subscribe' or 'extensions.io.modelcontextprotocol/tasks' is there and not
 * false; see `capabilityPath` for the notation.
 */
export function has(capabilities: ClientCapabilities | ServerCapabilities, path: string): boolean {
  if (!path.includes('.')) return Object.hasOwn(capabilities, path) && isOn((capabilities as JsonObject)[path])
  let value: unknown = capabilities
  for (const name of capabilityPath(path)) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return false
    value = value[name]
  }
  return isOn(value)
}

/** Whether the extension of that identifier was announced. */
export function hasExtension(capabilities: ClientCapabilities | ServerCapabilities, identifier: string): boolean {
  const { extensions } = capabilities
  return extensions !== undefined && Object.hasOwn(extensions, identifier) && isOn(extensions[identifier])
}

/** Settings that are no object announce nothing, but for `true`, which some send for no settings at all. */
function readExtensions(sent: JsonObject): Extensions {
  const read: [identifier: string, settings: JsonObject][] = []
  for (const [identifier, settings] of Object.entries(sent)) {
    if (isObject(settings)) read.push([identifier, settings])
    else if (settings === true) read.push([identifier, {}])
  }
  return Object.fromEntries(read)
}

function readElicitation(sent: unknown): { form: boolean; url: boolean } {
  const form = isOn(member(sent, 'form'))
  const url = isOn(member(sent, 'url'))
  return { form: form || !url, url }
}

function isOn(value: unknown): boolean {
  return value === true || isObject(value)
}

function member(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}
