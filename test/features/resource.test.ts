import { describe, expect, it } from 'vitest'
import {
  defineResource,
  defineResourceTemplate,
  type ResourceOptions,
  type ResourceTemplateOptions,
  toReadResult,
} from '#features/resource'
import { noContext } from './fixtures.ts'

const read = (): string => 'x'

describe('defineResource', () => {
  it('prepares what is advertised, named by its URI unless it has a name', () => {
    expect(defineResource('config://app', { read }).entity).toEqual({ uri: 'config://app', name: 'config://app' })
    const { entity } = defineResource('config://app', {
      name: 'app',
      title: 'T',
      mimeType: 'text/plain',
      size: 3,
      read,
    })
    expect(entity).toEqual({ uri: 'config://app', name: 'app', title: 'T', mimeType: 'text/plain', size: 3 })
  })

  it.each<[string, unknown, unknown, string]>([
    ['a relative URI', 'app', { read }, 'the URI must be absolute'],
    ['a URI that is not encoded', 'a://b/c d', { read }, 'its URI must be percent-encoded: a://b/c%20d'],
    ['a URI that is no text', 7, { read }, 'the URI must be absolute'],
    ['no read', 'a://b', {}, 'Resource "a://b": read must be a function'],
    ['a negative size', 'a://b', { read, size: -1 }, 'size must be a number of bytes, got number -1'],
    ['an icon over http', 'a://b', { read, icons: [{ src: 'http://x' }] }, 'icons[0].src'],
  ])('refuses %s', (_name, uri, options, sentence) => {
    expect(() => defineResource(uri as string, options as ResourceOptions)).toThrow(
      expect.objectContaining({ code: 'MCP_DEFINITION', message: expect.stringContaining(sentence) }),
    )
  })
})

describe('defineResourceTemplate', () => {
  it('prepares what is advertised, and matches', () => {
    const template = defineResourceTemplate('users://{id}', {
      description: 'd',
      complete: { id: ['a'] },
      read: ({ id }) => `${id}`,
    })
    expect(template.entity).toEqual({ uriTemplate: 'users://{id}', name: 'users://{id}', description: 'd' })
    expect(template.template.match('users://7')).toEqual({ id: '7' })
    expect(template.read({ id: '7' }, noContext, 'users://7')).toBe('7')
  })

  it.each<[string, string, unknown, string]>([
    ['a broken template', 'users://{id', { read }, 'has a "{" without a "}"'],
    ['an empty template', '', { read }, 'must be a URI template'],
    [
      'a completion of an unknown variable',
      'users://{id}',
      { read, complete: { name: [] } },
      'complete names the variable "name", which the template lacks; it has id',
    ],
  ])('refuses %s', (_name, text, options, sentence) => {
    expect(() => defineResourceTemplate(text, options as ResourceTemplateOptions)).toThrow(
      expect.objectContaining({ code: 'MCP_DEFINITION', message: expect.stringContaining(sentence) }),
    )
  })
})

describe('toReadResult', () => {
  const uri = 'a://b'
  it.each<[string, unknown, unknown]>([
    ['text', 'hi', { contents: [{ uri, mimeType: 'x/y', text: 'hi' }] }],
    ['bytes', new Uint8Array([104, 105]), { contents: [{ uri, mimeType: 'x/y', blob: 'aGk=' }] }],
    [
      'part of a buffer',
      new Uint8Array([0, 104, 105]).subarray(1),
      { contents: [{ uri, mimeType: 'x/y', blob: 'aGk=' }] },
    ],
    ['a text with its own type', { text: 'hi', mimeType: 'z/z' }, { contents: [{ uri, mimeType: 'z/z', text: 'hi' }] }],
    ['a blob', { blob: 'aGk=' }, { contents: [{ uri, mimeType: 'x/y', blob: 'aGk=' }] }],
    ['whole contents', { contents: [{ uri: 'c://d', text: '' }] }, { contents: [{ uri: 'c://d', text: '' }] }],
  ])('shapes %s', (_name, returned, expected) => {
    expect(toReadResult(returned, uri, { mimeType: 'x/y' })).toEqual(expected)
  })

  it('names the contents by a URI, also when asked in characters that none has', () => {
    const { contents } = toReadResult('hi', 'a://b/c d%20é')
    expect(contents).toEqual([{ uri: 'a://b/c%20d%20%C3%A9', text: 'hi' }])
  })

  it('leaves the type out when there is none', () => {
    expect(toReadResult('hi', uri)).toEqual({ contents: [{ uri, text: 'hi' }] })
  })

  it.each([undefined, null, 7, {}, [], { blob: 'no base64!' }, { contents: [{ text: 'x' }] }, { contents: [{ uri }] }])(
    'refuses %j',
    (returned) => {
      expect(() => toReadResult(returned, uri)).toThrow(expect.objectContaining({ code: 'MCP_RESULT' }))
    },
  )
})
