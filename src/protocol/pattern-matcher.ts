/**
 * A matcher of regular expressions that never goes back: it follows all ways of a pattern at once, character by character, so
 * that its work is at most the length of the text times the size of the pattern. Looks ahead are followed where they begin.
 * References back and looks behind it cannot do.
 *
 *     const matcher = compileMatcher(parsePattern('^(a+)+$', true), true)
 *     matcher.test('a'.repeat(100_000) + '!', budget)      // false, at once
 *
 * After: Ken Thompson, "Regular expression search algorithm" (1968); Russ Cox, "Regular expression matching: the virtual
 * machine approach".
 */
import type { PatternNode } from './pattern-parser.ts'

/** Most instructions of a compiled pattern; counted repetitions are written out. */
export const PATTERN_SIZE_MAX = 20_000

/** Steps that are left; a matcher throws what `exhausted` makes when there are none. */
export interface Budget {
  left: number
  readonly exhausted: () => Error
}

export interface Matcher {
  /** Whether the pattern matches somewhere in `text`. */
  test(text: string, budget: Budget): boolean
}

type Instruction =
  | { readonly op: 'character'; readonly accepts: (character: string) => boolean }
  | { readonly op: 'split'; first: number; second: number }
  | { readonly op: 'assert'; readonly text: '^' | '$' | '\\b' | '\\B' }
  | { readonly op: 'ahead'; readonly program: Program; readonly isNegative: boolean }
  | { readonly op: 'match' }

type Program = readonly Instruction[]

/** Undefined for a pattern that needs backtracking, or is too large. */
export function compileMatcher(node: PatternNode, isUnicode: boolean): Matcher | undefined {
  const compiler = new Compiler(isUnicode)
  const program = compiler.program(node)
  if (program === undefined) return undefined
  return {
    test(text, budget) {
      return run(program, isUnicode ? Array.from(text) : text.split(''), 0, false, budget)
    },
  }
}

class Compiler {
  private readonly isUnicode: boolean
  private size = 0
  private readonly classes = new Map<string, (character: string) => boolean>()

  constructor(isUnicode: boolean) {
    this.isUnicode = isUnicode
  }

  program(node: PatternNode): Program | undefined {
    const out: Instruction[] = []
    if (!this.emit(node, out)) return undefined
    out.push({ op: 'match' })
    return out
  }

  /** Appends the instructions of a node; they fall through to what comes after. False when it cannot be done. */
  private emit(node: PatternNode, out: Instruction[]): boolean {
    if (++this.size > PATTERN_SIZE_MAX) return false
    switch (node.kind) {
      case 'character':
        out.push({ op: 'character', accepts: this.accepts(node.text) })
        return true
      case 'assertion':
        out.push({ op: 'assert', text: node.text })
        return true
      case 'sequence':
        return node.nodes.every((one) => this.emit(one, out))
      case 'choice':
        return this.emitChoice(node.nodes, out)
      case 'repeat':
        return this.emitRepeat(node, out)
      case 'ahead': {
        const program = this.program(node.node)
        if (program !== undefined) out.push({ op: 'ahead', program, isNegative: node.isNegative })
        return program !== undefined
      }
      default:
        return false
    }
  }

  private emitChoice(nodes: readonly PatternNode[], out: Instruction[]): boolean {
    const jumps: { first: number; second: number }[] = []
    for (const [index, node] of nodes.entries()) {
      const isLast = index === nodes.length - 1
      const split = { op: 'split' as const, first: out.length + 1, second: out.length + 1 }
      out.push(split)
      if (!this.emit(node, out)) return false
      if (isLast) break
      const jump = { op: 'split' as const, first: 0, second: 0 }
      out.push(jump)
      jumps.push(jump)
      split.second = out.length
    }
    for (const jump of jumps) jump.first = jump.second = out.length
    return true
  }

  private emitRepeat(node: PatternNode & { readonly kind: 'repeat' }, out: Instruction[]): boolean {
    for (let count = 0; count < node.least; count++) if (!this.emit(node.node, out)) return false
    if (node.most === Number.POSITIVE_INFINITY) {
      const start = out.length
      const split = { op: 'split' as const, first: start + 1, second: 0 }
      out.push(split)
      if (!this.emit(node.node, out)) return false
      out.push({ op: 'split', first: start, second: start })
      split.second = out.length
      return true
    }
    const splits: { second: number }[] = []
    for (let count = node.least; count < node.most; count++) {
      const split = { op: 'split' as const, first: out.length + 1, second: 0 }
      out.push(split)
      splits.push(split)
      if (!this.emit(node.node, out)) return false
    }
    for (const split of splits) split.second = out.length
    return true
  }

  /** Whether a character is of a class, by the engine's own judgement; that of ASCII is remembered. */
  private accepts(text: string): (character: string) => boolean {
    const known = this.classes.get(text)
    if (known !== undefined) return known
    const one = new RegExp(`^(?:${text})$`, this.isUnicode ? 'u' : '')
    const table = new Uint8Array(128)
    for (let code = 0; code < 128; code++) table[code] = one.test(String.fromCharCode(code)) ? 1 : 0
    const accepts = (character: string): boolean => {
      const code = character.charCodeAt(0)
      return code < 128 ? table[code] === 1 : one.test(character)
    }
    this.classes.set(text, accepts)
    return accepts
  }
}

/** Follows a program from `start` on; unless `isAnchored` it may begin at any later place too. */
function run(program: Program, text: readonly string[], start: number, isAnchored: boolean, budget: Budget): boolean {
  let here: number[] = []
  let next: number[] = []
  const mark = new Int32Array(program.length).fill(-1)
  /** Adds an instruction and all that is reached without a character. True when that is the end of the pattern. */
  const add = (list: number[], first: number, at: number): boolean => {
    const stack = [first]
    for (let pc = stack.pop(); pc !== undefined; pc = stack.pop()) {
      if (mark[pc] === at) continue
      mark[pc] = at
      if (--budget.left < 0) throw budget.exhausted()
      const instruction = program[pc] as Instruction // jumps stay inside the program
      switch (instruction.op) {
        case 'match':
          return true
        case 'character':
          list.push(pc)
          break
        case 'split':
          stack.push(instruction.second)
          if (instruction.first !== instruction.second) stack.push(instruction.first)
          break
        case 'assert':
          if (holds(instruction.text, text, at)) stack.push(pc + 1)
          break
        default:
          if (run(instruction.program, text, at, true, budget) !== instruction.isNegative) stack.push(pc + 1)
      }
    }
    return false
  }
  for (let at = start; ; at++) {
    if ((at === start || !isAnchored) && add(here, 0, at)) return true
    if (at >= text.length || (isAnchored && here.length === 0)) return false
    const character = text[at] as string // within bounds
    next = []
    for (const pc of here) {
      if (--budget.left < 0) throw budget.exhausted()
      const instruction = program[pc] as Instruction & { readonly op: 'character' } // only those are listed
      if (instruction.accepts(character) && add(next, pc + 1, at + 1)) return true
    }
    here = next
  }
}

function holds(assertion: '^' | '$' | '\\b' | '\\B', text: readonly string[], at: number): boolean {
  if (assertion === '^') return at === 0
  if (assertion === '$') return at === text.length
  return (isWord(text[at - 1]) !== isWord(text[at])) === (assertion === '\\b')
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /^\w$/.test(character)
}
