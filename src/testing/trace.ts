/**
 * What happened in a simulation, as lines: `<virtual ms> <pid> <what>`. Starts, ends with their reason, every message that
 * a process handles, and the kernel's events. The same seed gives the same lines.
 *
 *     0 sim.1 start counter
 *     0 sim.1 call add
 *     250 sim.1 end normal
 */
import { type Clock, type Definition, describeReason, type ExitReason, type SystemEvent } from '#runtime'

export class Trace {
  readonly lines: string[] = []
  private readonly clock: Clock
  private readonly linesMax: number

  constructor(clock: Clock, linesMax: number) {
    this.clock = clock
    this.linesMax = linesMax
  }

  note(pid: string, what: string): void {
    if (this.lines.length < this.linesMax) this.lines.push(`${this.clock.now()} ${pid} ${what}`)
    else if (this.lines.length === this.linesMax) this.lines.push(`... the trace ends at ${this.linesMax} lines`)
  }

  noteEnd(pid: string, reason: ExitReason): void {
    this.note(pid, `end ${describeReason(reason)}`)
  }

  noteEvent(event: SystemEvent): void {
    // The end itself is noted by the process.
    if (event.type === 'crash') this.note(event.pid, `crash in ${event.message ?? 'nothing'}`)
    else if (event.type === 'dead_letter') this.note(event.pid, `dead_letter ${event.count} ${event.why}`)
    else if (event.type === 'high_water') this.note(event.pid, `high_water ${event.length}`)
    else if (event.type === 'unexpected_message') this.note(event.pid, `unexpected_message ${event.op ?? 'info'}`)
    else this.note(event.pid, `${event.report} ${event.child ?? '-'}`)
  }

  /**
   * The same definition, with its processes' doings noted here. `before` is called ahead of each message and continuation, and
   * of `init`; what it throws, the process throws.
   */
  follow(definition: Definition, before?: Before): Definition {
    const trace = this
    // What is not named here, `terminate` and `codeChange` if they exist, is inherited.
    const followed: Pick<Definition, 'init' | 'handle' | 'proceed' | 'createRef'> = {
      init(arg, process) {
        trace.note(process.pid, `start ${definition.name}`)
        before?.(process, true)
        if (process.isDead) return undefined
        return definition.init(arg, process)
      },
      handle(process, envelope) {
        trace.note(process.pid, describeMessage(envelope))
        before?.(process, false, envelope)
        // Killed just now: what it would have done is not done.
        if (process.isDead) return undefined
        return definition.handle(process, envelope)
      },
      proceed(process, op, arg) {
        trace.note(process.pid, `continue ${op}`)
        before?.(process, false)
        if (process.isDead) return undefined
        return definition.proceed(process, op, arg)
      },
      createRef: (process) => definition.createRef(process),
    }
    return Object.assign(Object.create(definition) as Definition, followed)
  }
}

/** Called ahead of an `init`, of a message, or of a continuation, which has no envelope. */
export type Before = (process: Process, isInit: boolean, envelope?: Envelope) => void

type Process = Parameters<Definition['handle']>[0]
type Envelope = Parameters<Definition['handle']>[1]

function describeMessage(envelope: Envelope): string {
  if (envelope.from !== null) return `call ${envelope.op}`
  if (envelope.op !== '') return `cast ${envelope.op}`
  const type = (envelope.arg as { type?: unknown } | null | undefined)?.type
  return typeof type === 'string' ? `info ${type}` : 'info'
}
