/**
 * A server as its author writes it: what it is called and what it offers. It is no process and holds no connection; `serve`
 * and `application` start processes from it, as many as you like, and what changes here later reaches all that live.
 *
 *     const server = createServer({ name: 'weather', version: '1.0.0' })
 *     server.tool('forecast', { input: z.object({ city: z.string() }), run: ({ city }) => `Sunny in ${city}` })
 */
import { createHash } from 'node:crypto'
import { authorTag } from '#actors/cached-answers'
import { type Feature, put, register, unregister } from '#actors/catalog-registry'
import type { Services } from '#actors/services'
import { elicitationComplete, resourceUpdated } from '#actors/subscriptions'
import { Catalog } from '#features/catalog'
import { definePrompt, type PromptArgument, type PromptOptions } from '#features/prompt'
import {
  defineResource,
  defineResourceTemplate,
  type ResourceOptions,
  type ResourceTemplateOptions,
} from '#features/resource'
import { defineSkill, type SkillOptions } from '#features/skill'
import { defineTool, type ToolOptions } from '#features/tool'
import { type AnySchema, describeValue, type Implementation } from '#protocol'

export interface ServerOptions extends Implementation {
  /** How to use the server, for the client's model. */
  readonly instructions?: string
}

/**
 * Creates a server without features. Throws a `TypeError` when the name or version is missing. All methods that define throw a
 * `FeatureError` naming what is wrong, and may be called while the server lives: clients are told that the list changed.
 */
export function createServer(options: ServerOptions): Server {
  for (const key of ['name', 'version'] as const) {
    if (typeof options?.[key] !== 'string' || options[key] === '') {
      throw new TypeError(`createServer: ${key} must be a non-empty string, got ${describeValue(options?.[key])}.`)
    }
  }
  return new Server(options)
}

export class Server {
  readonly info: Implementation
  readonly instructions: string | undefined
  readonly catalog = new Catalog()
  /** Told when the first client subscribes to a resource, and when the last one leaves it. Must not throw. For `bough/proxy`. */
  interest: ((uri: string, isWanted: boolean) => void) | undefined
  private live: Services[] = []

  constructor({ instructions, ...info }: ServerOptions) {
    this.info = info
    this.instructions = instructions
  }

  /** Defines a tool, or replaces the one of that name. Spec: MCP 2025-11-25, server/tools. */
  tool<const S extends AnySchema | undefined = undefined>(name: string, options: ToolOptions<S>): this {
    return this.add(defineTool(name, options))
  }

  /** Removes a tool; calls that are running go on. */
  removeTool(name: string): this {
    return this.drop('tools', name)
  }

  /** Defines a resource at a fixed URI. Spec: MCP 2025-11-25, server/resources. */
  resource(uri: string, options: ResourceOptions): this {
    return this.add(defineResource(uri, options))
  }

  removeResource(uri: string): this {
    return this.drop('resources', uri)
  }

  /** Defines resources by a URI template after RFC 6570. */
  resourceTemplate(template: string, options: ResourceTemplateOptions): this {
    return this.add(defineResourceTemplate(template, options))
  }

  removeResourceTemplate(template: string): this {
    return this.drop('templates', template)
  }

  /** Defines a prompt. Spec: MCP 2025-11-25, server/prompts. */
  prompt<const A extends readonly PromptArgument[] = readonly PromptArgument[]>(
    name: string,
    options: PromptOptions<A>,
  ): this {
    return this.add(definePrompt(name, options))
  }

  removePrompt(name: string): this {
    return this.drop('prompts', name)
  }

  /**
   * Defines a skill at a path such as 'refunds' or 'acme/billing/refunds', whose last part is its name. Its files are resources
   * below `skill://<path>`. Spec: SEP-2640.
   */
  skill(path: string, options: SkillOptions): this {
    return this.add(defineSkill(path, options, (bytes) => createHash('sha256').update(bytes).digest('hex')))
  }

  removeSkill(path: string): this {
    return this.drop('skills', `${path.includes('://') ? path : `skill://${path}`}/SKILL.md`)
  }

  /**
   * Tells the subscribers of `uri` that it changed. Resolves when they have been told: with a durable store, when none of those
   * who can resume can lose it any more. Need not be waited for.
   */
  resourceUpdated(uri: string): Promise<void> {
    const told = Promise.all(this.applications().map((services) => resourceUpdated(services, uri))).then(
      () => undefined,
    )
    // Whoever does not wait does not want to hear that it failed either.
    told.catch(() => undefined)
    return told
  }

  /**
   * Makes worthless what is kept of answers with this tag (`cache.tags`), in all threads and processes that share the cache. For
   * a resource that clients should hear of, `resourceUpdated` does the same.
   */
  invalidate(tag: string): this {
    for (const services of this.applications()) services.answers?.invalidate(authorTag(tag))
    return this
  }

  /**
   * Tells the client that was sent there that a URL elicitation is completed; ids that no client waits for are ignored. Spec: MCP
   * 2025-11-25, client/elicitation, completion notifications.
   */
  elicitationComplete(elicitationId: string): void {
    for (const services of this.applications()) elicitationComplete(services, elicitationId)
  }

  /** Defines a feature that was made ready, or replaces the one of its key. For `bough/proxy`. */
  put(feature: Feature): this {
    return this.add(feature)
  }

  /** Removes a feature by its table and key. For `bough/proxy`. */
  remove(table: 'tools' | 'resources' | 'templates' | 'prompts', key: string): this {
    return this.drop(table, key)
  }

  /** A running application takes part in changes from now on. For `serve` and `application`. */
  attach(services: Services): void {
    services.interest = (uri, isWanted) => this.interest?.(uri, isWanted)
    this.live = [...this.applications(), services]
  }

  /** A catalog with all that is defined now. For `serve` and `application`. */
  copyCatalog(): Catalog {
    const copy = new Catalog()
    const { tools, resources, templates, prompts, skills } = this.catalog
    for (const table of [tools, resources, templates, prompts, skills]) {
      for (const feature of table.values()) put(copy, feature)
    }
    return copy
  }

  /** The applications that are up; those that ended are forgotten on the way. */
  private applications(): Services[] {
    this.live = this.live.filter((services) => !services.status.isOver)
    return this.live
  }

  private add(feature: Parameters<typeof put>[1]): this {
    put(this.catalog, feature)
    for (const services of this.applications()) register(services, feature)
    return this
  }

  private drop(table: 'tools' | 'resources' | 'templates' | 'prompts' | 'skills', key: string): this {
    if (this.catalog[table].remove(key)) for (const services of this.applications()) unregister(services, table, key)
    return this
  }
}
