/**
 * The schema of a form that is put to a user: a flat object whose fields are texts, numbers, yes or no, and choices of one
 * or of several. What does not fit is refused before it is sent, so that no client is shown a form that it cannot draw.
 *
 *     formSchemaFault({ type: 'object', properties: { ok: { type: 'boolean', default: true } } })   // undefined
 *     formSchemaFault({ type: 'object', properties: { a: { type: 'object' } } })
 *     // 'properties.a.type must be string, number, integer, boolean or array, got string "object"'
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, client/elicitation, requested schema.
 */
import { describeValue } from './describe.ts'
import { describeIssues } from './issues.ts'
import { isObject, type JsonObject } from './json-rpc.ts'
import { compileSchema, SchemaError } from './json-schema.ts'

/** Most fields of a form, and most choices of a field. */
export const FORM_FIELDS_MAX = 256
export const FORM_CHOICES_MAX = 1_000

const formats: readonly unknown[] = ['email', 'uri', 'date', 'date-time']
/** What would make a field more than a primitive. */
const nesting = [
  '$ref',
  '$dynamicRef',
  'allOf',
  'not',
  'if',
  'then',
  'else',
  'properties',
  'patternProperties',
  'additionalProperties',
  'prefixItems',
  'contains',
  'dependentSchemas',
]
/** Names of fields that ask for what must never pass through a client. */
const secretField =
  /^(?:pass(?:word|wd|phrase)|pin(?:_?code)?|(?:api|secret|private|access)_?key|(?:client_?)?secret|(?:access|refresh|auth|bearer)_?token|credentials?|credit_?card(?:_?number)?|card_?number|cvv2?|cvc)$/i

/** What is wrong with a form's schema, beginning with the member, or undefined. */
export function formSchemaFault(schema: unknown): string | undefined {
  if (!isObject(schema)) return `must be an object schema, got ${describeValue(schema)}`
  const { type, properties, required } = schema
  if (type !== 'object') return `type must be "object", got ${describeValue(type)}`
  if (!isObject(properties)) return `properties must be an object of fields, got ${describeValue(properties)}`
  const names = Object.keys(properties)
  if (names.length > FORM_FIELDS_MAX) return `properties may hold ${FORM_FIELDS_MAX} fields, got ${names.length}`
  for (const name of names) {
    const at = `properties.${name}`
    if (secretField.test(name.replace(/[-\s]/g, '_'))) {
      return `${at} asks for a secret, which must not pass through a client. Ask with the mode "url"`
    }
    const fault = fieldFault(properties[name])
    if (fault !== undefined) return fault.startsWith('must') ? `${at} ${fault}` : `${at}.${fault}`
  }
  if (required !== undefined) {
    if (!Array.isArray(required)) return `required must be an array of names, got ${describeValue(required)}`
    const unknown: unknown = required.find((name) => typeof name !== 'string' || !Object.hasOwn(properties, name))
    if (unknown !== undefined) return `required names ${describeValue(unknown)}, which is no field of properties`
  }
  return compileFault(schema)
}

/** The fields that have a default, by name. */
export function formDefaults(schema: unknown): JsonObject {
  const properties = isObject(schema) && isObject(schema['properties']) ? schema['properties'] : {}
  const found: [string, unknown][] = []
  for (const [name, field] of Object.entries(properties)) {
    if (isObject(field) && field['default'] !== undefined) found.push([name, field['default']])
  }
  return Object.fromEntries(found)
}

function fieldFault(field: unknown): string | undefined {
  if (!isObject(field)) return `must be a schema, got ${describeValue(field)}`
  const nested = nesting.find((keyword) => field[keyword] !== undefined)
  if (nested !== undefined) return `${nested} is more than a form can show: fields are flat`
  return textsFault(field, ['title', 'description']) ?? kindFault(field) ?? defaultFault(field)
}

function kindFault(field: JsonObject): string | undefined {
  switch (field['type']) {
    case 'string':
      return field['enum'] !== undefined || field['oneOf'] !== undefined ? oneChoiceFault(field) : stringFault(field)
    case 'number':
    case 'integer':
      return rangeFault(field, 'minimum', 'maximum', isFiniteNumber, 'a number') ?? noChoices(field)
    case 'boolean':
      return noChoices(field)
    case 'array':
      return manyChoicesFault(field)
    default:
      return `type must be string, number, integer, boolean or array, got ${describeValue(field['type'])}`
  }
}

function stringFault(field: JsonObject): string | undefined {
  const { format, pattern, anyOf, items } = field
  if (anyOf !== undefined) return 'anyOf belongs into the items of an array. For a choice of one use enum or oneOf'
  if (items !== undefined) return 'items belongs to the type "array"'
  if (format !== undefined && !formats.includes(format)) {
    return `format must be ${formats.join(', ')}, got ${describeValue(format)}`
  }
  if (pattern !== undefined && typeof pattern !== 'string')
    return `pattern must be a string, got ${describeValue(pattern)}`
  return rangeFault(field, 'minLength', 'maxLength', isCount, 'a whole number, 0 or more')
}

function oneChoiceFault(field: JsonObject): string | undefined {
  const { enum: values, oneOf, enumNames } = field
  if (values !== undefined && oneOf !== undefined) return 'oneOf and enum exclude each other'
  if (oneOf !== undefined) return titledFault('oneOf', oneOf)
  const fault = valuesFault('enum', values)
  if (fault !== undefined || enumNames === undefined) return fault
  const isPaired = Array.isArray(enumNames) && enumNames.length === (values as readonly unknown[]).length
  return isPaired && enumNames.every((name) => typeof name === 'string')
    ? undefined
    : `enumNames must name each value of enum, got ${describeValue(enumNames)}`
}

function manyChoicesFault(field: JsonObject): string | undefined {
  const { items } = field
  if (!isObject(items)) return `items must be a schema of choices, got ${describeValue(items)}`
  const { enum: values, anyOf, type } = items
  if ((values === undefined) === (anyOf === undefined)) return 'items must have either enum or anyOf'
  if (values !== undefined && type !== 'string') return `items.type must be "string", got ${describeValue(type)}`
  if (values === undefined && type !== undefined && type !== 'string') {
    return `items.type must be "string", got ${describeValue(type)}`
  }
  const fault = values === undefined ? titledFault('items.anyOf', anyOf) : valuesFault('items.enum', values)
  return fault ?? noChoices(field) ?? rangeFault(field, 'minItems', 'maxItems', isCount, 'a whole number, 0 or more')
}

function noChoices(field: JsonObject): string | undefined {
  const found = ['enum', 'oneOf', 'anyOf', ...(field['type'] === 'array' ? [] : ['items'])].find(
    (keyword) => field[keyword] !== undefined,
  )
  return found === undefined ? undefined : `${found} does not belong to the type ${JSON.stringify(field['type'])}`
}

function valuesFault(member: string, values: unknown): string | undefined {
  const countFault = choicesFault(member, values)
  if (countFault !== undefined) return countFault
  const list = values as readonly unknown[] // checked just now
  const index = list.findIndex((value) => typeof value !== 'string')
  if (index !== -1) return `${member}[${index}] must be a string, got ${describeValue(list[index])}`
  return new Set(list).size === list.length ? undefined : `${member} must not name a value twice`
}

function titledFault(member: string, choices: unknown): string | undefined {
  const countFault = choicesFault(member, choices)
  if (countFault !== undefined) return countFault
  const list = choices as readonly unknown[] // checked just now
  for (const [index, choice] of list.entries()) {
    const { const: value, title }: JsonObject = isObject(choice) ? choice : {}
    if (typeof value !== 'string' || typeof title !== 'string') {
      return `${member}[${index}] must have const and title, both strings, got ${describeValue(choice)}`
    }
  }
  const values = list.map((choice) => (choice as JsonObject)['const'])
  return new Set(values).size === values.length ? undefined : `${member} must not name a value twice`
}

function choicesFault(member: string, choices: unknown): string | undefined {
  if (!Array.isArray(choices) || choices.length === 0) {
    return `${member} must be an array of at least one choice, got ${describeValue(choices)}`
  }
  return choices.length > FORM_CHOICES_MAX
    ? `${member} may hold ${FORM_CHOICES_MAX} choices, got ${choices.length}`
    : undefined
}

function rangeFault(
  field: JsonObject,
  low: string,
  high: string,
  accepts: (value: unknown) => boolean,
  expected: string,
): string | undefined {
  for (const name of [low, high]) {
    const value = field[name]
    if (value !== undefined && !accepts(value)) return `${name} must be ${expected}, got ${describeValue(value)}`
  }
  const [least, most] = [field[low], field[high]]
  return least !== undefined && most !== undefined && (least as number) > (most as number)
    ? `${low} must not be above ${high}, got ${least} and ${most}`
    : undefined
}

function textsFault(field: JsonObject, names: readonly string[]): string | undefined {
  const bad = names.find((name) => field[name] !== undefined && typeof field[name] !== 'string')
  return bad === undefined ? undefined : `${bad} must be a string, got ${describeValue(field[bad])}`
}

function defaultFault(field: JsonObject): string | undefined {
  const { default: value } = field
  if (value === undefined) return undefined
  const compiled = compileFault(field)
  if (compiled !== undefined) return compiled
  const issues = compileSchema(field).check(value)
  return issues === undefined
    ? undefined
    : `default is not a value of its field: ${describeIssues(issues).replaceAll('(arguments)', 'default')}`
}

function compileFault(schema: JsonObject): string | undefined {
  try {
    compileSchema(schema)
    return undefined
  } catch (error) {
    if (error instanceof SchemaError) return `must be a JSON Schema: ${error.message}`
    throw error
  }
}

const isFiniteNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
