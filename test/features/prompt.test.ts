import { describe, expect, it } from 'vitest'
import { definePrompt, type PromptOptions, promptArguments, toPromptDraft } from '#features/prompt'
import { text } from '#protocol'
import { noContext } from './fixtures.ts'

const review = definePrompt('review', {
  description: 'd',
  arguments: [
    { name: 'code', required: true },
    { name: 'style', required: true },
    { name: 'tone', complete: ['kind', 'strict'] },
  ],
  get: ({ code, tone }) => `${code.length} ${tone ?? 'none'}`,
})

describe('definePrompt', () => {
  it('prepares what is advertised, completions apart', () => {
    expect(review.entity).toEqual({
      name: 'review',
      description: 'd',
      arguments: [{ name: 'code', required: true }, { name: 'style', required: true }, { name: 'tone' }],
    })
    expect(review.complete).toEqual({ tone: ['kind', 'strict'] })
    expect(definePrompt('bare', { get: () => 'x' }).entity).toEqual({ name: 'bare' })
  })

  it('hands typed arguments on', () => {
    expect(review.get({ code: 'abc', style: 's' }, noContext)).toBe('3 none')
  })

  it.each<[string, unknown, unknown, string]>([
    ['an empty name', '', { get: () => '' }, 'the name must be a string'],
    ['no get', 'p', {}, 'Prompt "p": get must be a function'],
    [
      'an argument without a name',
      'p',
      { get: () => '', arguments: [{}] },
      'arguments[0].name must be a string, got nothing',
    ],
    [
      'two arguments of one name',
      'p',
      { get: () => '', arguments: [{ name: 'a' }, { name: 'a' }] },
      'two arguments named "a"',
    ],
    ['arguments that are no array', 'p', { get: () => '', arguments: {} }, 'arguments must be an array, got object'],
  ])('refuses %s', (_name, name, options, sentence) => {
    expect(() => definePrompt(name as string, options as PromptOptions)).toThrow(
      expect.objectContaining({ code: 'MCP_DEFINITION', message: expect.stringContaining(sentence) }),
    )
  })
})

describe('promptArguments', () => {
  it('takes what is needed and more', () => {
    expect(promptArguments(review, { code: 'a', style: 'b', other: 'c' })).toEqual({
      code: 'a',
      style: 'b',
      other: 'c',
    })
    expect(promptArguments(definePrompt('bare', { get: () => 'x' }), undefined)).toEqual({})
  })

  it.each<[unknown, string]>([
    [undefined, 'missing required arguments "code", "style"'],
    [{ code: 'a' }, 'missing required argument "style"'],
    [{ code: 'a', style: 7 }, 'argument "style" must be a string, got number 7'],
    [[], 'arguments must be an object, got array of 0'],
    ['x', 'arguments must be an object, got string "x"'],
  ])('answers %j with -32602', (sent, sentence) => {
    expect(() => promptArguments(review, sent)).toThrow(
      expect.objectContaining({ code: -32602, message: expect.stringContaining(sentence) }),
    )
  })

  it('does not take a member of Object.prototype for an argument', () => {
    const prompt = definePrompt('p', { arguments: [{ name: 'toString', required: true }], get: () => 'x' })
    expect(() => promptArguments(prompt, {})).toThrow('missing required argument "toString"')
  })
})

describe('toPromptDraft', () => {
  const messages = [{ role: 'assistant' as const, content: text('a') }]
  it.each<[string, unknown, unknown]>([
    ['text', 'hi', { description: 'd', messages: [{ role: 'user', content: text('hi') }] }],
    ['messages', messages, { description: 'd', messages }],
    [
      'a whole result',
      { description: 'own', messages, _meta: { a: 1 } },
      { description: 'own', messages, _meta: { a: 1 } },
    ],
  ])('shapes %s', (_name, returned, expected) => {
    expect(toPromptDraft(returned, review)).toEqual(expected)
  })

  it.each([undefined, 7, {}, [{ role: 'system', content: text('x') }], [{ role: 'user' }], [7]])(
    'refuses %j',
    (returned) => {
      expect(() => toPromptDraft(returned, review)).toThrow(expect.objectContaining({ code: 'MCP_RESULT' }))
    },
  )
})
