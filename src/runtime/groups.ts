/**
 * Process groups: names that any number of processes share, to publish to or to choose from. A process may join a group
 * several times and is then listed as often; when it ends it has left all its groups. The table is read from the ref, so a
 * look-up costs no message. After: OTP pg.
 *
 *     const Groups = defineGroups()
 *     const groups = await system.start(Groups)
 *     await groups.join('listeners', listener)
 *     groups.dispatch('listeners', (ref) => ref.send('news'))
 */
import type { Definition } from './definition.ts'
import { Envelope, kinds } from './envelope.ts'
import { CallError, RegistryError } from './errors.ts'
import type { Monitor, Process } from './process.ts'
import type { ExitReason } from './reasons.ts'
import { AnyRef, locate, type Ref, type Target } from './ref.ts'
import { type TableAddress, TableProcess } from './table-process.ts'

/** How groups are defined. */
export interface GroupsOptions {
  /** For reports; default 'groups'. */
  readonly name?: string
}

/** What a process that monitors a group gets, once for each time that a member joins or leaves. */
export interface GroupMessage {
  readonly type: 'join' | 'leave'
  readonly group: unknown
  readonly ref: Ref
}

/** The address of a set of groups. A group is any value, compared as a Map's key; it exists while it has members. */
export interface GroupsRef extends Ref<Definition> {
  /** Adds a live process once more. Rejects with `RegistryError` 'noproc', or `CallError` 'noproc' when the groups have ended. */
  join(group: unknown, target: Target): Promise<void>
  /** Takes a process out once. Resolves to false when it was no member. */
  leave(group: unknown, target: Target): Promise<boolean>
  /** The members, in the order of their first joining, each as often as it joined. */
  members(group: unknown): Ref[]
  /** The groups that have members, the oldest first. */
  groups(): unknown[]
  /** Calls `each` with every member. Returns how many there were. */
  dispatch(group: unknown, each: (ref: Ref) => void): number
  /**
   * Sends a `GroupMessage` to the `info` of `target` for each change of the group from now on, until it ends. Resolves to the
   * members of this moment. Rejects as `join` does. After: OTP pg:monitor.
   */
  monitor(group: unknown, target: Target): Promise<Ref[]>
  /** Undoes `monitor`. Messages that wait already still arrive. */
  demonitor(group: unknown, target: Target): Promise<void>
}

/** A kind of groups: what `defineGroups` returns. */
export interface GroupsDefinition extends Definition {
  readonly types?: { readonly arg: undefined; readonly ref: GroupsRef }
}

/** Defines a set of process groups, to be started like any process; its end forgets them all. After: OTP pg, scopes. */
export function defineGroups(options: GroupsOptions = {}): GroupsDefinition {
  return new TableProcess(options.name ?? 'groups', 'join, leave and dispatch', (process) => new GroupsAddress(process))
}

/** Which processes are under which keys, each so many times; a process that ends is taken out of all. */
class Membership {
  readonly byGroup = new Map<unknown, Map<Process, number>>()
  private readonly groupsOf = new Map<Process, { readonly groups: Set<unknown>; readonly monitor: Monitor }>()
  private readonly left: (group: unknown, process: Process) => void

  constructor(left: (group: unknown, process: Process) => void) {
    this.left = left
  }

  add(group: unknown, process: Process): void {
    const members = this.byGroup.get(group) ?? new Map<Process, number>()
    members.set(process, (members.get(process) ?? 0) + 1)
    this.byGroup.set(group, members)
    const own = this.groupsOf.get(process) ?? {
      groups: new Set(),
      monitor: process.observe(() => this.removeAll(process)),
    }
    own.groups.add(group)
    this.groupsOf.set(process, own)
  }

  /** Takes a process out once; false when it is not in. */
  remove(group: unknown, process: Process): boolean {
    const members = this.byGroup.get(group)
    const times = members?.get(process)
    if (members === undefined || times === undefined) return false
    if (times > 1) members.set(process, times - 1)
    else {
      members.delete(process)
      if (members.size === 0) this.byGroup.delete(group)
      const own = this.groupsOf.get(process)
      own?.groups.delete(group)
      if (own?.groups.size === 0) {
        this.groupsOf.delete(process)
        process.unwatch(own.monitor)
      }
    }
    this.left(group, process)
    return true
  }

  clear(): void {
    for (const [process, { monitor }] of this.groupsOf) process.unwatch(monitor)
    this.groupsOf.clear()
    this.byGroup.clear()
  }

  private removeAll(process: Process): void {
    for (const group of [...(this.groupsOf.get(process)?.groups ?? [])]) {
      while (this.remove(group, process));
    }
  }
}

class GroupsAddress extends AnyRef implements TableAddress {
  private readonly joined = new Membership((group, process) => this.tell('leave', group, process))
  private readonly monitoring = new Membership(() => undefined)

  /** The groups go with their process, and so do the monitors. */
  override detach(reason: ExitReason): void {
    super.detach(reason)
    this.joined.clear()
    this.monitoring.clear()
  }

  get contents(): ReadonlyMap<unknown, ReadonlyMap<Process, number>> {
    return this.joined.byGroup
  }

  async join(group: unknown, target: Target): Promise<void> {
    const process = this.check('join', group, target)
    this.joined.add(group, process)
    this.tell('join', group, process)
  }

  async leave(group: unknown, target: Target): Promise<boolean> {
    const process = locate(target)
    return process !== undefined && this.joined.remove(group, process)
  }

  members(group: unknown): Ref[] {
    const refs: Ref[] = []
    for (const [process, times] of this.joined.byGroup.get(group) ?? []) {
      for (let time = 0; time < times && !process.isDead; time++) refs.push(asRef(process))
    }
    return refs
  }

  groups(): unknown[] {
    return [...this.joined.byGroup.keys()]
  }

  dispatch(group: unknown, each: (ref: Ref) => void): number {
    const members = this.members(group)
    for (const ref of members) each(ref)
    return members.length
  }

  async monitor(group: unknown, target: Target): Promise<Ref[]> {
    const process = this.check('monitor', group, target)
    if (this.monitoring.byGroup.get(group)?.has(process) !== true) this.monitoring.add(group, process)
    return this.members(group)
  }

  async demonitor(group: unknown, target: Target): Promise<void> {
    const process = locate(target)
    if (process !== undefined) this.monitoring.remove(group, process)
  }

  private check(what: string, group: unknown, target: Target): Process {
    if (!this.alive) throw new CallError('noproc', `${what}: the groups ${this.pid} are not alive.`)
    const process = locate(target)
    if (process !== undefined) return process
    throw new RegistryError('noproc', `${what}: the process for the group ${String(group)} is not alive.`)
  }

  private tell(type: 'join' | 'leave', group: unknown, { ref }: Process): void {
    for (const watcher of this.monitoring.byGroup.get(group)?.keys() ?? []) {
      if (!watcher.isDead) watcher.deliver(new Envelope(kinds.info, '', { type, group, ref }, null))
    }
  }
}

function asRef(process: Process): Ref {
  // AnyRef implements Ref without its types.
  return process.ref as unknown as Ref
}
