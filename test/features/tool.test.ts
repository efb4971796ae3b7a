import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTool, TOOL_TIMEOUT_MS, type Tool, type ToolOptions } from '#features/tool'
import { crashResult, inputErrorResult, toToolResult } from '#features/tool-result'
import { image, text } from '#protocol'
import { noContext } from './fixtures.ts'

const plain = defineTool('plain', { run: () => 'x' })
const output = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] }
const typed = defineTool('typed', { output, run: () => ({ structured: { n: 1 } }) })

describe('defineTool', () => {
  it('prepares what is advertised, leaving out what was not given', () => {
    expect(plain.entity).toEqual({ name: 'plain', inputSchema: { type: 'object', properties: {} } })
    expect(plain).toMatchObject({ key: 'plain', timeoutMs: TOOL_TIMEOUT_MS, isolate: 'process', output: undefined })
    const whole = defineTool('whole', {
      title: 'T',
      description: 'd',
      input: { type: 'object', required: ['a'] },
      output,
      annotations: { readOnlyHint: true },
      icons: [{ src: 'https://example.org/i.png' }],
      execution: { taskSupport: 'optional' },
      timeout: 5,
      isolate: 'thread',
      run: () => 'x',
    })
    expect(whole.entity).toEqual({
      name: 'whole',
      title: 'T',
      description: 'd',
      inputSchema: { type: 'object', required: ['a'] },
      outputSchema: output,
      annotations: { readOnlyHint: true },
      icons: [{ src: 'https://example.org/i.png' }],
      execution: { taskSupport: 'optional' },
    })
    expect(whole).toMatchObject({ timeoutMs: 5, isolate: 'thread' })
  })

  it('types the arguments of run from a Standard Schema, and as a record otherwise', async () => {
    const zod = defineTool('zod', { input: z.object({ city: z.string() }), run: ({ city }) => city.toUpperCase() })
    const json = defineTool('json', { input: { type: 'object' }, run: (args) => String(args['city']) })
    const parsed = await zod.input.parse({ city: 'Oslo' })
    expect(parsed.ok && zod.run(parsed.value, noContext)).toBe('OSLO')
    expect(json.run({ city: 'Oslo' }, noContext)).toBe('Oslo')
  })

  it('keeps run a method of its options', () => {
    const options = {
      word: 'hi',
      run(): string {
        return this.word
      },
    }
    expect(defineTool('method', options).run({}, noContext)).toBe('hi')
  })

  it.each(['a', 'A-Z_0.9', 'x'.repeat(128)])('takes the name %s', (name) => {
    expect(defineTool(name, { run: () => '' }).key).toBe(name)
  })

  it.each(['', 'a b', 'a/b', 'é', 'x'.repeat(129), 7, undefined])('refuses the name %j', (name) => {
    expect(() => defineTool(name as string, { run: () => '' })).toThrow(
      expect.objectContaining({
        code: 'MCP_DEFINITION',
        message: expect.stringContaining('Tool name must be 1 to 128 characters'),
      }),
    )
  })

  it.each<[string, unknown, string]>([
    ['no options', undefined, 'Tool "t": options must be an object, got nothing'],
    ['no run', {}, 'Tool "t": run must be a function, got nothing'],
    ['a timeout of 0', { run: () => '', timeout: 0 }, 'timeout must be a positive number of ms, got number 0'],
    ['a timeout as text', { run: () => '', timeout: '5' }, 'timeout must be a positive number of ms, got string "5"'],
    [
      'an unknown isolation',
      { run: () => '', isolate: 'vm' },
      'isolate must be "process" or "thread", got string "vm"',
    ],
    ['a title that is no text', { run: () => '', title: 7 }, 'title must be a string, got number 7'],
    [
      'an icon over http',
      { run: () => '', icons: [{ src: 'http://a/b.png' }] },
      'icons[0].src must be an https: or data: URI',
    ],
    [
      'an icon from a file',
      { run: () => '', icons: [{ src: 'javascript:1' }] },
      'icons[0].src must be an https: or data: URI',
    ],
    ['icons that are no array', { run: () => '', icons: 'x' }, 'icons must be an array'],
    [
      'an input that is no object schema',
      { run: () => '', input: { type: 'string' } },
      'Tool "t": input: The input schema must be of type "object"',
    ],
    [
      'an input of null',
      { run: () => '', input: null },
      'Tool "t": input: The input schema must be an object, got null',
    ],
    [
      'a broken output schema',
      { run: () => '', output: { type: 'object', properties: { a: { type: 'no' } } } },
      'Tool "t": output: ',
    ],
  ])('refuses %s', (_name, options, sentence) => {
    expect(() => defineTool('t', options as ToolOptions)).toThrow(
      expect.objectContaining({ code: 'MCP_DEFINITION', message: expect.stringContaining(sentence) }),
    )
  })
})

describe('toToolResult', () => {
  it.each<[string, unknown, unknown]>([
    ['text', 'hi', { content: [{ type: 'text', text: 'hi' }] }],
    ['no text', '', { content: [{ type: 'text', text: '' }] }],
    ['nothing', undefined, { content: [] }],
    ['no blocks', [], { content: [] }],
    [
      'blocks',
      [text('a'), image('aGk=', 'image/png')],
      { content: [text('a'), { type: 'image', data: 'aGk=', mimeType: 'image/png' }] },
    ],
    ['a structured value', { structured: { a: 1 } }, { content: [text('{"a":1}')], structuredContent: { a: 1 } }],
    ['a structured list', { structured: [1, 'a'] }, { content: [text('[1,"a"]')], structuredContent: [1, 'a'] }],
    ['a structured text', { structured: 'a' }, { content: [text('"a"')], structuredContent: 'a' }],
    ['a structured null', { structured: null }, { content: [text('null')], structuredContent: null }],
    [
      'a structured value with content',
      { structured: { a: 1 }, content: [text('one')] },
      { content: [text('one')], structuredContent: { a: 1 } },
    ],
    [
      'a whole result',
      { content: [text('a')], isError: true, _meta: { x: 1 } },
      { content: [text('a')], isError: true, _meta: { x: 1 } },
    ],
    ['a whole result with extras', { content: [], extra: 1 }, { content: [] }],
  ])('shapes %s', (_name, returned, expected) => {
    expect(toToolResult(returned, plain)).toEqual(expected)
  })

  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle

  it.each<[string, unknown, string]>([
    ['a number', 7, 'number 7. Return a string'],
    ['null', null, 'null. Return a string'],
    ['a plain object', { a: 1 }, 'object. Return a string'],
    ['a block that is none', [7], 'content[0] must be an object with a type'],
    ['a block of an unknown type', [{ type: 'video' }], 'content[0] has type "video"; text, image'],
    ['a text block without text', [{ type: 'text' }], 'content[0] of type text needs a string text'],
    ['an image without a type', [{ type: 'image', data: '' }], 'content[0] of type image needs a string mimeType'],
    ['a link without a name', [{ type: 'resource_link', uri: 'a://b' }], 'needs uri and name'],
    ['an empty resource', [{ type: 'resource', resource: { uri: 'a://b' } }], 'needs a resource with a uri'],
    ['a structured nothing', { structured: undefined }, 'structured must be a JSON value, got nothing'],
    ['a structured function', { structured: () => 1 }, 'structured must be a JSON value, got function'],
    ['an image that is no base64', [{ type: 'image', data: 'a!', mimeType: 'image/png' }], 'needs its data as base64'],
    ['a priority of 2', [{ type: 'text', text: '', annotations: { priority: 2 } }], 'priority must be 0 to 1'],
    [
      'a link with a bad icon',
      [{ type: 'resource_link', uri: 'a://b', name: 'n', icons: [{ src: 'ftp://x' }] }],
      'icons[0].src must be an https: or data: URI',
    ],
    ['a structured cycle', { structured: cycle }, 'structured value is not JSON'],
    ['a structured bigint', { structured: { n: 1n } }, 'structured value is not JSON'],
  ])('refuses %s, saying what to return', (_name, returned, sentence) => {
    expect(() => toToolResult(returned, plain)).toThrow(
      expect.objectContaining({ code: 'MCP_RESULT', message: expect.stringContaining(sentence) }),
    )
  })

  it('answers a value that its output schema refuses with isError', () => {
    expect(toToolResult({ structured: { n: 'x' } }, typed)).toEqual({
      content: [text('Tool "typed" returned what its output schema refuses: n: expected integer, got string "x"')],
      isError: true,
    })
  })

  it('answers a missing structured value with isError where there is an output schema', () => {
    expect(toToolResult('hi', typed)).toMatchObject({ isError: true })
  })

  it('lets an error result through an output schema', () => {
    expect(toToolResult({ content: [text('no')], isError: true }, typed)).toEqual({
      content: [text('no')],
      isError: true,
    })
  })

  it('sends what the output schema made of the value, in both forms', () => {
    const tool = defineTool('t', { output: z.object({ n: z.number().default(3) }), run: () => undefined })
    expect(toToolResult({ structured: { other: 1 } }, tool)).toEqual({
      content: [text('{"n":3}')],
      structuredContent: { n: 3 },
    })
  })

  it('waits for an output schema that validates asynchronously', async () => {
    const schema = z.object({ n: z.number().refine(async (n) => n > 1, 'too small') })
    const tool: Tool = defineTool('t', { output: schema, run: () => undefined })
    expect(await toToolResult({ structured: { n: 2 } }, tool)).toMatchObject({ structuredContent: { n: 2 } })
    expect(await toToolResult({ structured: { n: 1 } }, tool)).toMatchObject({ isError: true })
  })
})

describe('results of what went wrong', () => {
  it('say which argument is wrong', () => {
    const issues = [{ path: 'city', message: 'expected string', got: 'number 7' }]
    expect(inputErrorResult(plain, issues)).toEqual({
      content: [text('Invalid arguments for tool "plain": city: expected string, got number 7')],
      isError: true,
    })
  })

  it.each([
    ['an error', new Error('boom'), 'Tool "plain" failed: boom'],
    ['an error without a message', new TypeError(), 'Tool "plain" failed: TypeError'],
    ['a thrown string', 'boom', 'Tool "plain" failed: string "boom"'],
    ['nothing thrown', undefined, 'Tool "plain" failed: nothing'],
  ])('say the message of %s and no stack', (_name, thrown, sentence) => {
    expect(crashResult(plain, thrown)).toEqual({ content: [text(sentence)], isError: true })
  })
})
