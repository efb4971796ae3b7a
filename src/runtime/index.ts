/** `bough/runtime`: processes, supervisors and registries. It loads no third-party module. */
export { type ActorDefinition, type ActorOptions, defineActor } from './actor.ts'
export {
  type AutoShutdown,
  type Backoff,
  type ChildOptions,
  type ChildSpec,
  checkChildren,
  child,
  type Restart,
  type Shutdown,
  type Strategy,
  type SupervisorFlags,
} from './child-spec.ts'
export { type Clock, realClock } from './clock.ts'
export { type Definition, type Ignore, ignore, type NoReply, noreply } from './definition.ts'
export type { From } from './envelope.ts'
export {
  CallError,
  type CallErrorCode,
  RegistryError,
  StartError,
  type StartErrorCode,
  SupervisorError,
} from './errors.ts'
export type { EventSink, SystemEvent } from './events.ts'
export type { MailboxOptions, Overflow } from './mailbox.ts'
export { createNames, NameTable } from './names.ts'
export { type Random, realRandom } from './random.ts'
export { describeReason, type ExitReason, isOrderly, isShutdown } from './reasons.ts'
export {
  type CallOptions,
  type ProcessInfo,
  type Ref,
  type StartArguments,
  type StartedRef,
  type StartOptions,
  type StopOptions,
  type Target,
  Via,
  via,
} from './ref.ts'
export {
  defineRegistry,
  type Entry,
  type RegistryDefinition,
  type RegistryOptions,
  type RegistryRef,
} from './registry.ts'
export { createScheduler, type Scheduler, type SchedulerOptions } from './scheduler.ts'
export type { Self } from './self.ts'
export { defineSupervisor, type SupervisorDefinition, type SupervisorRef } from './supervisor.ts'
export type { ChildInfo, CountedChildren } from './supervisor-port.ts'
export { type Statistics, type Status, type SysOptions, sys } from './sys.ts'
export { createSystem, type System, type SystemOptions } from './system.ts'
export { task } from './task.ts'
export type { Timer } from './timers.ts'
export { type StateSchema, UpgradeError, type UpgradeOptions, type UpgradeReport } from './upgrade.ts'
