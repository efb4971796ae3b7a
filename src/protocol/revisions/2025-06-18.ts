/**
 * Revision 2025-06-18: brought titles, structured output, resource links, elicitation and `_meta` on items; took batches
 * away. Lacks icons, elicitation by URL and with rich forms, tools in sampling, and tasks.
 */
import { revision20250326 } from './2025-03-26.ts'
import { downgrading } from './downgrade.ts'

export const revision20250618 = downgrading({
  version: '2025-06-18',
  allowsBatches: false,
  features: new Set([
    ...revision20250326.features,
    'titles',
    'structuredContent',
    'resourceLinks',
    'elicitation',
    'completionContext',
    'itemMeta',
  ]),
})
