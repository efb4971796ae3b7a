/** What an upstream server lists, all of it, at one moment. */
import type { Client } from 'bough/client'
import type { PromptEntity, ResourceEntity, ResourceTemplateEntity, ToolEntity } from '#protocol'

export interface Listing {
  readonly tools: readonly ToolEntity[]
  readonly resources: readonly ResourceEntity[]
  readonly templates: readonly ResourceTemplateEntity[]
  readonly prompts: readonly PromptEntity[]
}

export const emptyListing: Listing = { tools: [], resources: [], templates: [], prompts: [] }

/** Lists what the server announces to have. Rejects with `ClientError`. */
export async function listAll(client: Client, timeoutMs: number): Promise<Listing> {
  const { capabilities } = client.server
  const options = { isFresh: true, timeout: timeoutMs }
  const has = (name: 'tools' | 'resources' | 'prompts'): boolean => capabilities[name] !== undefined
  const [tools, resources, templates, prompts] = await Promise.all([
    has('tools') ? client.listTools(options) : [],
    has('resources') ? client.listResources(options) : [],
    has('resources') ? client.listResourceTemplates(options) : [],
    has('prompts') ? client.listPrompts(options) : [],
  ])
  return { tools, resources, templates, prompts }
}
