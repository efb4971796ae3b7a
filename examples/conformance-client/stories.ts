/** What the client does in each scenario of the conformance suite: what a host of that kind would do. */
import { type Client, listSkills, readSkill, readSkillFile } from 'bough/client'
import type { Context } from './authorization.ts'

export type Story = (client: Client, context: Context) => Promise<unknown>

/** Arguments for any tool of the suite: those that its tools ask for by these names. */
const args = { a: 2, b: 3, region: 'us-west1' }

const listOnly: Story = (client) => client.listTools()

/** Lists the tools and calls each, one after the other. */
const callAll: Story = async (client) => {
  for (const { name, inputSchema } of await client.listTools()) {
    const { properties = {} } = inputSchema as { readonly properties?: object }
    const wanted = Object.entries(args).filter(([key]) => key in properties)
    await client.callTool(name, Object.fromEntries(wanted))
  }
}

/** Uses everything that has a list. */
const useAll: Story = async (client, context) => {
  await callAll(client, context)
  for (const { uri } of await client.listResources()) await client.readResource(uri)
  for (const { name } of await client.listPrompts()) await client.getPrompt(name)
}

/** Makes the calls that the suite names. */
const callNamed: Story = async (client, { toolCalls }) => {
  await client.listTools()
  for (const { name, arguments: given } of toolCalls as readonly Call[]) await client.callTool(name, given)
}

interface Call {
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** Gives the schema of one tool to another, as it came. */
const echoSchema: Story = async (client) => {
  const tools = await client.listTools()
  const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema
  await client.callTool('json_schema_echo', { schema })
}

/** Loads every skill with its files; stops at the first that is not what its entry says. */
const loadSkills: Story = async (client) => {
  for (const entry of await listSkills(client)) {
    await readSkill(client, entry)
    if (entry.resources === 'dynamic') continue
    for (const { uri } of entry.resources) if (uri !== entry.uri) await readSkillFile(client, entry, uri)
  }
}

const stories: Readonly<Record<string, Story>> = {
  initialize: listOnly,
  'json-schema-ref-no-deref': listOnly,
  'json-schema-2020-12-preservation': echoSchema,
  'http-custom-headers': callNamed,
  'http-standard-headers': useAll,
  'sep-2640-client-no-prefetch': listSkills,
  'sep-2640-client-verify-digest': loadSkills,
  'sep-2640-client-verify-size': loadSkills,
  'sep-2640-client-verify-frontmatter': loadSkills,
}

export function storyOf(scenario: string): Story {
  return stories[scenario] ?? callAll
}
