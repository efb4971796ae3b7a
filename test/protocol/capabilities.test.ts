import { describe, expect, it } from 'vitest'
import { has, readClientCapabilities, serverCapabilities, writeClientCapabilities } from '#protocol'

describe('readClientCapabilities', () => {
  it.each([
    [undefined, {}],
    [null, {}],
    ['x', {}],
    [{}, {}],
    [{ sampling: {} }, { sampling: { context: false, tools: false } }],
    [{ sampling: true }, { sampling: { context: false, tools: false } }],
    [{ sampling: { tools: {}, context: true } }, { sampling: { context: true, tools: true } }],
    [{ sampling: false }, {}],
    [{ sampling: 'yes' }, {}],
    [{ elicitation: {} }, { elicitation: { form: true, url: false } }],
    [{ elicitation: true }, { elicitation: { form: true, url: false } }],
    [{ elicitation: { url: {} } }, { elicitation: { form: false, url: true } }],
    [{ elicitation: { form: {}, url: {} } }, { elicitation: { form: true, url: true } }],
    [{ roots: {} }, { roots: { listChanged: false } }],
    [{ roots: { listChanged: true } }, { roots: { listChanged: true } }],
    [{ experimental: { a: {} } }, { experimental: { a: {} } }],
    [{ unheard: {} }, {}],
    [
      { tasks: { list: {}, requests: { sampling: { createMessage: {} } } } },
      { tasks: { list: true, cancel: false, sampling: true, elicitation: false } },
    ],
  ])('reads %j as %j', (sent, expected) => {
    expect(readClientCapabilities(sent)).toEqual(expected)
  })

  it('reads back what writeClientCapabilities wrote', () => {
    const whole = {
      sampling: { context: true, tools: false },
      elicitation: { form: true, url: true },
      roots: { listChanged: true },
      tasks: { list: true, cancel: true, sampling: false, elicitation: true },
    }
    expect(readClientCapabilities(writeClientCapabilities(whole))).toEqual(whole)
  })
})

describe('serverCapabilities', () => {
  it('announces what a server has, and changes of its lists by default', () => {
    expect(serverCapabilities({})).toEqual({})
    expect(
      serverCapabilities({ tools: true, resources: true, subscriptions: true, prompts: false, logging: true }),
    ).toEqual({
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      logging: {},
    })
    expect(serverCapabilities({ prompts: true, completions: true, listChanged: false })).toEqual({
      prompts: {},
      completions: {},
    })
  })
})

describe('has', () => {
  const client = readClientCapabilities({ sampling: { tools: {} }, elicitation: {} })
  it.each([
    ['sampling', true],
    ['sampling.tools', true],
    ['sampling.context', false],
    ['elicitation.form', true],
    ['elicitation.url', false],
    ['roots', false],
    ['roots.listChanged', false],
    ['toString', false],
    ['__proto__', false],
  ])('%s: %s', (path, expected) => {
    expect(has(client, path)).toBe(expected)
  })

  it('reads a server’s capabilities too', () => {
    const server = serverCapabilities({ resources: true, logging: true })
    expect(has(server, 'resources')).toBe(true)
    expect(has(server, 'resources.subscribe')).toBe(false)
    expect(has(server, 'logging')).toBe(true)
  })
})
