/**
 * Revision 2025-11-25: the newest of the legacy era. Its shapes are the neutral ones, so its codec changes nothing.
 */

import { revision20250618 } from './2025-06-18.ts'
import type { Revision } from './revision.ts'

export const revision20251125: Revision = {
  version: '2025-11-25',
  allowsBatches: false,
  features: new Set([...revision20250618.features, 'icons', 'elicitationModes', 'samplingTools', 'tasks']),
  encodeResult: (_method, result) => result,
  encodeParams: (_method, params) => params,
}
