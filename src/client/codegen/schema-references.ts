/**
 * References inside one schema. Only what the schema itself holds is ever looked at: a `$ref` that leads elsewhere is unknown.
 *
 *     const references = new SchemaReferences(schema)
 *     references.find('#/$defs/address')    // { pointer: '/$defs/address', schema: { ... } }
 *
 * Spec: JSON Schema 2020-12 core, 8.2; RFC 6901.
 */
import { isObject, type JsonObject } from '#protocol'

export interface Found {
  /** Where it is, as a JSON pointer: '' for the whole schema. */
  readonly pointer: string
  readonly schema: unknown
}

/** Schemas that are looked through for anchors. */
const NODES_MAX = 100_000
/** Keywords whose schemas say something of the same value. */
const inPlace = ['allOf', 'anyOf', 'oneOf'] as const

export class SchemaReferences {
  private readonly root: unknown
  private readonly circular = new Map<string, boolean>()
  private anchors: Map<string, Found> | undefined

  constructor(root: unknown) {
    this.root = root
  }

  /** What a `$ref` leads to; undefined for one that leads out of the schema, or nowhere. */
  find(ref: unknown): Found | undefined {
    if (typeof ref !== 'string' || !ref.startsWith('#')) return undefined
    let fragment: string
    try {
      fragment = decodeURIComponent(ref.slice(1))
    } catch {
      return undefined
    }
    if (fragment !== '' && !fragment.startsWith('/')) return this.anchored().get(fragment)
    let schema: unknown = this.root
    for (const part of fragment.split('/').slice(1)) {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
      if ((!isObject(schema) && !Array.isArray(schema)) || !Object.hasOwn(schema, key)) return undefined
      schema = (schema as JsonObject)[key]
    }
    return { pointer: fragment, schema }
  }

  /** Whether a schema is defined by itself alone, such as `a` by `b` and `b` by `a`: it then says nothing. */
  isCircular(found: Found): boolean {
    const known = this.circular.get(found.pointer)
    if (known !== undefined) return known
    const seen = new Set<string>()
    const leadsBack = (schema: unknown): boolean => {
      if (!isObject(schema)) return false
      const target = this.find(schema['$ref'])
      if (target !== undefined) {
        if (target.pointer === found.pointer) return true
        if (!seen.has(target.pointer)) {
          seen.add(target.pointer)
          if (leadsBack(target.schema)) return true
        }
      }
      return inPlace.some((keyword) => {
        const schemas = schema[keyword]
        return Array.isArray(schemas) && schemas.some(leadsBack)
      })
    }
    const isCircular = leadsBack(found.schema)
    this.circular.set(found.pointer, isCircular)
    return isCircular
  }

  private anchored(): Map<string, Found> {
    if (this.anchors !== undefined) return this.anchors
    const anchors = new Map<string, Found>()
    const open: Found[] = [{ pointer: '', schema: this.root }]
    for (let nodes = 0; nodes < NODES_MAX; nodes++) {
      const next = open.pop()
      if (next === undefined) break
      const { pointer, schema } = next
      if (isObject(schema)) {
        for (const name of [schema['$anchor'], schema['$dynamicAnchor']]) {
          if (typeof name === 'string' && !anchors.has(name)) anchors.set(name, next)
        }
      }
      if (typeof schema !== 'object' || schema === null) continue
      for (const [key, inner] of Object.entries(schema)) {
        open.push({ pointer: `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, schema: inner })
      }
    }
    this.anchors = anchors
    return anchors
  }
}
