/** The published schemas of the revisions, closed: members that a revision does not define fail validation. */
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { extensionSchema } from './extension-schemas.ts'

/** The methods and notifications that a revision's schema names. */
export function methodNames(version: string): string[] {
  return Array.from(textOf(version).matchAll(/"method":\{"const":"([^"]+)"/g), (found) => found[1] as string)
}

/** Beside the sources, also for who runs as a build of them below dist/. */
const folder = new URL(
  import.meta.url.includes('/dist/test/') ? '../../../../test/protocol/schema/' : '../schema/',
  import.meta.url,
)

function textOf(version: string): string {
  return readFileSync(new URL(`${version}.json`, folder), 'utf8')
}

type Json = { [key: string]: unknown }

/** What is wrong with `value` as the definition `name` of a revision or of an extension to it, or undefined. */
export function faultOf(version: string, name: string, value: unknown): string | undefined {
  const ajv = validatorOf(version)
  const base = isDraft2020(version) ? '#/$defs/' : '#/definitions/'
  // Compiled once: a new schema object each time would be compiled, and kept, each time.
  const validate = ajv.getSchema(`mcp${base}${name}`) ?? ajv.getSchema(`extensions#/$defs/${name}`)
  if (validate === undefined) throw new Error(`The schema of ${version} has no ${name}.`)
  if (validate(JSON.parse(JSON.stringify(value)))) return undefined
  return `${name} of ${version}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`
}

const validators = new Map<string, Ajv>()

function validatorOf(version: string): Ajv {
  let ajv = validators.get(version)
  if (ajv === undefined) {
    const schema = closed(JSON.parse(textOf(version))) as Json
    ajv = isDraft2020(version) ? new Ajv2020(options) : new Ajv(options)
    formats.default(ajv)
    ajv.addSchema(withExtensions(joined(schema, (schema['$defs'] ?? {}) as Json) as Json), 'mcp')
    if (isDraft2020(version)) ajv.addSchema(extensionSchema(version), 'extensions')
    validators.set(version, ajv)
  }
  return ajv
}

/**
 * Extensions may be negotiated under older revisions too, whose schemas leave the place for them open. Spec: SEP-2133,
 * extension capabilities.
 */
function withExtensions(schema: Json): Json {
  for (const name of ['ServerCapabilities', 'ClientCapabilities']) {
    const definition = ((schema['$defs'] ?? {}) as Json)[name] as { properties: Json } | undefined
    if (definition !== undefined) definition.properties['extensions'] ??= { type: 'object' }
  }
  return schema
}

/** From 2025-11-25 on definitions are `$defs`, of draft 2020-12, and hold the JSON-RPC envelope. */
export function isDraft2020(version: string): boolean {
  return version >= '2025-11-25'
}

const options = { strict: false, allErrors: true, logger: false } as const

/** `_meta` stays open whoever defines it, since its keys belong to everybody, and so do the schemas of tools. */
const openNames = /MetaObject$|^(?:input|output)Schema$/

function closed(schema: unknown, name = ''): unknown {
  if (Array.isArray(schema)) return schema.map((held) => closed(held))
  if (typeof schema !== 'object' || schema === null || openNames.test(name)) return schema
  const copy: Json = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value, key)]))
  const { type, properties, additionalProperties } = copy
  const hasMembers = typeof properties === 'object' && properties !== null && Object.keys(properties).length > 0
  if (type === 'object' && hasMembers && additionalProperties === undefined) copy['additionalProperties'] = false
  return copy
}

/** The parts of an `allOf` describe one object: each stays open, and the whole is closed. */
function joined(schema: unknown, closedDefinitions: Json): unknown {
  if (Array.isArray(schema)) return schema.map((held) => joined(held, closedDefinitions))
  if (typeof schema !== 'object' || schema === null) return schema
  const copy: Json = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, joined(value, closedDefinitions)]),
  )
  if (!Array.isArray(copy['allOf'])) return copy
  const allOf = (copy['allOf'] as Json[]).map((part) => {
    const { $ref } = part
    const whole = typeof $ref === 'string' ? (closedDefinitions[$ref.replace('#/$defs/', '')] as Json) : part
    const { additionalProperties: _closed, ...open } = whole
    return open
  })
  return { ...copy, allOf, unevaluatedProperties: false }
}
