/**
 * A machine as a picture: a Mermaid state diagram, the same text for the same machine, so that a document can hold it and a
 * test can compare.
 *
 *     toMermaid(lightMachine)   ->   stateDiagram-v2
 *                                      [*] --> green
 *                                      green --> yellow: after 1000 ms
 *                                      ...
 *
 * Nested states are drawn inside each other, parallel regions side by side; guards stand in brackets. A transition that
 * leaves its state as it is (actions only) is a loop marked "stays".
 */
import type { AnyStateMachine } from 'xstate'

type StateNode = AnyStateMachine['root']
type Transition = NonNullable<StateNode['always']>[number]

/** Draws `machine` as the text of a Mermaid diagram, without the fence and the last line break. */
export function toMermaid(machine: AnyStateMachine): string {
  return ['stateDiagram-v2', ...new Drawing(machine).lines.map((line) => `  ${line}`)].join('\n')
}

class Drawing {
  readonly lines: readonly string[]
  private readonly names = new Map<StateNode, string>()
  /** The arrows to draw in each box. Mermaid takes what an arrow names for a part of the box that the arrow is in. */
  private readonly arrows = new Map<StateNode | undefined, Map<string, string[]>>()

  constructor({ root }: AnyStateMachine) {
    const nodes = descendantsOf(root)
    const taken = new Set<string>()
    for (const node of nodes) {
      const plain = idOf(node.key)
      const name = taken.has(plain) ? idOf([root.key, ...node.path].join('_')) : plain
      taken.add(name)
      this.names.set(node, name)
    }
    for (const node of nodes) this.collect(node)
    const isBoxed = root.type === 'parallel' || root.invoke.length > 0 || this.arrows.has(undefined)
    this.lines = isBoxed ? [...this.box(root), ...this.arrowsIn(undefined), ...this.note(root)] : this.inside(root)
  }

  /** Notes the arrows that leave `node`, in the smallest box around both ends. */
  private collect(node: StateNode): void {
    for (const one of transitionsOf(node)) {
      for (const target of one.target ?? [node]) {
        const box = ancestorsOf(node).find((ancestor) => ancestorsOf(target).includes(ancestor))
        const inBox = this.arrows.get(box) ?? new Map<string, string[]>()
        const arrow = `${this.nameOf(node)} --> ${this.nameOf(target)}`
        const stays = one.target === undefined ? ' (stays)' : ''
        inBox.set(arrow, [...(inBox.get(arrow) ?? []), `${labelOf(one, node)}${stays}`])
        this.arrows.set(box, inBox)
      }
    }
  }

  private nameOf(node: StateNode): string {
    return this.names.get(node) ?? node.key
  }

  /** A state as seen from outside: its box or its name, without its arrows and its note. */
  private box(node: StateNode): string[] {
    const name = this.nameOf(node)
    const label = clean(node.type === 'history' ? `${node.key} (history)` : node.key)
    const title = name === label ? name : `"${label}" as ${name}`
    const inside = this.inside(node).map((line) => `  ${line}`)
    const lines = inside.length > 0 ? [`state ${title} {`, ...inside, '}'] : [name === label ? name : `state ${title}`]
    if (node.type === 'final') lines.push(`${name} --> [*]`)
    return lines
  }

  private note(node: StateNode): string[] {
    const invoked = node.invoke.map((invocation) => nameOfInvoked(invocation))
    return invoked.length === 0 ? [] : [`note right of ${this.nameOf(node)}: invokes ${clean(invoked.join(', '))}`]
  }

  private inside(node: StateNode): string[] {
    const first =
      node.type === 'compound' ? (node.initial.target ?? []).map((one) => `[*] --> ${this.nameOf(one)}`) : []
    const boxes = childrenOf(node).flatMap((child, place) => [
      ...(node.type === 'parallel' && place > 0 ? ['--'] : []),
      ...this.box(child),
    ])
    const notes = childrenOf(node).flatMap((child) => this.note(child))
    const lines = [...first, ...boxes, ...this.arrowsIn(node), ...notes]
    const named = new Set(lines.filter((line) => line.includes('-->')).flatMap((line) => line.split(/ --> |: /)))
    // A name that stands alone is left out where an arrow names it.
    return lines.filter((line) => !named.has(line))
  }

  private arrowsIn(box: StateNode | undefined): string[] {
    return [...(this.arrows.get(box) ?? [])].map(([arrow, labels]) => `${arrow}: ${clean(labels.join(', '))}`)
  }
}

function transitionsOf(node: StateNode): Transition[] {
  return [...[...node.transitions.values()].flat(), ...(node.always ?? [])].filter(
    // A transition to nowhere that does nothing only forbids the event.
    ({ target, actions }) => target !== undefined || actions.length > 0,
  )
}

function labelOf({ eventType, guard }: Transition, node: StateNode): string {
  return `${describeEvent(eventType, node)}${guard === undefined ? '' : ` [${nameOfGuard(guard)}]`}`
}

function describeEvent(type: string, node: StateNode): string {
  if (type === '') return 'always'
  if (type === '*') return 'any event'
  if (type.startsWith('xstate.after.')) {
    const delay = type.slice('xstate.after.'.length, -(node.id.length + 1))
    return /^\d+$/.test(delay) ? `after ${delay} ms` : `after ${delay}`
  }
  if (type.startsWith('xstate.done.state.')) return 'done'
  const ofActor = /^xstate\.(done\.actor|error\.actor|snapshot)\.(.*)$/.exec(type)
  if (ofActor === null) return type
  const verbs: Readonly<Record<string, string>> = { 'done.actor': 'done', 'error.actor': 'fails', snapshot: 'shows' }
  const invocation = node.invoke.find(({ id }) => id === ofActor[2])
  const name = invocation === undefined ? ofActor[2] : nameOfInvoked(invocation)
  return `${name} ${verbs[ofActor[1] ?? '']}`
}

/** The name of what is invoked; its id where the machine gives it no name. */
function nameOfInvoked({ id, src }: StateNode['invoke'][number]): string {
  const name = String(src)
  if (!name.startsWith('xstate.invoke.')) return name
  return /^\d+\./.test(id) ? 'child' : id
}

function nameOfGuard(guard: NonNullable<Transition['guard']>): string {
  const given: unknown = guard
  if (typeof given === 'string') return given
  const { type, name } = given as { readonly type?: string; readonly name?: string }
  return type ?? (name === undefined || name === '' ? 'guard' : name)
}

function childrenOf(node: StateNode): StateNode[] {
  return Object.values(node.states)
}

function descendantsOf(node: StateNode): StateNode[] {
  return [node, ...childrenOf(node).flatMap(descendantsOf)]
}

/** Nearest first. */
function ancestorsOf(node: StateNode): StateNode[] {
  return node.parent === undefined ? [] : [node.parent, ...ancestorsOf(node.parent)]
}

function idOf(text: string): string {
  return text.replace(/\W/g, '_')
}

/** Without the characters that mean something to Mermaid. */
function clean(text: string): string {
  return text.replace(/[;#"{}\r\n]/g, ' ')
}
