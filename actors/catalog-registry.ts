/**
 * A catalog registry is the one writer of one kind's table: tools, resources (with their templates), or prompts. Requests
 * read the table without asking; a change goes through this process, which then has the sessions told that the list changed.
 *
 *     register(services, 'tools', tool)       // puts or replaces
 *     unregister(services, 'tools', 'forecast')
 */
import type { Catalog } from '#features/catalog'
import type { Prompt } from '#features/prompt'
import type { Resource, ResourceTemplate } from '#features/resource'
import type { Skill } from '#features/skill'
import type { Tool } from '#features/tool'
import { type ChildSpec, child, defineActor, via } from '#runtime'
import { definitionChanged } from './cached-answers.ts'
import type { Services } from './services.ts'
import { listChanged } from './subscriptions.ts'

/** The lists that clients are told about. */
export type List = 'tools' | 'resources' | 'prompts'
export type Feature = Tool | Resource | ResourceTemplate | Prompt | Skill

interface State {
  readonly list: List
  readonly services: Services
}

export const CatalogRegistry = defineActor({
  name: 'catalog-registry',
  init: (arg: { services: Services; list: List }): State => arg,
  cast: {
    put: ({ services, list }, feature: Feature) => {
      put(services.catalog, feature)
      definitionChanged(services, feature.kind, feature.key)
      listChanged(services, list)
    },
    remove: ({ services, list }, { table, key }: { table: keyof Tables; key: string }) => {
      if (services.catalog[table].remove(key)) removed(services, list, table, key)
    },
  },
})

type Tables = Pick<Catalog, 'tools' | 'resources' | 'templates' | 'prompts' | 'skills'>

const listOf = {
  tool: 'tools',
  resource: 'resources',
  template: 'resources',
  prompt: 'prompts',
  skill: 'resources',
} as const

/** Puts a feature into a table; for a catalog that nobody serves yet. */
export function put(catalog: Catalog, feature: Feature): void {
  if (feature.kind === 'tool') catalog.tools.put(feature)
  else if (feature.kind === 'resource') catalog.resources.put(feature)
  else if (feature.kind === 'template') catalog.templates.put(feature)
  else if (feature.kind === 'prompt') catalog.prompts.put(feature)
  else catalog.skills.put(feature)
}

/** Puts or replaces a feature of a live server. */
export function register(services: Services, feature: Feature): void {
  if (via<typeof CatalogRegistry>(services.names, listOf[feature.kind]).cast('put', feature) !== false) return
  // The registry is being restarted; it starts with the table, so that is where the change is not lost.
  put(services.catalog, feature)
  definitionChanged(services, feature.kind, feature.key)
  listChanged(services, listOf[feature.kind])
}

/** Removes a feature of a live server. */
export function unregister(services: Services, table: keyof Tables, key: string): void {
  const list = table === 'templates' || table === 'skills' ? 'resources' : table
  if (via<typeof CatalogRegistry>(services.names, list).cast('remove', { table, key }) !== false) return
  if (services.catalog[table].remove(key)) removed(services, list, table, key)
}

function removed(services: Services, list: List, table: keyof Tables, key: string): void {
  // Tables are named for many, kinds for one.
  definitionChanged(services, table.slice(0, -1), key)
  listChanged(services, list)
}

export function catalogRegistryChild(services: Services, list: List): ChildSpec {
  return child(
    CatalogRegistry,
    { services, list },
    { id: `${list.slice(0, -1)}-registry`, name: via(services.names, list) },
  )
}
