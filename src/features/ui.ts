/**
 * User interfaces that hosts show: an HTML document behind a `ui://` URI, and the tools whose results it draws. Hosts without
 * the extension see ordinary tools and resources.
 *
 *     server.resource('ui://weather/panel', { ui: { prefersBorder: true }, read: () => '<!DOCTYPE html>...' })
 *     server.tool('forecast', { ui: { resourceUri: 'ui://weather/panel' }, run: ... })
 *
 * Spec: SEP-1865, MCP Apps (io.modelcontextprotocol/ui).
 */
import { describeValue, type JsonObject } from '#protocol'
import { isRecord, refuse } from './definition.ts'

/** The identifier under which client and server announce the extension. */
export const UI_EXTENSION = 'io.modelcontextprotocol/ui'
/** What a `ui://` resource is; no other type exists yet. */
export const UI_MIME_TYPE = 'text/html;profile=mcp-app'

/** How a tool and its interface belong together: `_meta.ui` of the tool. */
export interface ToolUi {
  /** The `ui://` resource that shows the tool's results. */
  readonly resourceUri?: string
  /** Who may call the tool; default both. Hosts keep tools that are not for the model away from it. */
  readonly visibility?: readonly ('model' | 'app')[]
}

/** What an interface needs of its host: `_meta.ui` of the resource and of its contents. */
export interface ResourceUi {
  /** Origins that the document may reach; none without it. */
  readonly csp?: {
    readonly connectDomains?: readonly string[]
    readonly resourceDomains?: readonly string[]
    readonly frameDomains?: readonly string[]
    readonly baseUriDomains?: readonly string[]
  }
  readonly permissions?: {
    readonly camera?: object
    readonly microphone?: object
    readonly geolocation?: object
    readonly clipboardWrite?: object
  }
  /** A dedicated origin, in the form that the host documents. */
  readonly domain?: string
  readonly prefersBorder?: boolean
}

/** Most origins in one list of a `csp`. */
export const UI_ORIGINS_MAX = 256

const isUiUri = (uri: unknown): uri is string => typeof uri === 'string' && uri.startsWith('ui://') && URL.canParse(uri)

/** Whether a resource is a user interface. */
export function isUiResource(uri: string): boolean {
  return uri.startsWith('ui://')
}

/** Throws a FeatureError for a tool's `ui` that no host could use. */
export function checkToolUi(what: string, ui: unknown): void {
  if (ui === undefined) return
  if (!isRecord(ui)) refuse(what, `ui must be an object, got ${describeValue(ui)}`)
  const { resourceUri, visibility } = ui
  if (resourceUri !== undefined && !isUiUri(resourceUri))
    refuse(what, `ui.resourceUri must be a ui:// URI, got ${describeValue(resourceUri)}`)
  if (visibility === undefined) return
  const isGood =
    Array.isArray(visibility) && visibility.length > 0 && visibility.every((one) => one === 'model' || one === 'app')
  if (!isGood) refuse(what, `ui.visibility must hold "model", "app" or both, got ${describeValue(visibility)}`)
}

const origins = ['connectDomains', 'resourceDomains', 'frameDomains', 'baseUriDomains'] as const
const permissionNames = ['camera', 'microphone', 'geolocation', 'clipboardWrite']

/** Throws a FeatureError for a resource that calls itself an interface and is none, or whose `ui` no host could use. */
export function checkResourceUi(what: string, uri: string, mimeType: string | undefined, ui: unknown): void {
  const isUi = isUiResource(uri)
  if (isUi && mimeType !== undefined && mimeType !== UI_MIME_TYPE)
    refuse(what, `mimeType of a ui:// resource must be "${UI_MIME_TYPE}", got ${describeValue(mimeType)}`)
  if (ui === undefined) return
  if (!isUi) refuse(what, 'ui belongs to resources whose URI begins with ui://')
  if (!isRecord(ui)) refuse(what, `ui must be an object, got ${describeValue(ui)}`)
  const { csp, permissions, domain, prefersBorder } = ui
  if (csp !== undefined) checkCsp(what, csp)
  if (permissions !== undefined) {
    const strange = isRecord(permissions)
      ? Object.entries(permissions).find(([name, value]) => !permissionNames.includes(name) || !isRecord(value))
      : ['', permissions]
    if (strange !== undefined)
      refuse(
        what,
        `ui.permissions must hold ${permissionNames.join(', ')} as empty objects, got "${String(strange[0])}"`,
      )
  }
  if (domain !== undefined && typeof domain !== 'string')
    refuse(what, `ui.domain must be a string, got ${describeValue(domain)}`)
  if (prefersBorder !== undefined && typeof prefersBorder !== 'boolean')
    refuse(what, `ui.prefersBorder must be true or false, got ${describeValue(prefersBorder)}`)
}

/** Whether a client said that it shows interfaces of our kind; `settings` is what it announced for the extension. */
export function showsUi(settings: JsonObject | undefined): boolean {
  if (settings === undefined) return false
  const { mimeTypes } = settings
  return mimeTypes === undefined || (Array.isArray(mimeTypes) && mimeTypes.includes(UI_MIME_TYPE))
}

function checkCsp(what: string, csp: unknown): void {
  if (!isRecord(csp)) refuse(what, `ui.csp must be an object, got ${describeValue(csp)}`)
  for (const [name, list] of Object.entries(csp)) {
    if (!(origins as readonly string[]).includes(name))
      refuse(what, `ui.csp has the member "${name}"; ${origins.join(', ')} exist`)
    if (!Array.isArray(list) || list.length > UI_ORIGINS_MAX)
      refuse(what, `ui.csp.${name} must be an array of at most ${UI_ORIGINS_MAX} origins, got ${describeValue(list)}`)
    const bad: unknown = list.find((one) => typeof one !== 'string' || !/^(?:https?|wss?):\/\/[^\s/;,]+$/i.test(one))
    if (bad !== undefined)
      refuse(what, `ui.csp.${name} must hold origins such as "https://api.example.com", got ${describeValue(bad)}`)
  }
}
