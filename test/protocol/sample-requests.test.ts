import { describe, expect, it } from 'vitest'
import { ROOTS_MAX, rootsResultFault, sampleRequestFault, sampleResultFault } from '#protocol'

const text = { type: 'text', text: 'x' }
const user = (...content: unknown[]): object => ({ role: 'user', content })
const assistant = (...content: unknown[]): object => ({ role: 'assistant', content })
const use = (id: string): object => ({ type: 'tool_use', id, name: 'lookup', input: {} })
const result = (toolUseId: string): object => ({ type: 'tool_result', toolUseId, content: [text] })
const tool = (name: string): object => ({ name, inputSchema: { type: 'object' } })
const request = (more: object = {}): object => ({ messages: [{ role: 'user', content: text }], maxTokens: 10, ...more })

describe('sampleRequestFault', () => {
  it.each<[string, object]>([
    ['the least', request()],
    [
      'all options',
      request({
        systemPrompt: 's',
        temperature: 0.5,
        stopSequences: ['x'],
        metadata: { a: 1 },
        includeContext: 'none',
      }),
    ],
    ['both deprecated contexts', request({ includeContext: 'allServers' })],
    [
      'preferences',
      request({
        modelPreferences: {
          hints: [{ name: 'sonnet' }, {}],
          costPriority: 0,
          speedPriority: 1,
          intelligencePriority: 0.5,
        },
      }),
    ],
    ['tools', request({ tools: [tool('a'), tool('b')], toolChoice: { mode: 'required' } })],
    ['a choice of none', request({ toolChoice: { mode: 'none' } })],
    ['several blocks', request({ messages: [user(text, { type: 'image', data: 'aGk=', mimeType: 'image/png' })] })],
    ['a tool call and its answer', request({ messages: [user(text), assistant(text, use('1')), user(result('1'))] })],
    [
      'two calls and their answers in any order',
      request({ messages: [user(text), assistant(use('1'), use('2')), user(result('2'), result('1')), user(text)] }),
    ],
    [
      'an id that is used again later',
      request({
        messages: [user(text), assistant(use('1')), user(result('1')), assistant(use('1')), user(result('1'))],
      }),
    ],
  ])('lets %s through', (_name, good) => expect(sampleRequestFault(good)).toBeUndefined())

  it.each<[string, unknown, string]>([
    ['no params', undefined, 'params must be an object'],
    ['no messages', { maxTokens: 1 }, 'params.messages must be an array of at least one message, got nothing'],
    [
      'an empty list',
      request({ messages: [] }),
      'params.messages must be an array of at least one message, got array of 0',
    ],
    ['maxTokens of 0', request({ maxTokens: 0 }), 'params.maxTokens must be a whole number above 0, got number 0'],
    ['maxTokens of 1.5', request({ maxTokens: 1.5 }), 'params.maxTokens must be a whole number above 0'],
    ['no maxTokens', request({ maxTokens: undefined }), 'params.maxTokens must be a whole number above 0, got nothing'],
    ['a temperature as text', request({ temperature: '1' }), 'params.temperature must be a number'],
    ['a system prompt that is no text', request({ systemPrompt: 1 }), 'params.systemPrompt must be a string'],
    [
      'an unknown context',
      request({ includeContext: 'some' }),
      'params.includeContext must be "none", "thisServer" or "allServers"',
    ],
    ['stop sequences as text', request({ stopSequences: 'x' }), 'params.stopSequences must be an array of strings'],
    ['metadata as a list', request({ metadata: [] }), 'params.metadata must be an object'],
    [
      'a priority above 1',
      request({ modelPreferences: { costPriority: 1.1 } }),
      'params.modelPreferences.costPriority must be a number from 0 to 1',
    ],
    [
      'a priority below 0',
      request({ modelPreferences: { speedPriority: -1 } }),
      'params.modelPreferences.speedPriority',
    ],
    ['hints as text', request({ modelPreferences: { hints: 'x' } }), 'params.modelPreferences.hints must be an array'],
    [
      'a role of system',
      request({ messages: [{ role: 'system', content: text }] }),
      'params.messages[0].role must be "user" or "assistant"',
    ],
    ['no content', request({ messages: [{ role: 'user' }] }), 'params.messages[0].content must be a content block'],
    ['empty content', request({ messages: [user()] }), 'params.messages[0].content must be a block or at least one'],
    [
      'a link',
      request({ messages: [user({ type: 'resource_link', uri: 'a://b', name: 'n' })] }),
      'messages[0].content[0] has type string "resource_link"; text, image, audio, tool_use',
    ],
    ['an image without data', request({ messages: [user({ type: 'image' })] }), 'of type image needs base64 data'],
    ['a call by the user', request({ messages: [user(use('1'))] }), 'is a tool_use, which belongs to the assistant'],
    [
      'an answer by the assistant',
      request({ messages: [assistant(result('1'))] }),
      'is a tool_result, which belongs to the user',
    ],
    [
      'a call without input',
      request({ messages: [assistant({ type: 'tool_use', id: '1', name: 'a' })] }),
      'needs an object as input',
    ],
    [
      'an answer without content',
      request({ messages: [user({ type: 'tool_result', toolUseId: '1' })] }),
      'needs an array as content',
    ],
    [
      'answers among other content',
      request({ messages: [user(text), assistant(use('1')), user(result('1'), text)] }),
      'messages[2].content must hold tool results only',
    ],
    [
      'an answer to nothing',
      request({ messages: [user(result('1'))] }),
      'params.messages[0] has a tool_result for "1", which the message before it did not call once',
    ],
    [
      'an answer twice',
      request({ messages: [user(text), assistant(use('1')), user(result('1'), result('1'))] }),
      'did not call once',
    ],
    [
      'a call without an answer',
      request({ messages: [user(text), assistant(use('1'), use('2')), user(result('1'))] }),
      'params.messages[2] must answer the tool_use "2"',
    ],
    [
      'a message between call and answer',
      request({ messages: [user(text), assistant(use('1')), user(text), user(result('1'))] }),
      'params.messages[2] must answer the tool_use "1"',
    ],
    [
      'a call at the end',
      request({ messages: [user(text), assistant(use('1'))] }),
      'ends with an unanswered tool_use "1"',
    ],
    [
      'two calls of one id',
      request({ messages: [user(text), assistant(use('1'), use('1')), user(result('1'))] }),
      'two tool_use blocks of the same id',
    ],
    ['tools as an object', request({ tools: {} }), 'params.tools must be an array of tools'],
    [
      'a tool without a name',
      request({ tools: [{ inputSchema: { type: 'object' } }] }),
      'params.tools[0].name must be a string',
    ],
    [
      'a tool without a schema',
      request({ tools: [{ name: 'a' }] }),
      'params.tools[0].inputSchema must be a schema of type "object"',
    ],
    ['two tools of one name', request({ tools: [tool('a'), tool('a')] }), 'params.tools has two tools named "a"'],
    [
      'an unknown choice',
      request({ toolChoice: { mode: 'any' } }),
      'params.toolChoice.mode must be "auto", "required" or "none"',
    ],
    ['required without tools', request({ toolChoice: { mode: 'required' } }), 'so params.tools must offer a tool'],
  ])('names what is wrong: %s', (_name, bad, sentence) => expect(sampleRequestFault(bad)).toContain(sentence))
})

describe('sampleResultFault', () => {
  const answer = (more: object = {}): object => ({ role: 'assistant', model: 'm', content: text, ...more })
  it.each<[string, object]>([
    ['a text', answer({ stopReason: 'endTurn' })],
    ['a stop reason of its own', answer({ stopReason: 'mine' })],
    ['several blocks', answer({ content: [text, use('1')], stopReason: 'toolUse' })],
  ])('lets %s through', (_name, good) =>
    expect(sampleResultFault(good, request({ tools: [tool('lookup')] }))).toBeUndefined(),
  )

  it.each<[string, unknown, string]>([
    ['no model', answer({ model: undefined }), 'result.model must be a string'],
    ['a stop reason that is no text', answer({ stopReason: 1 }), 'result.stopReason must be a string'],
    ['an image without data', answer({ content: { type: 'image' } }), 'result.content of type image needs base64'],
    ['a tool result', answer({ content: [result('1')] }), 'result.content[0] is a tool_result'],
    [
      'a call where no tools were on offer',
      answer({ content: [use('1')] }),
      'result.content calls a tool, and the request offered none',
    ],
  ])('names what is wrong: %s', (_name, bad, sentence) => expect(sampleResultFault(bad, request())).toContain(sentence))
})

describe('rootsResultFault', () => {
  it.each<[unknown]>([[{ roots: [] }], [{ roots: [{ uri: 'file:///a' }, { uri: 'FILE:///b', name: 'b' }] }]])(
    'lets %j through',
    (good) => {
      expect(rootsResultFault(good)).toBeUndefined()
    },
  )
  it.each<[unknown, string]>([
    [{}, 'result.roots must be an array'],
    [{ roots: [{ uri: 'http://a' }] }, 'result.roots[0].uri must be a file:// URI'],
    [{ roots: [{ uri: 'file:/a' }] }, 'result.roots[0].uri must be a file:// URI'],
    [{ roots: [{ uri: 'file:///a', name: 1 }] }, 'result.roots[0].name must be a string'],
    [{ roots: Array(ROOTS_MAX + 1).fill({ uri: 'file:///a' }) }, `may hold ${ROOTS_MAX} roots`],
  ])('names what is wrong: %j', (bad, sentence) => expect(rootsResultFault(bad)).toContain(sentence))
})
