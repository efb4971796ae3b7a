/** The server of the story: tools with schemas on both sides, a prompt, a resource and a template. */
import { createServer } from 'bough'

export const bakery = createServer({ name: 'bakery', version: '1.0.0' })

bakery.tool('bake-bread', {
  description: 'Bakes loaves and says what they cost',
  input: {
    type: 'object',
    properties: {
      kind: { enum: ['rye', 'wheat'], description: 'Which bread' },
      loaves: { type: 'integer', minimum: 1, maximum: 20, default: 1 },
      delivery: { $ref: '#/$defs/address' },
    },
    required: ['kind'],
    $defs: {
      address: {
        type: 'object',
        properties: { street: { type: 'string' }, city: { type: 'string' } },
        required: ['city'],
      },
    },
  },
  output: {
    type: 'object',
    properties: { price: { type: 'number' }, label: { type: 'string' } },
    required: ['price', 'label'],
  },
  run: (args) => {
    const { kind, loaves = 1, delivery } = args as unknown as Order // the schema was checked
    return { structured: { price: loaves * 4.5, label: `${loaves} ${kind} to ${delivery?.city ?? 'the counter'}` } }
  },
})
bakery.tool('close_shop', { description: 'Closes for today', run: () => 'closed' })
bakery.prompt('recipe', {
  description: 'Asks for a recipe',
  arguments: [{ name: 'kind', description: 'Of which bread', required: true }, { name: 'tone' }],
  get: ({ kind, tone = 'plain' }) => `A ${tone} recipe for ${kind} bread, please.`,
})
bakery.resource('bakery://stock', { name: 'stock', description: 'Loaves in the shop', read: () => '12' })
bakery.resourceTemplate('bakery://orders/{id}{?lines}', {
  name: 'order',
  description: 'One order',
  read: ({ id }) => `order ${id}`,
})

interface Order {
  readonly kind: string
  readonly loaves?: number
  readonly delivery?: { readonly city: string }
}
