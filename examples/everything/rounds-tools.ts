/**
 * Tools whose questions travel in results under revision 2026-07-28. They are written like any other that asks: `ctx.elicit`
 * and its siblings resolve with the answer in every era. The keys are named because tests from outside look for them.
 */
import type { Server } from 'bough'
import type { ElicitResult, SampleResult } from 'bough/protocol'
import { z } from 'zod'

/** How long the questions of `expiring_state` may take at most. */
const STATE_TTL_MAX_MS = 600_000

export function addRoundsTools(server: Server): void {
  server.tool('test_input_required_result_elicitation', {
    description: 'Asks for a name and greets',
    run: async (_args, ctx) => `Hello, ${field(await ctx.elicit(nameForm, { key: 'user_name' }), 'name')}!`,
  })
  server.tool('test_input_required_result_sampling', {
    description: "Asks the client's model for a capital and returns its answer",
    run: async (_args, ctx) => {
      const question = 'What is the capital of France?'
      return saidBy(await ctx.sample(asking(question), { key: 'capital_question' }))
    },
  })
  server.tool('test_input_required_result_list_roots', {
    description: "Asks for the client's roots and returns them",
    run: async (_args, ctx) => JSON.stringify(await ctx.roots({ key: 'client_roots' })),
  })
  server.tool('test_input_required_result_request_state', {
    description: 'Asks for a confirmation; its state comes back with the answer',
    run: async (_args, ctx) => {
      const { action } = await ctx.elicit(confirmForm, { key: 'confirm' })
      return `state-ok: ${action}`
    },
  })
  server.tool('test_input_required_result_multiple_inputs', {
    description: 'Asks the user, the model and the client at once',
    run: async (_args, ctx) => {
      const [name, greeting, roots] = await Promise.all([
        ctx.elicit(nameForm, { key: 'user_name' }),
        ctx.sample(asking('Generate a greeting'), { key: 'greeting' }),
        ctx.roots({ key: 'client_roots' }),
      ])
      return `${saidBy(greeting)} ${field(name, 'name')}, you have ${roots.length} roots.`
    },
  })
  server.tool('test_input_required_result_multi_round', {
    description: 'Asks for a name, then for a color',
    run: async (_args, ctx) => {
      const name = field(await ctx.elicit(form('Step 1: What is your name?', 'name'), { key: 'step1' }), 'name')
      const color = field(
        await ctx.elicit(form('Step 2: What is your favorite color?', 'color'), { key: 'step2' }),
        'color',
      )
      return `${name} likes ${color}.`
    },
  })
  server.tool('test_input_required_result_tampered_state', {
    description: 'Asks for a confirmation; a state that was changed is refused',
    run: async (_args, ctx) => `confirmed: ${(await ctx.elicit(confirmForm, { key: 'confirm' })).action}`,
  })
  server.tool('test_input_required_result_capabilities', {
    description: 'Asks whatever the client can answer',
    run: async (_args, ctx) => {
      const { sampling, elicitation } = ctx.client.clientCapabilities
      const answers = await Promise.all([
        ...(elicitation ? [ctx.elicit(nameForm, { key: 'user_name' })] : []),
        ...(sampling ? [ctx.sample(asking('Generate a greeting'), { key: 'greeting' })] : []),
      ])
      return `${answers.length} answers`
    },
  })
  server.prompt('test_input_required_result_prompt', {
    description: 'Asks for the context that it puts into its message',
    get: async (_args, ctx) => {
      const asked = form('What context should the prompt use?', 'context')
      return `Use this context: ${field(await ctx.elicit(asked, { key: 'user_context' }), 'context')}`
    },
  })
  server.tool('test_missing_capability', {
    description: 'Needs a client with sampling',
    run: async (_args, ctx) => saidBy(await ctx.sample(asking('Say hello'))),
  })
  server.tool('test_streaming_elicitation', {
    description: 'Reports progress, then asks',
    run: async (_args, ctx) => {
      ctx.progress(1, 2)
      return `Hello, ${field(await ctx.elicit(nameForm, { key: 'user_name' }), 'name')}!`
    },
  })
  server.tool('test_logging_tool', {
    description: 'Sends log messages to whoever wants them',
    run: (_args, ctx) => {
      for (const step of ['started', 'processing', 'completed']) ctx.log('info', `The tool has ${step}`)
      return 'logged'
    },
  })
  addStateTools(server)
  addHeaderTools(server)
}

function addStateTools(server: Server): void {
  server.tool('expiring_state', {
    description: 'Asks for a confirmation that has to come within ttl_ms',
    input: z.object({ ttl_ms: z.number().int().min(1).max(STATE_TTL_MAX_MS), tag: z.string() }),
    run: async ({ ttl_ms, tag }, ctx) => {
      const answer = await ctx.elicit(confirmForm, { key: 'confirm', expiresInMs: ttl_ms })
      return `${isConfirmed(answer) ? 'confirmed' : 'refused'} ${tag}`
    },
  })
  server.tool('redeem', {
    description: 'Asks for a confirmation that counts once',
    run: async (_args, ctx) =>
      isConfirmed(await ctx.elicit(confirmForm, { key: 'confirm', once: true })) ? 'redeemed' : 'refused',
  })
}

function addHeaderTools(server: Server): void {
  server.tool('test_x_mcp_header', {
    description: 'Its region travels in the header Mcp-Param-Region too',
    input: {
      type: 'object',
      properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, query: { type: 'string' } },
      required: ['region'],
    },
    run: ({ region }) => `region=${region}`,
  })
  server.tool('header_types', {
    description: 'Arguments of every type that may travel in headers; returns them as JSON',
    input: {
      type: 'object',
      properties: {
        count: { type: 'integer', 'x-mcp-header': 'Count' },
        flag: { type: 'boolean', 'x-mcp-header': 'Flag' },
        place: { type: 'object', properties: { city: { type: 'string', 'x-mcp-header': 'City' } } },
      },
    },
    run: (args) => JSON.stringify(args),
  })
}

function form(message: string, name: string) {
  return { message, requestedSchema: { type: 'object', properties: { [name]: { type: 'string' } }, required: [name] } }
}

const nameForm = form('What is your name?', 'name')

const confirmForm = {
  message: 'Please confirm',
  requestedSchema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] },
}

function asking(text: string) {
  return { messages: [{ role: 'user' as const, content: { type: 'text' as const, text } }], maxTokens: 100 }
}

function field({ action, content }: ElicitResult, name: string): string {
  return action === 'accept' ? String(content?.[name]) : `(${action})`
}

function isConfirmed({ action, content }: ElicitResult): boolean {
  return action === 'accept' && content?.['ok'] === true
}

function saidBy({ content }: SampleResult): string {
  const blocks = 'type' in content ? [content] : content
  return blocks.map((block) => (block.type === 'text' ? block.text : '')).join('')
}
