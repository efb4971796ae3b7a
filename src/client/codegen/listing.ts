/**
 * What a server offers, at one moment: what a typed client is generated from.
 */
import { has, type PromptEntity, type ResourceEntity, type ResourceTemplateEntity, type ToolEntity } from '#protocol'

export interface ServerListing {
  /** Who the server says it is. */
  readonly name: string
  readonly version: string
  readonly tools: readonly ToolEntity[]
  readonly prompts: readonly PromptEntity[]
  readonly resources: readonly ResourceEntity[]
  readonly templates: readonly ResourceTemplateEntity[]
}

/** What it takes of a client. */
interface Lists {
  readonly server: {
    readonly info: { readonly name: string; readonly version: string } | undefined
    readonly capabilities: Parameters<typeof has>[0]
  }
  listTools(): Promise<ToolEntity[]>
  listPrompts(): Promise<PromptEntity[]>
  listResources(): Promise<ResourceEntity[]>
  listResourceTemplates(): Promise<ResourceTemplateEntity[]>
}

/** Everything that the server of `client` lists, of the kinds that it announced. Rejects with `ClientError`. */
export async function readListing(client: Lists): Promise<ServerListing> {
  const { info, capabilities } = client.server
  const hasResources = has(capabilities, 'resources')
  return {
    name: info?.name ?? 'server',
    version: info?.version ?? '',
    tools: has(capabilities, 'tools') ? await client.listTools() : [],
    prompts: has(capabilities, 'prompts') ? await client.listPrompts() : [],
    resources: hasResources ? await client.listResources() : [],
    templates: hasResources ? await client.listResourceTemplates() : [],
  }
}
