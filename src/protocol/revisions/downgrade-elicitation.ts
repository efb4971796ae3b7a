/**
 * Elicitation as revision 2025-06-18 has it: one form of flat fields, no modes, no defaults but a boolean's, titles of
 * choices as `enumNames`. What it has no words for (a URL, a choice of several) is refused rather than changed, since the
 * answer would not have the shape that was asked for.
 *
 * Spec: MCP 2025-06-18, client/elicitation.
 */
import { invalidParams } from '#protocol/errors'
import { isObject, type JsonObject } from '#protocol/json-rpc'

/** The params of elicitation/create without modes and rich fields. Throws a ProtocolError -32602 where that cannot be. */
export function downgradeElicitation(params: JsonObject): JsonObject {
  const { mode, task: _task, requestedSchema, ...left } = params
  if (mode === 'url')
    throw invalidParams('Elicitation by url needs a client of revision 2025-11-25; ask with a form instead')
  if (!isObject(requestedSchema)) return { ...left, requestedSchema }
  const { $schema: _dialect, properties, ...schema } = requestedSchema
  const fields = Object.entries(isObject(properties) ? properties : {})
  return {
    ...left,
    requestedSchema: {
      ...schema,
      properties: Object.fromEntries(fields.map(([name, field]) => [name, plain(name, field)])),
    },
  }
}

function plain(name: string, field: unknown): unknown {
  if (!isObject(field)) return field
  if (field['type'] === 'array') {
    throw invalidParams(`Field "${name}" allows several choices, which needs a client of revision 2025-11-25`)
  }
  if (field['type'] === 'boolean') return field
  const { default: _default, oneOf, ...left } = field
  if (!Array.isArray(oneOf)) return left
  const choices: readonly unknown[] = oneOf
  const values = choices.map((choice) => (isObject(choice) ? choice['const'] : choice))
  const names = choices.map((choice, index) =>
    isObject(choice) ? (choice['title'] ?? choice['const']) : values[index],
  )
  return { ...left, enum: values, enumNames: names }
}
