/** Revision 2024-11-05: the first; it has none of what later ones added. */
import { downgrading } from './downgrade.ts'

export const revision20241105 = downgrading({
  version: '2024-11-05',
  allowsBatches: false,
  features: new Set(),
})
