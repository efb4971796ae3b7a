import { describe, expect, it } from 'vitest'
import { Catalog } from '#features/catalog'
import {
  definePrompt,
  type PromptArgument,
  type PromptOptions,
  type PromptReturn,
  promptArguments,
} from '#features/prompt'
import { PROMPT_DEPTH_MAX, PROMPT_INCLUDES_MAX, renderPrompt } from '#features/prompt-includes'
import { invalidParams, text } from '#protocol'
import { noContext } from './fixtures.ts'

const user = (value: string) => ({ role: 'user' as const, content: text(value) })

function catalogOf(prompts: Readonly<Record<string, () => PromptReturn>>): Catalog {
  const catalog = new Catalog()
  for (const [name, get] of Object.entries(prompts)) catalog.prompts.put(definePrompt(name, { get }))
  return catalog
}

const render = (catalog: Catalog, name: string) => renderPrompt(catalog, catalog.prompts.get(name)!, {}, noContext)

describe('a prompt of prompts', () => {
  it('has the messages of the others in their place', async () => {
    const catalog = catalogOf({
      rules: () => ({ description: 'not this one', messages: [user('be kind'), { prompt: 'house' }] }),
      house: () => 'wipe your feet',
      whole: () => ({
        description: 'd',
        messages: [user('first'), { prompt: 'rules' }, user('last'), { prompt: 'house' }],
      }),
    })
    expect(await render(catalog, 'whole')).toEqual({
      description: 'd',
      messages: [user('first'), user('be kind'), user('wipe your feet'), user('last'), user('wipe your feet')],
    })
  })

  it('hands arguments on, checked', async () => {
    const catalog = catalogOf({
      good: () => [{ prompt: 'greet', arguments: { name: 'Ann' } }],
      bad: () => [{ prompt: 'greet' }],
    })
    const greet = definePrompt('greet', {
      arguments: [{ name: 'name', required: true }],
      get: ({ name }) => `Hello ${name}`,
    })
    catalog.prompts.put(greet)
    expect((await render(catalog, 'good')).messages).toEqual([user('Hello Ann')])
    await expect(render(catalog, 'bad')).rejects.toMatchObject({
      code: 'MCP_RESULT',
      message: expect.stringContaining('missing required argument "name" (bad -> greet)'),
    })
  })

  it.each<[string, Record<string, () => PromptReturn>, string]>([
    ['itself', { a: () => [{ prompt: 'a' }] }, 'it includes itself (a -> a)'],
    [
      'itself by way of others',
      { a: () => [{ prompt: 'b' }], b: () => [{ prompt: 'c' }], c: () => [{ prompt: 'a' }] },
      'it includes itself (a -> b -> c -> a)',
    ],
    ['one that is not there', { a: () => [{ prompt: 'b' }] }, 'there is no prompt "b" (a -> b)'],
    [
      'more than the depth',
      Object.fromEntries(
        Array.from({ length: PROMPT_DEPTH_MAX + 1 }, (_, n) => [
          n === 0 ? 'a' : `p${n}`,
          () => [{ prompt: `p${n + 1}` }],
        ]),
      ),
      `it goes deeper than ${PROMPT_DEPTH_MAX} prompts`,
    ],
    [
      'more than the number',
      { a: () => Array(PROMPT_INCLUDES_MAX).fill({ prompt: 'b' }), b: () => 'x' },
      `it runs more than ${PROMPT_INCLUDES_MAX} prompts`,
    ],
    [
      'a name that is no text',
      { a: () => [{ prompt: 7 }] as unknown as PromptReturn },
      'messages[0] needs the name of another prompt',
    ],
  ])('is an error that shows the way, when it includes %s', async (_name, prompts, sentence) => {
    await expect(render(catalogOf(prompts), 'a')).rejects.toMatchObject({
      code: 'MCP_RESULT',
      message: expect.stringContaining(sentence),
    })
  })

  it('goes as deep as the bound', async () => {
    const prompts = Object.fromEntries(
      Array.from({ length: PROMPT_DEPTH_MAX }, (_, n) => [
        `p${n}`,
        () => (n === PROMPT_DEPTH_MAX - 1 ? 'end' : [{ prompt: `p${n + 1}` }]),
      ]),
    )
    expect((await render(catalogOf(prompts), 'p0')).messages).toEqual([user('end')])
  })

  it('lets what an included prompt throws pass', async () => {
    const catalog = catalogOf({
      a: () => [{ prompt: 'b' }],
      b: () => {
        throw invalidParams('no')
      },
    })
    await expect(render(catalog, 'a')).rejects.toMatchObject({ code: -32602, message: 'no' })
  })
})

describe('arguments of a prompt', () => {
  const prompt = definePrompt('p', {
    arguments: [
      { name: 'tone', enum: ['kind', 'strict'] },
      { name: 'x', enum: ['a'], complete: ['b'] },
    ],
    get: () => '',
  })

  it('may have only the values of their enum, which complete them too', () => {
    expect(promptArguments(prompt, { tone: 'kind' })).toEqual({ tone: 'kind' })
    expect(promptArguments(prompt, {})).toEqual({})
    expect(() => promptArguments(prompt, { tone: 'rude' })).toThrow(
      expect.objectContaining({
        code: -32602,
        message: 'Prompt "p": argument "tone" must be one of "kind", "strict", got string "rude"',
      }),
    )
    expect(prompt.complete).toEqual({ tone: ['kind', 'strict'], x: ['b'] })
    expect(prompt.entity.arguments).toEqual([{ name: 'tone' }, { name: 'x' }])
  })

  it.each<[string, object, string]>([
    ['no values', { enum: [] }, 'arguments[0].enum must be an array of at least one string'],
    ['values that are no texts', { enum: [1] }, 'arguments[0].enum must be'],
    ['required as text', { required: 'yes' }, 'arguments[0].required must be true or false, got string "yes"'],
    ['a description that is no text', { description: 1 }, 'arguments[0].description must be a string, got number 1'],
    ['a completer that is none', { complete: 'x' }, 'arguments[0].complete must be an array of strings or a function'],
  ])('are refused: %s', (_name, argument, sentence) => {
    const options: PromptOptions = { arguments: [{ name: 'a', ...argument } as PromptArgument], get: () => '' }
    expect(() => definePrompt('p', options)).toThrow(
      expect.objectContaining({ code: 'MCP_DEFINITION', message: expect.stringContaining(sentence) }),
    )
  })
})
