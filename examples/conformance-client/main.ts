/**
 * The client that the official conformance runner starts, once for each scenario: the address of the scenario's server is the
 * last argument, the scenario's name and its context come in the environment. It ends with status 0 when everything worked.
 *
 *     npm run conformance -- --client
 */
import { connect } from 'bough/client'
import { authorizationOf, type Context } from './authorization.ts'
import { storyOf } from './stories.ts'

const { MCP_CONFORMANCE_SCENARIO: scenario = '', MCP_CONFORMANCE_CONTEXT: contextText = '{}' } = process.env
const url = process.argv.at(-1) ?? ''
const context = JSON.parse(contextText) as Context
const auth = authorizationOf(scenario, url, context)
const usesSkills = scenario.startsWith('sep-2640-')

try {
  const client = await connect(url, {
    name: 'conformance-client',
    version: '1.0.0',
    handlers: {
      sampling: () => ({ role: 'assistant', content: { type: 'text', text: 'Four.' }, model: 'none' }),
      // A user who accepts each form as it stands: its defaults are the client's business.
      elicitation: () => ({ action: 'accept', content: {} }),
      roots: () => ({ roots: [] }),
    },
    ...(usesSkills && { capabilities: { extensions: { 'io.modelcontextprotocol/skills': {} } } }),
    ...(auth !== undefined && { auth }),
    onWarning: (message) => process.stderr.write(`${message}\n`),
  })
  try {
    await storyOf(scenario)(client, context)
  } finally {
    await client.close()
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exitCode = 1
}
