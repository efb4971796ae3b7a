/**
 * The catalog: what a server has, as the table that requests read. Five tables by key, in the order of first definition; a put
 * under a known key replaces in place. Lists come out in the neutral shape, page by page; a codec writes them per revision.
 * A pure structure: whoever owns it says who may write.
 *
 *     const catalog = new Catalog()
 *     catalog.tools.put(defineTool('echo', { run: () => 'hi' }))     // 'added'
 *     catalog.listTools(undefined, 50)                               // { tools: [{ name: 'echo', ... }] }
 */
import {
  type JsonObject,
  type PromptEntity,
  paginate,
  type ResourceEntity,
  type ResourceTemplateEntity,
  type ToolEntity,
} from '#protocol'
import type { Prompt } from './prompt.ts'
import type { Resource, ResourceTemplate, TemplateVariables } from './resource.ts'
import type { Skill, SkillEntity } from './skill.ts'
import type { Tool } from './tool.ts'

/** One kind of definition, by key. */
export class Table<T extends { readonly key: string; readonly entity: E }, E> {
  readonly #rows = new Map<string, T>()
  #entities: readonly E[] | undefined
  #version = 0

  /** Counts changes; equal versions mean equal content. */
  get version(): number {
    return this.#version
  }

  get size(): number {
    return this.#rows.size
  }

  get(key: string): T | undefined {
    return this.#rows.get(key)
  }

  /** Adds at the end, or replaces in place. */
  put(row: T): 'added' | 'replaced' {
    const outcome = this.#rows.has(row.key) ? 'replaced' : 'added'
    this.#rows.set(row.key, row)
    this.#changed()
    return outcome
  }

  /** Whether there was something to remove. */
  remove(key: string): boolean {
    const wasThere = this.#rows.delete(key)
    if (wasThere) this.#changed()
    return wasThere
  }

  values(): IterableIterator<T> {
    return this.#rows.values()
  }

  /** What is advertised, in order; the same array until something changes. */
  entities(): readonly E[] {
    this.#entities ??= Array.from(this.#rows.values(), (row) => row.entity)
    return this.#entities
  }

  #changed(): void {
    this.#version++
    this.#entities = undefined
  }
}

/** What answers a URI: a resource itself, or a template and the variables that it found. */
export interface ResolvedResource {
  readonly definition: Resource | ResourceTemplate
  readonly variables: TemplateVariables
}

const noVariables: TemplateVariables = Object.freeze({})

export class Catalog {
  readonly tools = new Table<Tool, ToolEntity>()
  readonly resources = new Table<Resource, ResourceEntity>()
  readonly templates = new Table<ResourceTemplate, ResourceTemplateEntity>()
  readonly prompts = new Table<Prompt, PromptEntity>()
  /** Their methods are in skill-catalog.ts. */
  readonly skills = new Table<Skill, SkillEntity>()

  /** The result of tools/list. These four throw a ProtocolError -32602 for a cursor that is not theirs. */
  listTools(cursor: unknown, pageSize: number): JsonObject {
    return listed('tools', this.tools.entities(), cursor, pageSize)
  }

  /**
   * The result of resources/list: its own, the SKILL.md of listed skills, and `more`, the resources that templates name. A
   * skill's other files are in its entry and its directories.
   */
  listResources(cursor: unknown, pageSize: number, more: readonly ResourceEntity[] = []): JsonObject {
    const manifests = Array.from(this.skills.values(), (skill) =>
      skill.isListed ? skill.files.get(skill.key)?.entity : undefined,
    ).filter((entity) => entity !== undefined)
    const fixed = this.resources.entities()
    const own = manifests.length === 0 ? fixed : [...fixed, ...manifests]
    return listed('resources', more.length === 0 ? own : [...own, ...more], cursor, pageSize)
  }

  /** The result of resources/templates/list. */
  listTemplates(cursor: unknown, pageSize: number): JsonObject {
    return listed('resourceTemplates', this.templates.entities(), cursor, pageSize)
  }

  /** The result of prompts/list. */
  listPrompts(cursor: unknown, pageSize: number): JsonObject {
    return listed('prompts', this.prompts.entities(), cursor, pageSize)
  }

  /** The file of a skill with that URI; where skills lie inside one another, the innermost one's. */
  skillFile(uri: string): Resource | undefined {
    let found: Skill | undefined
    for (const skill of this.skills.values()) {
      if (skill.files.has(uri) && skill.root.length > (found?.root.length ?? -1)) found = skill
    }
    return found?.files.get(uri)
  }

  /** Who answers `uri`: a resource of that URI, a skill's file, else the first template that matches. */
  resolve(uri: string): ResolvedResource | undefined {
    const resource = this.resources.get(uri) ?? this.skillFile(uri)
    if (resource !== undefined) return { definition: resource, variables: noVariables }
    for (const definition of this.templates.values()) {
      const variables = definition.template.match(uri)
      if (variables !== undefined) return { definition, variables }
    }
    return undefined
  }
}

function listed(list: string, items: readonly unknown[], cursor: unknown, pageSize: number): JsonObject {
  const { page, nextCursor } = paginate(list, items, cursor, pageSize)
  return nextCursor === undefined ? { [list]: page } : { [list]: page, nextCursor }
}
