/** `bough/client`: a client that finds out what its server speaks, and stays connected. */
export type { Progress } from '#actors/client-calls'
export type {
  ClientHandlers,
  Era,
  FailureCode,
  HandlerContext,
  ListKind,
  ServerDescription,
} from '#actors/client-services'
export type { CircuitPhase } from '#lifecycles/circuit'
export type { ConnectionPhase } from '#lifecycles/connection'
export type { ClientTransport } from '#transports/client-port'
export type { Batch, BatchEntry } from './batch.ts'
export type { CapabilityOption } from './capabilities.ts'
export type { Strategy } from './checkouts.ts'
export type { CallToolOptions, Client, CompletionRequest, TaskOptions } from './client.ts'
export { type GenerateOptions, generateClient } from './codegen/generate.ts'
export { readListing, type ServerListing } from './codegen/listing.ts'
export { connect } from './connect.ts'
export { CallLost, CircuitOpen, ClientError } from './errors.ts'
export type { LogMessage, ResourceUpdate } from './listeners.ts'
export type { CommandTarget, ConnectOptions, ReconnectOptions, Target } from './options.ts'
export type { PageOptions } from './pages.ts'
export { type Pool, type PoolStats, pool } from './pool.ts'
export type { BreakerOptions, HealthOptions, PoolOptions } from './pool-options.ts'
export type { RequestOptions } from './requests.ts'
export {
  type LoadedSkill,
  listSkills,
  readSkill,
  readSkillFile,
  type SkillEntry,
  type SkillFileEntry,
} from './skills.ts'
export type { TaskInfo, TaskState } from './task-info.ts'
export type { ClientTask } from './tasks.ts'
