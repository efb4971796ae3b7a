import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { electionMachine, initializeMachine, taskMachine, toMermaid } from 'bough/lifecycles'
import { describe, expect, it } from 'vitest'
import { and, createMachine } from 'xstate'

const picture = (lines: readonly string[]): string => ['stateDiagram-v2', ...lines].join('\n')

describe('a picture', () => {
  it('shows states, events, delays and ends; what leads the same way shares an arrow', () => {
    const machine = createMachine({
      initial: 'green',
      states: {
        green: { after: { 1000: 'yellow' }, on: { push: 'yellow' } },
        yellow: { after: { soon: 'off' }, on: { again: { actions: () => undefined }, never: {} } },
        off: { type: 'final' },
      },
    })
    expect(toMermaid(machine)).toBe(
      picture([
        '  [*] --> green',
        '  off --> [*]',
        '  green --> yellow: push, after 1000 ms',
        '  yellow --> yellow: again (stays)',
        '  yellow --> off: after soon',
      ]),
    )
  })

  it('draws boxes, regions and children, and each arrow in the smallest box around both its ends', () => {
    const machine = createMachine({
      id: 'big one',
      type: 'parallel',
      on: { '*': { actions: () => undefined }, reset: '.left.a' },
      states: {
        left: {
          initial: 'a',
          states: {
            a: {
              on: {
                go: [
                  { guard: 'isOk', target: 'b' },
                  { guard: and(['x', 'y']), target: 'b' },
                ],
              },
            },
            b: { invoke: { src: 'work', onDone: 'a', onError: 'past', onSnapshot: 'a' } },
            past: { type: 'history' },
          },
        },
        right: {
          initial: 'a',
          states: {
            a: {
              always: {
                guard: function isBig() {
                  return false
                },
                target: 'the end',
              },
              on: { swap: '#big one.left' },
            },
            'the end': { type: 'final' },
          },
          onDone: { actions: () => undefined },
        },
      },
    })
    expect(toMermaid(machine)).toBe(
      picture([
        '  state "big one" as big_one {',
        '    state left {',
        '      [*] --> a',
        '      state "past (history)" as past',
        '      a --> b: go [isOk], go [and]',
        '      b --> a: work done, work shows',
        '      b --> past: work fails',
        '      note right of b: invokes work',
        '    }',
        '    --',
        '    state right {',
        '      [*] --> big_one_right_a',
        '      state "a" as big_one_right_a',
        '      state "the end" as the_end',
        '      the_end --> [*]',
        '      big_one_right_a --> the_end: always [isBig]',
        '    }',
        '    right --> right: done (stays)',
        '    big_one_right_a --> left: swap',
        '  }',
        '  big_one --> big_one: any event (stays)',
        '  big_one --> a: reset',
      ]),
    )
  })

  it('leaves no state out, not even one that nothing leads to', () => {
    const machine = createMachine({ initial: 'a', states: { a: {}, island: {} } })
    expect(toMermaid(machine)).toBe(picture(['  [*] --> a', '  island']))
  })
})

describe('docs/lifecycles.md', () => {
  const text = readFileSync(fileURLToPath(new URL('../../docs/lifecycles.md', import.meta.url)), 'utf8')

  it.each([
    ['initializeMachine', initializeMachine],
    ['taskMachine', taskMachine],
    ['electionMachine', electionMachine],
  ] as const)('shows %s as it is', (name, machine) => {
    const shown = new RegExp(`<!-- picture of ${name} -->\\n\\n\`\`\`mermaid\\n([\\s\\S]*?)\\n\`\`\``).exec(text)?.[1]
    expect(shown).toBe(toMermaid(machine))
  })
})
