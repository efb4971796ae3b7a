/**
 * Revision 2025-03-26: brought audio, tool annotations, the completions capability and progress messages. The only revision
 * with batches.
 */
import { revision20241105 } from './2024-11-05.ts'
import { downgrading } from './downgrade.ts'

export const revision20250326 = downgrading({
  version: '2025-03-26',
  allowsBatches: true,
  features: new Set([...revision20241105.features, 'audio', 'toolAnnotations', 'completions', 'progressMessage']),
})
