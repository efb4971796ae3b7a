import { describe, expect, it } from 'vitest'
import { clientResultFault, type JsonObject } from '#protocol'

const content = { type: 'text', text: 'x' }

describe('clientResultFault', () => {
  it.each<[string, JsonObject]>([
    ['sampling/createMessage', { role: 'assistant', model: 'm', content }],
    ['sampling/createMessage', { role: 'assistant', model: 'm', content: [content], stopReason: 'toolUse' }],
    ['elicitation/create', { action: 'accept', content: { a: 1 } }],
    ['elicitation/create', { action: 'cancel' }],
    ['roots/list', { roots: [] }],
    ['roots/list', { roots: [{ uri: 'file:///a' }] }],
    ['ping', {}],
  ])('lets a good answer to %s through', (method, result) => {
    expect(clientResultFault(method, result)).toBeUndefined()
  })

  it.each<[string, JsonObject, string]>([
    ['sampling/createMessage', {}, 'result.role must be "user" or "assistant", got nothing'],
    ['sampling/createMessage', { role: 'user' }, 'result.model must be a string, got nothing'],
    [
      'sampling/createMessage',
      { role: 'user', model: 'm' },
      'result.content must be a block or an array of them, got nothing',
    ],
    [
      'sampling/createMessage',
      { role: 'user', model: 'm', content: ['x'] },
      'result.content[0] must be a content block, got string "x"',
    ],
    [
      'elicitation/create',
      { action: 'maybe' },
      'result.action must be "accept", "decline" or "cancel", got string "maybe"',
    ],
    ['elicitation/create', { action: 'accept', content: [] }, 'result.content must be an object, got array of 0'],
    ['roots/list', {}, 'result.roots must be an array, got nothing'],
    [
      'roots/list',
      { roots: [{ uri: 'https://a' }] },
      'result.roots[0].uri must be a file:// URI, got string "https://a"',
    ],
    ['roots/list', { roots: [{ uri: 7 }] }, 'result.roots[0] must be an object with a string uri, got object'],
  ])('names what is wrong in an answer to %s', (method, result, sentence) => {
    expect(clientResultFault(method, result)).toBe(sentence)
  })
})
