/**
 * How a capability is named: by a dotted path, as in 'resources.subscribe'. An extension's identifier has dots of its own,
 * so everything after 'extensions.' is the identifier, and a setting of the extension comes after a '#'.
 *
 *     capabilityPath('elicitation.url')                                    // ['elicitation', 'url']
 *     capabilityPath('extensions.io.modelcontextprotocol/tasks')           // ['extensions', 'io.modelcontextprotocol/tasks']
 *     capabilityPath('extensions.io.modelcontextprotocol/skills#directoryRead')
 *     // ['extensions', 'io.modelcontextprotocol/skills', 'directoryRead']
 */

/** The tasks extension. Spec: SEP-2663. */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks'
/** The skills extension. Spec: SEP-2640. */
export const SKILLS_EXTENSION = 'io.modelcontextprotocol/skills'

const EXTENSIONS = 'extensions.'

/** The member names that lead to a capability, outermost first. */
export function capabilityPath(path: string): readonly string[] {
  if (!path.startsWith(EXTENSIONS)) return path.split('.')
  const rest = path.slice(EXTENSIONS.length)
  const hash = rest.indexOf('#')
  return hash === -1 ? ['extensions', rest] : ['extensions', rest.slice(0, hash), rest.slice(hash + 1)]
}

/** The capabilities object that announces everything in `paths`: `{ elicitation: { url: {} } }` for 'elicitation.url'. */
export function capabilitiesOf(paths: readonly string[]): { readonly [name: string]: object } {
  const whole: Tree = {}
  for (const path of paths) {
    let at = whole
    for (const name of capabilityPath(path)) {
      at[name] ??= {}
      at = at[name]
    }
  }
  return whole
}

type Tree = { [name: string]: Tree }
