/** Questions for the client's roots. Spec: MCP 2025-11-25, client/roots. */
import { rootsResultFault } from '#protocol'
import type { QuestionKind } from './question-kind.ts'

export const roots: QuestionKind = {
  check: () => undefined,
  accept: (result) => {
    const fault = rootsResultFault(result)
    if (fault !== undefined) throw new TypeError(fault)
    return result
  },
}
