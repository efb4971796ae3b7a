/** Questions for the client's model. Spec: MCP 2025-11-25, client/sampling. */
import { sampleRequestFault, sampleResultFault } from '#protocol'
import type { QuestionKind } from './question-kind.ts'

export const sampling: QuestionKind = {
  check: (params) => {
    const fault = sampleRequestFault(params)
    if (fault !== undefined) throw new TypeError(`sampling/createMessage: ${fault}`)
  },
  accept: (result, params) => {
    const fault = sampleResultFault(result, params)
    if (fault !== undefined) throw new TypeError(fault)
    return result
  },
}
