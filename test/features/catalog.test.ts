import { describe, expect, it } from 'vitest'
import { Catalog } from '#features/catalog'
import { COMPLETION_VALUES_MAX, complete } from '#features/completion'
import { defineResource, defineResourceTemplate } from '#features/resource'
import { defineTool } from '#features/tool'

const tool = (name: string, description?: string) => defineTool(name, { description, run: () => 'x' })

describe('Catalog', () => {
  it('lists in the order of first definition; a put under a known key replaces in place', () => {
    const { tools } = new Catalog()
    expect(['b', 'a', 'c'].map((name) => tools.put(tool(name)))).toEqual(['added', 'added', 'added'])
    expect(tools.put(tool('a', 'new'))).toBe('replaced')
    expect(tools.entities().map((entity) => [entity.name, entity.description])).toEqual([
      ['b', undefined],
      ['a', 'new'],
      ['c', undefined],
    ])
    expect(tools.get('a')?.entity.description).toBe('new')
  })

  it('counts changes per kind, and only changes', () => {
    const catalog = new Catalog()
    catalog.tools.put(tool('a'))
    catalog.tools.put(tool('a'))
    expect(catalog.tools.remove('a')).toBe(true)
    expect(catalog.tools.remove('a')).toBe(false)
    expect([catalog.tools.version, catalog.prompts.version, catalog.tools.size]).toEqual([3, 0, 0])
  })

  it('has nothing under names of Object.prototype', () => {
    const catalog = new Catalog()
    for (const name of ['__proto__', 'constructor', 'toString']) expect(catalog.tools.get(name)).toBeUndefined()
  })

  it('lists page by page', () => {
    const catalog = new Catalog()
    for (const name of ['a', 'b', 'c']) catalog.tools.put(tool(name))
    const first = catalog.listTools(undefined, 2)
    expect(first).toMatchObject({ tools: [{ name: 'a' }, { name: 'b' }] })
    expect(catalog.listTools(first['nextCursor'], 2)).toEqual({ tools: [catalog.tools.get('c')?.entity] })
    expect(() => catalog.listPrompts(first['nextCursor'], 2)).toThrow(expect.objectContaining({ code: -32602 }))
  })

  it('makes the list once per change', () => {
    const catalog = new Catalog()
    catalog.tools.put(tool('a'))
    const { tools } = catalog.listTools(undefined, 50)
    expect(catalog.listTools(undefined, 50)['tools']).toBe(tools)
    catalog.tools.put(tool('b'))
    expect(catalog.listTools(undefined, 50)['tools']).not.toBe(tools)
    expect(tools).toHaveLength(1)
  })

  it('resolves a URI to its resource first, then to the first template that matches', () => {
    const catalog = new Catalog()
    const fixed = defineResource('a://1', { read: () => 'fixed' })
    catalog.templates.put(defineResourceTemplate('a://{id}', { read: () => 'first' }))
    catalog.templates.put(defineResourceTemplate('a://{+path}', { read: () => 'second' }))
    catalog.resources.put(fixed)
    expect(catalog.resolve('a://1')).toEqual({ definition: fixed, variables: {} })
    expect(catalog.resolve('a://2')).toMatchObject({ definition: { key: 'a://{id}' }, variables: { id: '2' } })
    expect(catalog.resolve('a://2/3')).toMatchObject({ definition: { key: 'a://{+path}' }, variables: { path: '2/3' } })
    expect(catalog.resolve('b://1')).toBeUndefined()
  })

  it('puts the resources that templates name after its own', () => {
    const catalog = new Catalog()
    catalog.resources.put(defineResource('a://1', { read: () => '' }))
    expect(catalog.listResources(undefined, 10, [{ uri: 'a://2', name: 'two' }])).toMatchObject({
      resources: [{ uri: 'a://1' }, { uri: 'a://2' }],
    })
  })
})

describe('complete', () => {
  it('filters a list by prefix, without regard to case', async () => {
    expect(await complete(['oslo', 'Odense', 'bergen'], 'O')).toEqual({
      values: ['oslo', 'Odense'],
      total: 2,
      hasMore: false,
    })
  })

  it('gives at most 100 values, and says how many there are', async () => {
    const words = Array.from({ length: 150 }, (_, index) => `word-${String(index).padStart(3, '0')}`)
    const found = await complete(words, 'word')
    expect(found).toMatchObject({ total: 150, hasMore: true })
    expect(found.values).toEqual(words.slice(0, COMPLETION_VALUES_MAX))
  })

  it('asks a function, with what was chosen for the other arguments', async () => {
    const found = await complete(async (prefix, context) => [`${prefix}-${context.arguments['country']}`], 'x', {
      arguments: { country: 'no' },
    })
    expect(found).toEqual({ values: ['x-no'], total: 1, hasMore: false })
  })

  it('finds nothing where nothing completes', async () => {
    expect(await complete(undefined, 'x')).toEqual({ values: [], total: 0, hasMore: false })
  })

  it('refuses what is no list of strings', async () => {
    await expect(complete(() => [7] as unknown as string[], 'x')).rejects.toMatchObject({ code: 'MCP_RESULT' })
  })
})
