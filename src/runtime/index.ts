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
export type { FormattedStatus, StatusReport } from './crash-report.ts'
export { type Definition, type Ignore, ignore, type NoReply, noreply } from './definition.ts'
export type { From } from './envelope.ts'
export {
  CallError,
  type CallErrorCode,
  RegistryError,
  type RegistryErrorCode,
  StartError,
  type StartErrorCode,
  SupervisorError,
} from './errors.ts'
export type { EventSink, SystemEvent } from './events.ts'
export { defineGroups, type GroupMessage, type GroupsDefinition, type GroupsOptions, type GroupsRef } from './groups.ts'
export type { MailboxOptions, Overflow } from './mailbox.ts'
export { createNames, NameTable } from './names.ts'
export {
  definePartitions,
  type PartitionKey,
  type PartitionsDefinition,
  type PartitionsOptions,
  type PartitionsRef,
  partition,
} from './partitions.ts'
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
  type RegistryMessage,
  type RegistryOptions,
  type RegistryRef,
} from './registry.ts'
export { createRequests, type LabelledResponse, type RequestHandle, type Requests, type Response } from './request.ts'
export { createScheduler, type Scheduler, type SchedulerOptions } from './scheduler.ts'
export type { Self } from './self.ts'
export { defineStateMachine, type StateMachineDefinition } from './state-machine.ts'
export {
  type Action,
  type After,
  cancel,
  eventTimeout,
  hibernate,
  keep,
  next,
  nextEvent,
  postpone,
  repeat,
  reply,
  replyTo,
  stateTimeout,
  stop,
  type Transition,
  timeout,
  update,
} from './state-machine-transition.ts'
export type { HandleOptions, MachineEvent, MachineSelf, Snapshot, StatesOptions } from './state-machine-types.ts'
export { defineSupervisor, type SupervisorDefinition, type SupervisorRef } from './supervisor.ts'
export type { ChildInfo, CountedChildren } from './supervisor-port.ts'
export { type Statistics, type Status, type SysOptions, sys } from './sys.ts'
export { createSystem, type System, type SystemOptions } from './system.ts'
export {
  defineTaskSupervisor,
  type TaskOwner,
  type TaskSupervisorDefinition,
  type TaskSupervisorOptions,
  type TaskSupervisorRef,
  task,
} from './task.ts'
export { type TaskStreamOptions, taskStream } from './task-stream.ts'
export type { Timer } from './timers.ts'
export { type StateSchema, UpgradeError, type UpgradeOptions, type UpgradeReport } from './upgrade.ts'
export type { Message, TraceEvent, Tracer } from './watch.ts'
