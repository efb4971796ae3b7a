/**
 * A typed client as TypeScript: a function that takes a client of `bough/client` and gives the server's tools, prompts and
 * resources as functions, typed from what the server listed. The same listing always gives the same text, in whatever order the
 * server lists; a name that is no identifier becomes one, and no two are the same.
 *
 *     const source = generateClient(await readListing(client), { name: 'weather' })
 *     // in the file: const weather = weatherClient(await connect(url))
 *     //              const { structuredContent } = await weather.tools.forecast({ city: 'Oslo' })
 */
import { isObject, type JsonObject, type PromptEntity, parseTemplate, type ToolEntity } from '#protocol'
import { comment, textLines } from './comments.ts'
import type { ServerListing } from './listing.ts'
import { memberName, Names, quoted, typeName } from './names.ts'
import { SchemaTypes } from './schema-types.ts'

export interface GenerateOptions {
  /** What the function's name begins with; default the server's name. */
  readonly name?: string
}

/** Things of one kind; what a server lists beyond is left out, and the file says so. */
export const GENERATED_MAX = 2_000

/** Characters of a line, with its end, that are not broken. */
const LINE_LENGTH = 121

/** Names that types of the file must leave alone. */
const used = ['CallToolOptions', 'Client', 'PageOptions', 'RequestOptions', 'Promise', 'StructuredResult', 'ToolResult']
const more = ['PromptResult', 'ReadResult', 'parseTemplate']

/** One group of functions, as lines of an object. */
interface Group {
  readonly name: string
  readonly doc: string
  readonly members: readonly string[]
}

export function generateClient(listing: ServerListing, options: GenerateOptions = {}): string {
  const own = options.name ?? listing.name
  const functionName = `${memberName(own)}Client`
  const clientType = `${typeName(own)}Client`
  const names = new Names([...used, ...more, functionName, clientType])
  const types = new SchemaTypes(names)
  const imports = new Imports()
  const notes: string[] = []
  const sorted = <T>(items: readonly T[], key: (item: T) => string, what: string): T[] => {
    const unique = [...new Map(items.map((item) => [key(item), item])).values()]
    unique.sort((one, other) => (key(one) < key(other) ? -1 : 1))
    if (unique.length > GENERATED_MAX)
      notes.push(`It has ${unique.length} ${what}, of which ${GENERATED_MAX} are here.`)
    return unique.slice(0, GENERATED_MAX)
  }
  const toolNames = new Names()
  const tools = sorted(listing.tools, ({ name }) => name, 'tools')
  const promptNames = new Names()
  const prompts = sorted(listing.prompts, ({ name }) => name, 'prompts')
  const resourceNames = new Names()
  const resources = sorted(listing.resources, ({ uri }) => uri, 'resources')
  const templateNames = new Names()
  const templates = sorted(listing.templates, ({ uriTemplate }) => uriTemplate, 'resource templates')
  const groups: readonly Group[] = [
    {
      name: 'tools',
      doc: 'Each calls one tool, and resolves to its whole result.',
      members: tools.map((tool) => toolMember(tool, toolNames.take(memberName(tool.name)), types, imports)),
    },
    {
      name: 'prompts',
      doc: 'Each gets one prompt.',
      members: prompts.map((prompt) => promptMember(prompt, promptNames.take(memberName(prompt.name)), types, imports)),
    },
    {
      name: 'resources',
      doc: 'Each reads one resource.',
      members: resources.map(({ uri, name, description }) => {
        imports.add('bough/client', 'PageOptions').add('bough/protocol', 'ReadResult')
        const member = resourceNames.take(memberName(name))
        const doc = comment(linesOf(description, uri), '      ')
        return (
          doc +
          lineOf(
            `${member}: (options?: PageOptions): Promise<ReadResult>`,
            `client.readResource(${quoted(uri)}, options)`,
          )
        )
      }),
    },
    {
      name: 'templates',
      doc: 'Each reads one resource of a template.',
      members: templates.flatMap(({ uriTemplate, name, description }) => {
        const variables = variablesOf(uriTemplate)
        if (variables === undefined) {
          notes.push(`Its resource template ${uriTemplate} cannot be read.`)
          return []
        }
        imports.add('bough/client', 'PageOptions').add('bough/protocol', 'ReadResult', 'parseTemplate')
        const member = templateNames.take(memberName(name))
        const type = types.declare(`${typeName(name)}Variables`, variables)
        const doc = comment(linesOf(description, uriTemplate), '      ')
        const uri = `parseTemplate(${quoted(uriTemplate)}).expand(variables)`
        return [
          doc +
            lineOf(
              `${member}: (variables: ${type}, options?: PageOptions): Promise<ReadResult>`,
              `client.readResource(${uri}, options)`,
            ),
        ]
      }),
    },
  ]
  imports.add('bough/client', 'Client')
  const hasOutput = tools.some(({ outputSchema }) => isObject(outputSchema))
  if (hasOutput) imports.add('bough/protocol', 'ToolResult')
  const head = [
    'Written by `bough codegen`. Write it again rather than change it.',
    '',
    `The server: ${listing.name} ${listing.version}`,
    ...notes,
  ]
  const parts = [
    `${comment(head)}${imports.text}`,
    ...(types.text === '' ? [] : [types.text]),
    ...(hasOutput ? [structuredResult] : []),
    functionText(functionName, groups, tools.length > 0),
    `export type ${clientType} = ReturnType<typeof ${functionName}>\n`,
  ]
  return parts.join('\n')
}

const structuredResult = `/** The result of a tool with an output schema: the value, unless the tool says that it failed. */
export type StructuredResult<Output> =
  | (ToolResult & { readonly isError?: false; readonly structuredContent: Output })
  | (ToolResult & { readonly isError: true })
`

function functionText(name: string, groups: readonly Group[], hasTools: boolean): string {
  const call = `  const call = <Result>(name: string, args: unknown, options?: CallToolOptions): Promise<Result> => {
    const result: Promise<unknown> = client.callTool(name, (args ?? {}) as Readonly<Record<string, unknown>>, options)
    return result as Promise<Result>
  }
`
  const members = groups
    .filter((group) => group.members.length > 0)
    .map((group) => `    /** ${group.doc} */\n    ${group.name}: {\n${group.members.join('')}    },\n`)
  return `/** What the server offers, through a client that is connected to it. */
export function ${name}(client: Client) {
${hasTools ? call : ''}  return {
    /** The client itself, for everything else. */
    client,
${members.join('')}  }
}
`
}

function toolMember(tool: ToolEntity, member: string, types: SchemaTypes, imports: Imports): string {
  const { name, description, inputSchema, outputSchema } = tool
  const type = typeName(name)
  const input = types.declare(`${type}Input`, inputSchema)
  const hasOutput = isObject(outputSchema)
  const result = hasOutput ? `StructuredResult<${types.declare(`${type}Output`, outputSchema)}>` : 'ToolResult'
  imports.add('bough/client', 'CallToolOptions')
  if (!hasOutput) imports.add('bough/protocol', 'ToolResult')
  const args = mayBeLeftOut(inputSchema) ? `args?: ${input}` : `args: ${input}`
  const doc = comment(linesOf(description), '      ')
  const head = `${member}: (${args}, options?: CallToolOptions): Promise<${result}>`
  return doc + lineOf(head, `call(${quoted(name)}, args, options)`)
}

/** Whether an object without members fits a schema for certain. */
function mayBeLeftOut(schema: unknown): boolean {
  if (!isObject(schema) || schema['type'] !== 'object') return false
  const { required, minProperties, properties } = schema
  const hasNone = required === undefined || (Array.isArray(required) && required.length === 0)
  const others = ['$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'const', 'enum'].some((keyword) => keyword in schema)
  return hasNone && minProperties === undefined && !others && (properties === undefined || isObject(properties))
}

function promptMember(prompt: PromptEntity, member: string, types: SchemaTypes, imports: Imports): string {
  const { name, description, arguments: args = [] } = prompt
  imports.add('bough/client', 'RequestOptions').add('bough/protocol', 'PromptResult')
  const doc = comment(linesOf(description), '      ')
  if (args.length === 0) {
    const head = `${member}: (options?: RequestOptions): Promise<PromptResult>`
    return doc + lineOf(head, `client.getPrompt(${quoted(name)}, undefined, options)`)
  }
  // Arguments of a prompt are texts: as a schema they become a type like any other.
  const fields = args.map(({ name: field, description: told }) => [field, { type: 'string', description: told }])
  const required = args.filter((one) => one.required === true).map((one) => one.name)
  const schema = { type: 'object', properties: Object.fromEntries(fields), required }
  const type = types.declare(`${typeName(name)}Arguments`, schema)
  const mark = required.length === 0 ? '?' : ''
  const head = `${member}: (args${mark}: ${type}, options?: RequestOptions): Promise<PromptResult>`
  return doc + lineOf(head, `client.getPrompt(${quoted(name)}, args, options)`)
}

/** A member that is a function, on one line where it fits. */
function lineOf(head: string, body: string): string {
  const line = `      ${head} => ${body},\n`
  return line.length <= LINE_LENGTH ? line : `      ${head} =>\n        ${body},\n`
}

/** A template's variables as a schema: those of a query may be left out. Undefined for what is no template. */
function variablesOf(template: string): JsonObject | undefined {
  try {
    parseTemplate(template)
  } catch {
    return undefined
  }
  const properties: [string, JsonObject][] = []
  const required: string[] = []
  for (const [, operator = '', list = ''] of template.matchAll(/\{([+#./;?&]?)([^{}]*)\}/g)) {
    for (const spec of list.split(',')) {
      const name = spec.replace(/(?:\*|:\d+)$/, '')
      const texts = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] }
      properties.push([name, spec.endsWith('*') ? texts : { type: ['string', 'number', 'boolean'] }])
      if (operator !== '?' && operator !== '&') required.push(name)
    }
  }
  return { type: 'object', properties: Object.fromEntries(properties), required, additionalProperties: false }
}

function linesOf(description: unknown, last?: string): string[] {
  const lines = typeof description === 'string' && description.trim() !== '' ? textLines(description) : []
  return last === undefined ? lines : [...lines, `\`${last}\``]
}

/** The names that a file imports. */
class Imports {
  private readonly names = new Map<string, Set<string>>()

  add(from: string, ...names: string[]): this {
    const known = this.names.get(from) ?? new Set()
    this.names.set(from, known)
    for (const name of names) known.add(name)
    return this
  }

  get text(): string {
    const lines = [...this.names]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([from, set]) => {
        const names = [...set].sort(inOrder)
        const isTypes = names.every((name) => name !== 'parseTemplate')
        const list = names.map((name) => (isTypes || name === 'parseTemplate' ? name : `type ${name}`)).join(', ')
        return `import ${isTypes ? 'type ' : ''}{ ${list} } from '${from}'\n`
      })
    return lines.join('')
  }
}

/** Letter by letter, and a capital before its small one: the order in which formatters put imports. */
function inOrder(one: string, other: string): number {
  for (let index = 0; index < Math.min(one.length, other.length); index++) {
    const [a = '', b = ''] = [one[index], other[index]]
    if (a !== b)
      return a.toLowerCase() === b.toLowerCase() ? (a < b ? -1 : 1) : a.toLowerCase() < b.toLowerCase() ? -1 : 1
  }
  return one.length - other.length
}
