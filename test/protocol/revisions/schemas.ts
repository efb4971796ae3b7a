/** The published schemas of the legacy revisions, closed: members that a revision does not define fail validation. */
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

/** The methods and notifications that a revision's schema names. */
export function methodNames(version: string): string[] {
  return Array.from(textOf(version).matchAll(/"method":\{"const":"([^"]+)"/g), (found) => found[1] as string)
}

function textOf(version: string): string {
  return readFileSync(new URL(`../schema/${version}.json`, import.meta.url), 'utf8')
}

type Json = { [key: string]: unknown }

/** What is wrong with `value` as the definition `name` of a revision, or undefined. */
export function faultOf(version: string, name: string, value: unknown): string | undefined {
  const ajv = validatorOf(version)
  const base = version === '2025-11-25' ? '#/$defs/' : '#/definitions/'
  // Compiled once: a new schema object each time would be compiled, and kept, each time.
  const validate = ajv.getSchema(`mcp${base}${name}`)
  if (validate === undefined) throw new Error(`The schema of ${version} has no ${name}.`)
  if (validate(JSON.parse(JSON.stringify(value)))) return undefined
  return `${name} of ${version}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`
}

const validators = new Map<string, Ajv>()

function validatorOf(version: string): Ajv {
  let ajv = validators.get(version)
  if (ajv === undefined) {
    const schema = JSON.parse(textOf(version)) as Json
    ajv = version === '2025-11-25' ? new Ajv2020(options) : new Ajv(options)
    formats.default(ajv)
    ajv.addSchema(closed(schema) as Json, 'mcp')
    validators.set(version, ajv)
  }
  return ajv
}

const options = { strict: false, allErrors: true, logger: false } as const

function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const copy: Json = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  const { type, properties, additionalProperties } = copy
  const hasMembers = typeof properties === 'object' && properties !== null && Object.keys(properties).length > 0
  if (type === 'object' && hasMembers && additionalProperties === undefined) copy['additionalProperties'] = false
  return copy
}
