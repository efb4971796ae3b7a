/**
 * The lists and who hears of their changes are one consistent picture: when one of them crashes, all start again from it.
 */
import { catalogRegistryChild } from '#actors/catalog-registry'
import type { Services } from '#actors/services'
import { subscriptionsChild } from '#actors/subscriptions'
import { type ChildSpec, child, defineSupervisor } from '#runtime'

const CatalogTree = defineSupervisor('catalog', (services: Services) => ({
  strategy: 'one_for_all',
  intensity: 5,
  period: 10_000,
  children: [
    subscriptionsChild(services),
    catalogRegistryChild(services, 'tools'),
    catalogRegistryChild(services, 'resources'),
    catalogRegistryChild(services, 'prompts'),
  ],
}))

export const catalogChild = (services: Services): ChildSpec => child(CatalogTree, services, { id: 'catalog' })
