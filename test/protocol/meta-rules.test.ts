import { describe, expect, it } from 'vitest'
import { isMetaKey, isReservedMetaKey, META_KEY_LENGTH_MAX, metaFault } from '#protocol'

describe('keys of _meta', () => {
  it.each([
    'a',
    'a.b_c-d9',
    'com.example/x',
    'com.example/',
    'c-1.x/y',
    'bough/version',
    'traceparent',
    'progressToken',
    'io.modelcontextprotocol/serverInfo',
  ])('%j is one', (key) => expect(isMetaKey(key)).toBe(true))

  it.each([
    '',
    '-a',
    'a-',
    'a b',
    '_a',
    '/a',
    '1com.example/a',
    'com-.example/a',
    'com..example/a',
    '.com/a',
    'com.exämple/a',
    'com.example/a/b',
    'com.example/-a',
    'x'.repeat(META_KEY_LENGTH_MAX + 1),
  ])('%j is none', (key) => expect(isMetaKey(key)).toBe(false))

  it.each([
    ['io.modelcontextprotocol/x', true],
    ['dev.mcp/x', true],
    ['org.modelcontextprotocol.api/x', true],
    ['com.mcp.tools/x', true],
    ['com.MCP/x', true],
    ['progressToken', true],
    ['com.example.mcp/x', false],
    ['mcp/x', false],
    ['modelcontextprotocol.io/x', false],
    ['mcp', false],
    ['traceparent', false],
  ])('%j is kept for MCP: %j', (key, isReserved) => expect(isReservedMetaKey(key)).toBe(isReserved))

  it.each<[unknown, string | undefined]>([
    [{}, undefined],
    [{ 'com.example/owner': 'ann', plain: 1 }, undefined],
    [[], 'must be an object, got array of 0'],
    [{ 'a b': 1 }, 'key "a b" is no name with an optional prefix'],
    [{ 'dev.mcp/x': 1 }, 'key "dev.mcp/x" is one that MCP keeps for itself'],
  ])('of an author are judged: %j', (meta, sentence) => {
    if (sentence === undefined) expect(metaFault(meta)).toBeUndefined()
    else expect(metaFault(meta)).toContain(sentence)
  })
})
