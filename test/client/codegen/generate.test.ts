/** Generated clients as text: their names, their order, and that nothing a server writes gets out of its place. */
import { generateClient, type ServerListing } from 'bough/client'
import { describe, expect, it } from 'vitest'
import { GENERATED_MAX } from '#client/codegen/generate'
import { compile } from './compile.ts'

const COMPILE_MS = 60_000

function listing(parts: Partial<ServerListing>): ServerListing {
  return { name: 'shop', version: '1.2.0', tools: [], prompts: [], resources: [], templates: [], ...parts }
}

const tool = (name: string, more: object = {}): ServerListing['tools'][number] => ({
  name,
  inputSchema: { type: 'object' },
  ...more,
})

/** Names of all kinds that a server may think of, some of them against the one who generates. */
const awkward = [
  'get-user',
  'get_user',
  'getUser',
  'then',
  'constructor',
  '__proto__',
  'delete',
  'Client',
  'promise',
  'call tool options',
  '42',
  '',
  '---',
  'größe',
  '名前',
  "it's",
  'a`$' + '{b}`',
  'a\\',
  '*/ process.exit(1) /*',
  'line\nbreak',
  '\u202Etxet',
  '\u2028',
  'unnamed',
]

describe('a generated client', () => {
  it('is the same text for the same server, whatever the order of its lists', () => {
    const tools = [tool('b'), tool('a', { outputSchema: { type: 'object', properties: { x: { type: 'number' } } } })]
    const prompts = [{ name: 'q' }, { name: 'p', arguments: [{ name: 'topic', required: true }] }]
    const resources = [
      { uri: 'b://', name: 'one' },
      { uri: 'a://', name: 'one' },
    ]
    const first = generateClient(listing({ tools, prompts, resources }))
    const second = generateClient(
      listing({ tools: [...tools].reverse(), prompts: [...prompts].reverse(), resources: [...resources].reverse() }),
    )
    expect(second).toBe(first)
    expect(first).toContain('export function shopClient(client: Client) {')
    expect(first).toContain('one2: (options?: PageOptions): Promise<ReadResult> => client.readResource(')
  })

  it('is named by its option, or by its server', () => {
    expect(generateClient(listing({}), { name: 'my shop' })).toContain('export function myShopClient(')
    expect(generateClient(listing({ name: '///' }))).toContain('export function unnamedClient(')
  })

  it(
    'compiles, whatever things are called and described',
    () => {
      const poison = (text: string): object => ({ description: `${text} */ evil() /* ${text}` })
      const schema = {
        type: 'object',
        properties: Object.fromEntries(awkward.map((name) => [name, { type: 'string', ...poison(name) }])),
        required: awkward.slice(0, 8),
        $defs: Object.fromEntries(awkward.map((name) => [name, { $ref: '#' }])),
      }
      const source = generateClient(
        listing({
          name: "*/ evil() /* ' \n",
          tools: awkward.map((name) => tool(name, { ...poison(name), inputSchema: schema, outputSchema: schema })),
          prompts: awkward.map((name) => ({ name, ...poison(name), arguments: awkward.map((one) => ({ name: one })) })),
          resources: awkward.map((name) => ({ uri: `x://${name}`, name, ...poison(name) })),
          templates: awkward.map((name, index) => ({ uriTemplate: `x://${index}/{a}{?b*,c}`, name, ...poison(name) })),
        }),
      )
      expect(compile({ 'client.ts': source }).errors).toBe('')
      // Nothing runs, and nothing looks other than it is.
      expect(source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/'(?:[^'\\\n]|\\.)*'/g, "''")).not.toContain('evil()')
      expect(source).not.toMatch(/[\u202A-\u202E\u2028\u2029]/)
    },
    COMPILE_MS,
  )

  it('leaves out a template that cannot be read, and what is beyond the limit, and says so', () => {
    const templates = [
      { uriTemplate: 'x://{', name: 'broken' },
      { uriTemplate: 'x://{id}', name: 'whole' },
    ]
    const tools = Array.from({ length: GENERATED_MAX + 1 }, (_, index) => tool(`t${index}`))
    const source = generateClient(listing({ templates, tools }))
    expect(source).toContain('Its resource template x://{ cannot be read.')
    expect(source).not.toContain('broken:')
    expect(source).toContain(`It has ${GENERATED_MAX + 1} tools, of which ${GENERATED_MAX} are here.`)
  })

  it(
    'takes what the schemas take, and refuses the rest at compile time',
    () => {
      const source = generateClient(
        listing({
          tools: [
            tool('order', {
              inputSchema: {
                type: 'object',
                properties: {
                  bread: { enum: ['rye', 'wheat'] },
                  count: { type: 'integer' },
                  address: { $ref: '#/$defs/address' },
                },
                required: ['bread'],
                $defs: { address: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
              },
              outputSchema: { type: 'object', properties: { total: { type: 'number' } }, required: ['total'] },
            }),
            tool('list'),
          ],
          prompts: [{ name: 'review', arguments: [{ name: 'code', required: true }, { name: 'tone' }] }],
          templates: [{ uriTemplate: 'x://{id}{?page}', name: 'page' }],
        }),
      )
      const use = `
import type { Client } from 'bough/client'
import { shopClient } from './client.ts'
declare const client: Client
const shop = shopClient(client)
const result = await shop.tools.order({ bread: 'rye', address: { city: 'Oslo' } }, { timeout: 5 })
if (result.isError !== true) {
  const total: number = result.structuredContent.total
  console.log(total)
  // @ts-expect-error there is no such member
  console.log(result.structuredContent.sum)
}
await shop.tools.list()
await shop.prompts.review({ code: 'x' })
await shop.templates.page({ id: 7 })
await shop.templates.page({ id: 'a', page: 2 })
// @ts-expect-error bread is missing
await shop.tools.order({ count: 1 })
// @ts-expect-error no such bread
await shop.tools.order({ bread: 'white' })
// @ts-expect-error a count is a number
await shop.tools.order({ bread: 'rye', count: '1' })
// @ts-expect-error an address has a city
await shop.tools.order({ bread: 'rye', address: {} })
// @ts-expect-error no such member
await shop.tools.order({ bread: 'rye', colour: 'red' })
// @ts-expect-error no such tool
await shop.tools.cancel()
// @ts-expect-error code is missing
await shop.prompts.review({ tone: 'kind' })
// @ts-expect-error id is missing
await shop.templates.page({ page: 1 })
`
      expect(compile({ 'client.ts': source, 'use.ts': use.replaceAll('./client.ts', './client.js') }).errors).toBe('')
    },
    COMPILE_MS,
  )
})
