/** A context for handlers that do not use it: every member throws when touched. */
import type { ToolContext } from '#features/context'

export const noContext = new Proxy({} as ToolContext, {
  get: (_target, name) => {
    throw new Error(`ctx.${String(name)} was used`)
  },
})
