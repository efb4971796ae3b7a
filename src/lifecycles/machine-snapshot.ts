/** What a machine process shows of itself, as plain as its context is. */
import {
  type AnyStateMachine,
  type ContextFrom,
  isMachineSnapshot,
  type OutputFrom,
  type Snapshot,
  type StateValueFrom,
} from 'xstate'

export interface MachineSnapshot<M extends AnyStateMachine = AnyStateMachine> {
  /** The state: a name, or an object of names for nested and parallel states. */
  readonly value: StateValueFrom<M>
  readonly context: ContextFrom<M>
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  /** The machine's output; only when it is done and has one. */
  readonly output?: OutputFrom<M>
}

/** The parts of `snapshot` that are shown. A logic that is no machine has no value. */
export function showSnapshot(snapshot: Snapshot<unknown>): MachineSnapshot {
  const { value, context } = snapshot as { readonly value?: unknown; readonly context?: unknown }
  const { status, output } = snapshot
  const shown = { value: isMachineSnapshot(snapshot) ? value : undefined, context, status }
  // The caller's types come from the machine.
  return (output === undefined ? shown : { ...shown, output }) as MachineSnapshot
}

/** A snapshot that was kept, as the start argument of the machine's process. */
export class Resumed {
  readonly snapshot: Snapshot<unknown>

  constructor(snapshot: Snapshot<unknown>) {
    this.snapshot = snapshot
  }
}

/**
 * The start argument that lets a machine go on from a snapshot that `call('persist')` gave, in this program or another:
 * `system.start(Light, resume(kept))`. Delays go on with what was left of them; promises, callbacks and child machines that
 * were running are started again. Entry actions do not run again. Throws a `TypeError` for what is no snapshot.
 */
export function resume(kept: unknown): Resumed {
  const status = (kept as { readonly status?: unknown } | null | undefined)?.status
  if (typeof status !== 'string') {
    throw new TypeError(
      `resume: a snapshot from call('persist') is needed, got ${kept === null ? 'null' : typeof kept}.`,
    )
  }
  // xstate fills in what it finds: the kept one must stay as it is for the next start.
  return new Resumed(structuredClone(kept) as Snapshot<unknown>)
}
