/**
 * What a supervisor must do, as plain data without processes: which children are up after each end, start and stop. It knows
 * the static strategies, restart types, the intensity rule and automatic shutdown.
 * After: OTP supervisor, restart strategies.
 */
import { type AutoShutdown, isOrderly, type Restart, type Strategy, type SupervisorFlags } from '#runtime'

export interface ModelChild {
  readonly id: string
  readonly restart: Restart
  readonly isSignificant: boolean
  isUp: boolean
  /** Counts its starts: two that differ are two incarnations. */
  incarnation: number
}

export class SupervisorModel {
  isAlive = true
  now = 0
  /** In start order. */
  children: ModelChild[]
  private readonly strategy: Strategy
  private readonly intensity: number
  private readonly period: number
  private readonly autoShutdown: AutoShutdown
  private restarts: number[] = []

  /** Throws a `TypeError` for what the model does not know: simple_one_for_one and `backoff`. */
  constructor(flags: SupervisorFlags) {
    this.strategy = flags.strategy ?? 'one_for_one'
    this.intensity = flags.intensity ?? 1
    this.period = flags.period ?? 5_000
    this.autoShutdown = flags.autoShutdown ?? 'never'
    if (this.strategy === 'simple_one_for_one' || flags.children.some(({ backoff }) => backoff !== undefined)) {
      throw new TypeError('supervisorCommands: simple_one_for_one and children with a backoff are not modelled.')
    }
    this.children = flags.children.map(({ id, restart, significant }) => {
      return { id, restart, isSignificant: significant, isUp: true, incarnation: 1 }
    })
  }

  find(id: string): ModelChild | undefined {
    return this.children.find((one) => one.id === id)
  }

  /** A child ends by itself. */
  ended(child: ModelChild, reason: unknown): void {
    child.isUp = false
    const isRestarted = child.restart === 'permanent' || (child.restart === 'transient' && !isOrderly(reason))
    if (isRestarted) return this.restartAll(child)
    if (child.restart === 'temporary') this.children = this.children.filter((other) => other !== child)
    const others = this.children.filter((other) => other.isSignificant && other.isUp)
    const isLast = this.autoShutdown === 'all_significant' && others.length === 0
    if (child.isSignificant && (this.autoShutdown === 'any_significant' || isLast)) this.end()
  }

  terminate(child: ModelChild): void {
    child.isUp = false
    if (child.restart === 'temporary') this.children = this.children.filter((other) => other !== child)
  }

  start(child: ModelChild): void {
    child.isUp = true
    child.incarnation++
  }

  private restartAll(child: ModelChild): void {
    this.restarts = [...this.restarts, this.now].filter((time) => time >= this.now - this.period)
    if (this.restarts.length > this.intensity) return this.end()
    const place = this.children.indexOf(child)
    const first = this.strategy === 'one_for_all' ? 0 : place
    const group = this.strategy === 'one_for_one' ? [child] : this.children.slice(first)
    // Temporary ones in the group are ended and forgotten.
    const bystanders = group.filter((other) => other.restart === 'temporary')
    this.children = this.children.filter((other) => !bystanders.includes(other))
    for (const other of group) if (!bystanders.includes(other)) this.start(other)
  }

  private end(): void {
    this.isAlive = false
    for (const child of this.children) child.isUp = false
  }
}
