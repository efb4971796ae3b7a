/**
 * Floods of like log lines, cut short: of one kind a number of lines per second go through, and when the second is over one line
 * tells how many were left out. Kinds are few by their nature; beyond a bound all further ones share one.
 */
import type { Clock } from '#runtime/clock'

/** Kinds that are told apart within one second. */
export const KINDS_MAX = 1_000
const WINDOW_MS = 1_000
const REST = '(other kinds)'

interface Kind {
  readonly name: string
  passed: number
  leftOut: number
}

export class FloodGate {
  private readonly clock: Clock
  private readonly linesMax: number
  private readonly tell: (kind: string, leftOut: number) => void
  private kinds = new Map<string, Kind>()
  private timer: unknown

  /** `tell` is called once for each kind of which lines were left out, when its second is over. */
  constructor(clock: Clock, linesMax: number, tell: (kind: string, leftOut: number) => void) {
    this.clock = clock
    this.linesMax = linesMax
    this.tell = tell
  }

  /** Whether one more line of this kind may go through. */
  passes(name: string): boolean {
    const kind = this.kinds.get(name) ?? this.add(name)
    if (kind.passed < this.linesMax) {
      kind.passed++
      return true
    }
    kind.leftOut++
    return false
  }

  /** Tells what was left out so far, and begins anew: for the end of the program. */
  flush(): void {
    if (this.timer !== undefined) this.clock.clearTimer(this.timer)
    this.timer = undefined
    const over = this.kinds
    this.kinds = new Map()
    for (const { name, leftOut } of over.values()) if (leftOut > 0) this.tell(name, leftOut)
  }

  private add(name: string): Kind {
    if (this.timer === undefined) {
      this.timer = this.clock.setTimer(() => this.flush(), WINDOW_MS)
      this.clock.holdTimer?.(this.timer, false)
    }
    const key = this.kinds.size < KINDS_MAX ? name : REST
    const known = this.kinds.get(key)
    if (known !== undefined) return known
    const kind = { name: key, passed: 0, leftOut: 0 }
    this.kinds.set(key, kind)
    return kind
  }
}
