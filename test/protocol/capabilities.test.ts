import { describe, expect, it } from 'vitest'
import {
  capabilitiesOf,
  capabilityPath,
  has,
  hasExtension,
  readClientCapabilities,
  SKILLS_EXTENSION,
  serverCapabilities,
  TASKS_EXTENSION,
  writeClientCapabilities,
} from '#protocol'

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
    [{ extensions: {} }, { extensions: {} }],
    [{ extensions: { 'a.b/c': { x: 1 }, 'a.b/d': true } }, { extensions: { 'a.b/c': { x: 1 }, 'a.b/d': {} } }],
    [{ extensions: { 'a.b/c': false, 'a.b/d': 'yes', 'a.b/e': null } }, { extensions: {} }],
    [{ extensions: ['a.b/c'] }, {}],
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
      extensions: { 'a.b/c': { x: 1 } },
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

describe('extensions', () => {
  const server = serverCapabilities({
    extensions: { [TASKS_EXTENSION]: {}, [SKILLS_EXTENSION]: { directoryRead: true, other: false } },
  })

  it.each([
    ['extensions', true],
    [`extensions.${TASKS_EXTENSION}`, true],
    [`extensions.${SKILLS_EXTENSION}`, true],
    [`extensions.${SKILLS_EXTENSION}#directoryRead`, true],
    [`extensions.${SKILLS_EXTENSION}#other`, false],
    [`extensions.${TASKS_EXTENSION}#directoryRead`, false],
    ['extensions.io.modelcontextprotocol/ui', false],
    ['extensions.io', false],
    ['extensions.', false],
    ['extensions.toString', false],
  ])('%s: %s', (path, expected) => {
    expect(has(server, path)).toBe(expected)
  })

  it('are found by their identifier, whatever dots it has', () => {
    expect(hasExtension(server, TASKS_EXTENSION)).toBe(true)
    expect(hasExtension(server, 'io.modelcontextprotocol/ui')).toBe(false)
    expect(hasExtension(server, 'toString')).toBe(false)
    expect(hasExtension({}, TASKS_EXTENSION)).toBe(false)
    expect(hasExtension(readClientCapabilities({ extensions: { 'com.x/a.b': {} } }), 'com.x/a.b')).toBe(true)
  })
})

describe('capability paths', () => {
  it.each([
    ['tools', ['tools']],
    ['elicitation.url', ['elicitation', 'url']],
    ['extensions.com.x/a.b', ['extensions', 'com.x/a.b']],
    ['extensions.com.x/a.b#c', ['extensions', 'com.x/a.b', 'c']],
  ])('%s is %j', (path, names) => {
    expect(capabilityPath(path)).toEqual(names)
  })

  it('become the object that announces them', () => {
    expect(capabilitiesOf(['sampling'])).toEqual({ sampling: {} })
    expect(
      capabilitiesOf(['sampling', 'elicitation.url', 'elicitation.form', `extensions.${TASKS_EXTENSION}`]),
    ).toEqual({
      sampling: {},
      elicitation: { url: {}, form: {} },
      extensions: { [TASKS_EXTENSION]: {} },
    })
    expect(capabilitiesOf([])).toEqual({})
  })
})
