/** Questions for the user: a form, or a page to visit. Spec: MCP 2025-11-25, client/elicitation. */
import { elicitRequestFault, elicitResultFault, type JsonObject, withElicitDefaults } from '#protocol'
import type { QuestionKind } from './question-kind.ts'

export const elicitation: QuestionKind = {
  check: (params) => {
    const fault = elicitRequestFault(params)
    if (fault !== undefined) throw new TypeError(`elicitation/create: ${fault}`)
  },
  accept: (result, params) => {
    const given = withElicitDefaults(params, withoutRefused(result))
    const fault = elicitResultFault(params, given)
    if (fault !== undefined) throw new TypeError(fault)
    return given
  },
  elicitationId: (params) => {
    const { mode, elicitationId } = params
    return mode === 'url' && typeof elicitationId === 'string' ? elicitationId : undefined
  },
}

/** A refusal is one, whatever a client has left in the form. */
function withoutRefused(result: JsonObject): JsonObject {
  const { content: _dropped, ...rest } = result
  return result['action'] === 'decline' || result['action'] === 'cancel' ? rest : result
}
