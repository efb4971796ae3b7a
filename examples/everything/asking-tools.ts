/**
 * Tools that ask the client: its model, its user, its roots, whether it is there. A client that lacks what is asked for gets
 * an error result, because `ctx` rejects before anything is sent.
 */
import { randomUUID } from 'node:crypto'
import { ErrorCode, ProtocolError, type Server } from 'bough'
import type { ElicitResult, SampleResult, SamplingMessage, ToolEntity, ToolResultContent } from 'bough/protocol'
import { z } from 'zod'

/** Most rounds of tool use in one conversation of `sample_tools`. */
const SAMPLING_ROUNDS_MAX = 16

const CONSENT_URL = 'https://example.com/consent'

export function addAskingTools(server: Server): void {
  addSamplingTools(server)
  addElicitationTools(server)
  server.tool('list_roots', {
    description: "Returns the URIs of the client's roots as a JSON array",
    run: async (_args, ctx) => JSON.stringify((await ctx.roots()).map((root) => root.uri)),
  })
  server.tool('ping_client', {
    description: 'Pings the client and returns "pong" once it has answered',
    run: async (_args, ctx) => {
      await ctx.ping()
      return 'pong'
    },
  })
}

function addSamplingTools(server: Server): void {
  server.tool('test_sampling', {
    description: "Asks the client's model and returns what it said",
    input: z.object({ prompt: z.string().describe('What to ask the model') }),
    run: async ({ prompt }, ctx) => {
      const answer = await ctx.sample({
        messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
        maxTokens: 100,
      })
      return `LLM response: ${lastText(answer)}`
    },
  })
  server.tool('sample_tools', {
    description: 'Samples with the tool "lookup", answers every use of it, and returns the last text',
    run: async (_args, ctx) => {
      const messages: SamplingMessage[] = [{ role: 'user', content: { type: 'text', text: 'Look something up.' } }]
      for (let round = 0; round < SAMPLING_ROUNDS_MAX; round++) {
        const answer = await ctx.sample({ messages, maxTokens: 100, tools: [lookup], toolChoice: { mode: 'auto' } })
        const results = blocks(answer).flatMap((block): ToolResultContent[] =>
          block.type === 'tool_use'
            ? [{ type: 'tool_result', toolUseId: block.id, content: [{ type: 'text', text: lookedUp(block.input) }] }]
            : [],
        )
        if (answer.stopReason !== 'toolUse' || results.length === 0) return lastText(answer)
        messages.push({ role: 'assistant', content: answer.content }, { role: 'user', content: results })
      }
      throw new Error(`The model still wanted to use tools after ${SAMPLING_ROUNDS_MAX} rounds`)
    },
  })
}

const lookup: ToolEntity = {
  name: 'lookup',
  description: 'Looks a word up',
  inputSchema: { type: 'object', properties: { word: { type: 'string' } } },
}

function lookedUp(input: unknown): string {
  return `Found: ${JSON.stringify(input)}`
}

function blocks(answer: SampleResult) {
  const { content } = answer
  return 'type' in content ? [content] : content
}

function lastText(answer: SampleResult): string {
  return blocks(answer).findLast((block) => block.type === 'text')?.text ?? ''
}

function addElicitationTools(server: Server): void {
  server.tool('test_elicitation', {
    description: 'Asks the user for a name and an email address',
    input: z.object({ message: z.string().describe('What the user is told') }),
    run: async ({ message }, ctx) => {
      const { action, content } = await ctx.elicit({
        message,
        requestedSchema: {
          type: 'object',
          properties: {
            username: { type: 'string', description: "User's response" },
            email: { type: 'string', description: "User's email address" },
          },
          required: ['username', 'email'],
        },
      })
      return `User response: action=${action}, content=${JSON.stringify(content ?? {})}`
    },
  })
  server.tool('test_elicitation_sep1034_defaults', {
    description: 'Asks the user with a default for every primitive type',
    run: async (_args, ctx) =>
      completed(await ctx.elicit({ message: 'Please check these values', requestedSchema: defaults })),
  })
  server.tool('test_elicitation_sep1330_enums', {
    description: 'Asks the user with every form of an enumeration',
    run: async (_args, ctx) => completed(await ctx.elicit({ message: 'Please choose', requestedSchema: enums })),
  })
  server.tool('elicit_url', {
    description: 'Asks the user to visit a page and returns "action=<action>"',
    run: async (_args, ctx) => {
      const elicitationId = randomUUID()
      const { action } = await ctx.elicit({
        mode: 'url',
        message: 'Please give your consent on this page',
        url: `${CONSENT_URL}?id=${elicitationId}`,
        elicitationId,
      })
      return `action=${action}`
    },
  })
  server.tool('url_required', {
    description: 'Is refused with the error that names a page to visit first',
    run: () => {
      const elicitationId = randomUUID()
      const message = 'Please give your consent on this page, then call again'
      const elicitation = { mode: 'url', message, url: `${CONSENT_URL}?id=${elicitationId}`, elicitationId }
      throw new ProtocolError(ErrorCode.UrlElicitationRequired, 'A page must be visited first', {
        elicitations: [elicitation],
      })
    },
  })
}

function completed({ action, content }: ElicitResult): string {
  return `Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`
}

const defaults = {
  type: 'object',
  properties: {
    name: { type: 'string', description: 'Full name', default: 'John Doe' },
    age: { type: 'integer', description: 'Age in years', default: 30 },
    score: { type: 'number', description: 'Score in points', default: 95.5 },
    status: {
      type: 'string',
      description: 'State of the account',
      enum: ['active', 'inactive', 'pending'],
      default: 'active',
    },
    verified: { type: 'boolean', description: 'Whether the address was verified', default: true },
  },
  required: [],
}

const plain = ['option1', 'option2', 'option3']

const enums = {
  type: 'object',
  properties: {
    untitledSingle: { type: 'string', description: 'One, without titles', enum: plain },
    titledSingle: {
      type: 'string',
      description: 'One, with titles',
      oneOf: [
        { const: 'value1', title: 'First Option' },
        { const: 'value2', title: 'Second Option' },
        { const: 'value3', title: 'Third Option' },
      ],
    },
    legacyEnum: {
      type: 'string',
      description: 'One, with titles in the older form',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: {
      type: 'array',
      description: 'Several, without titles',
      minItems: 1,
      maxItems: 3,
      items: { type: 'string', enum: plain },
    },
    titledMulti: {
      type: 'array',
      description: 'Several, with titles',
      minItems: 1,
      maxItems: 3,
      items: {
        anyOf: [
          { const: 'value1', title: 'First Choice' },
          { const: 'value2', title: 'Second Choice' },
          { const: 'value3', title: 'Third Choice' },
        ],
      },
    },
  },
  required: [],
}
