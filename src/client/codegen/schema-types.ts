/**
 * From JSON Schema to TypeScript: each schema becomes one exported type, and one more for each definition that it refers to.
 * Every value that the schema allows is one of the type; what a type cannot say (a length, a pattern, `not`, `if`) is told in a
 * comment or left out, so a type may allow more than its schema, not less. A schema that speaks of members or items and names no
 * type is taken for one of objects or arrays, as it was surely meant. Objects are open in JSON Schema: members that are
 * not named may be there unless the schema says otherwise, and are not in the type.
 *
 *     const types = new SchemaTypes(new Names())
 *     types.declare('ForecastInput', { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] })
 *     types.text    // 'export type ForecastInput = {\n  readonly city: string\n}\n'
 *
 * Spec: JSON Schema 2020-12 and draft-07; MCP 2026-07-28, basic, JSON Schema usage.
 */
import { isObject, type JsonObject } from '#protocol'
import { comment, schemaLines } from './comments.ts'
import { type Names, propertyName, quoted, typeName } from './names.ts'
import { type Found, SchemaReferences } from './schema-references.ts'
import { arrayOf, atom, intersection, neverType, type TypeText, tupleOf, union, unknownType } from './type-text.ts'

/** Schemas inside schemas; what is deeper is `unknown`. */
const DEPTH_MAX = 32
/** Items of a tuple; more are an array of what each may be. */
const TUPLE_MAX = 64

const kinds = ['string', 'number', 'integer', 'boolean', 'null', 'array', 'object'] as const
type Kind = (typeof kinds)[number]
const objectKeywords = ['properties', 'required', 'additionalProperties', 'patternProperties', 'propertyNames']
const arrayKeywords = ['items', 'prefixItems', 'additionalItems', 'contains']

/** Where a schema stands: in which declaration, and how deep. */
interface Place {
  readonly references: SchemaReferences
  /** Declared types by their pointers. */
  readonly declared: Map<string, string>
  /** What names of definitions begin with. */
  readonly prefix: string
  readonly depth: number
  /** What lines of a type in braces begin with. */
  readonly indent: string
}

export class SchemaTypes {
  private readonly names: Names
  private readonly declarations: string[] = []

  constructor(names: Names) {
    this.names = names
  }

  /** All declarations so far. */
  get text(): string {
    return this.declarations.join('\n')
  }

  /** Declares the type of `schema`, and those it refers to. Returns its name: `wanted`, or one like it that is free. */
  declare(wanted: string, schema: unknown): string {
    const name = this.names.take(wanted)
    const references = new SchemaReferences(schema)
    const place: Place = { references, declared: new Map([['', name]]), prefix: name, depth: 0, indent: '' }
    this.write(name, schema, place)
    return name
  }

  private write(name: string, schema: unknown, place: Place): void {
    const slot = this.declarations.push('') - 1
    const { text } = this.typeOf(schema, place)
    const lines = isObject(schema) ? schemaLines(schema) : []
    this.declarations[slot] = `${comment(lines)}export type ${name} = ${text}\n`
  }

  private typeOf(schema: unknown, place: Place): TypeText {
    if (schema === false) return neverType
    if (!isObject(schema) || place.depth > DEPTH_MAX) return unknownType
    const inner = { ...place, depth: place.depth + 1 }
    const parts: TypeText[] = []
    if (schema['$ref'] !== undefined) parts.push(this.referred(schema['$ref'], place))
    if ('const' in schema) parts.push(literalOf(schema['const'], 0))
    else if (Array.isArray(schema['enum'])) parts.push(union(schema['enum'].map((value) => literalOf(value, 0))))
    else parts.push(this.ownType(schema, inner))
    const { allOf, anyOf, oneOf } = schema
    if (Array.isArray(allOf)) for (const one of allOf) parts.push(this.typeOf(one, inner))
    for (const choice of [anyOf, oneOf]) {
      if (Array.isArray(choice) && choice.length > 0) parts.push(union(choice.map((one) => this.typeOf(one, inner))))
    }
    return intersection(parts)
  }

  private referred(ref: unknown, place: Place): TypeText {
    const found = place.references.find(ref)
    if (found === undefined || place.references.isCircular(found)) return unknownType
    return atom(place.declared.get(found.pointer) ?? this.definition(found, place))
  }

  private definition(found: Found, place: Place): string {
    const last = found.pointer.split('/').at(-1) ?? ''
    const name = this.names.take(`${place.prefix}${typeName(last)}`)
    place.declared.set(found.pointer, name)
    this.write(name, found.schema, { ...place, depth: 0, indent: '' })
    return name
  }

  /** What `type` says, or the keywords that only make sense for one type. */
  private ownType(schema: JsonObject, place: Place): TypeText {
    const { type } = schema
    const named = (Array.isArray(type) ? type : [type]).filter((one): one is Kind => kinds.includes(one as Kind))
    if (named.length > 0) return union(named.map((kind) => this.kindType(kind, schema, place)))
    const has = (keywords: readonly string[]): boolean => keywords.some((keyword) => schema[keyword] !== undefined)
    if (has(objectKeywords)) return this.objectType(schema, place)
    return has(arrayKeywords) ? this.arrayType(schema, place) : unknownType
  }

  private kindType(kind: Kind, schema: JsonObject, place: Place): TypeText {
    if (kind === 'object') return this.objectType(schema, place)
    if (kind === 'array') return this.arrayType(schema, place)
    return atom(kind === 'integer' ? 'number' : kind)
  }

  private objectType(schema: JsonObject, place: Place): TypeText {
    const properties = isObject(schema['properties']) ? schema['properties'] : {}
    const required = new Set(Array.isArray(schema['required']) ? schema['required'].map(String) : [])
    const others = this.otherMembers(schema, { ...place, indent: `${place.indent}  ` })
    const members: {
      readonly name: string
      readonly type: TypeText
      readonly isOptional: boolean
      readonly doc: string
    }[] = []
    const indent = `${place.indent}  `
    const within = { ...place, indent }
    for (const [name, value] of Object.entries(properties)) {
      const doc = comment(isObject(value) ? schemaLines(value) : [], indent)
      const type = this.typeOf(value, within)
      // What can never be there is left out, or nothing would fit the type.
      if (type.text === 'never' && !required.has(name)) continue
      members.push({ name, type, isOptional: !required.has(name), doc })
    }
    for (const name of required) {
      if (!Object.hasOwn(properties, name))
        members.push({ name, type: others ?? unknownType, isOptional: false, doc: '' })
    }
    if (members.length === 0) {
      const type = others ?? (schema['additionalProperties'] === false ? neverType : unknownType)
      return atom(`{ readonly [key: string]: ${type.text} }`)
    }
    const lines = members.map(
      ({ name, type, isOptional, doc }) =>
        `${doc}${indent}readonly ${propertyName(name)}${isOptional ? '?' : ''}: ${type.text}\n`,
    )
    if (others !== undefined) {
      // TypeScript wants the members with names to fit the rest.
      const some = members.some(({ isOptional }) => isOptional) ? [atom('undefined')] : []
      lines.push(
        `${indent}readonly [key: string]: ${union([others, ...members.map(({ type }) => type), ...some]).text}\n`,
      )
    }
    return atom(`{\n${lines.join('')}${place.indent}}`)
  }

  /** The type of members without names, where the schema says something of them that is not just that they may be there. */
  private otherMembers(schema: JsonObject, place: Place): TypeText | undefined {
    const { additionalProperties, patternProperties } = schema
    const patterns = isObject(patternProperties) ? Object.values(patternProperties) : []
    const isClosed = additionalProperties === false
    if (patterns.length === 0 && (additionalProperties === undefined || isClosed)) return undefined
    const types = patterns.map((one) => this.typeOf(one, place))
    if (!isClosed)
      types.push(additionalProperties === undefined ? unknownType : this.typeOf(additionalProperties, place))
    return union(types)
  }

  private arrayType(schema: JsonObject, place: Place): TypeText {
    const { items, prefixItems, additionalItems } = schema
    const first = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : []
    const rest = Array.isArray(prefixItems) ? items : Array.isArray(items) ? additionalItems : items
    const restType = this.typeOf(rest ?? true, place)
    if (first.length === 0) return arrayOf(restType)
    const types = first.map((one) => this.typeOf(one, place))
    if (types.length > TUPLE_MAX) return arrayOf(union([...types, restType]))
    const isClosed = rest === false || (typeof schema['maxItems'] === 'number' && schema['maxItems'] <= first.length)
    const required = typeof schema['minItems'] === 'number' ? schema['minItems'] : 0
    return tupleOf(types, required, isClosed ? undefined : restType)
  }
}

/** The type of exactly one JSON value. */
function literalOf(value: unknown, depth: number): TypeText {
  if (typeof value === 'string') return atom(quoted(value))
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return atom(String(value))
  if (depth > DEPTH_MAX) return unknownType
  if (Array.isArray(value)) {
    return tupleOf(
      value.map((one) => literalOf(one, depth + 1)),
      value.length,
      undefined,
    )
  }
  if (!isObject(value)) return unknownType
  const members = Object.entries(value).map(
    ([name, one]) => `readonly ${propertyName(name)}: ${literalOf(one, depth + 1).text}`,
  )
  return atom(members.length === 0 ? '{ readonly [key: string]: never }' : `{ ${members.join('; ')} }`)
}
