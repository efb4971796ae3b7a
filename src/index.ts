/** `bough`: the facade. */
export type { TaskLimits } from '#actors/task-record'
export { ClientError } from '#features/client-error'
export type { Completer, CompletionContext } from '#features/completion'
export type { AskOptions, ClientInfo, Principal, SessionInfo, TaskInfo, ToolContext } from '#features/context'
export { FeatureError } from '#features/definition'
export type { PromptArgument, PromptInclude, PromptOptions, PromptReturn } from '#features/prompt'
export type { ReadCache, ReadReturn, ResourceOptions, ResourceTemplateOptions } from '#features/resource'
export { confine, isWithinRoots, pathOfFileUri, pathWithinRoots } from '#features/roots'
export type { SkillContent, SkillFile, SkillOptions } from '#features/skill'
export type { ToolOptions, ToolReturn } from '#features/tool'
export type { Deprecation } from '#features/tool-options'
export type { ResourceUi, ToolUi } from '#features/ui'
export type { LogLevelName, LogModule } from '#observability/log-levels'
export { createLogger, type LogDoor, type Logger, type LoggerOptions } from '#observability/logger'
export type { Readiness } from '#observability/outside'
export type { RedactionOptions } from '#observability/redaction'
export type { Report, ServerEvent } from '#observability/report'
export {
  type Annotations,
  audio,
  type CacheHints,
  type ClientCapabilities,
  type ContentBlock,
  type ElicitRequest,
  type ElicitResult,
  ErrorCode,
  embeddedResource,
  type Icon,
  type Implementation,
  image,
  invalidParams,
  type LogLevel,
  type PromptMessage,
  ProtocolError,
  type Root,
  resourceLink,
  resourceNotFound,
  type SampleRequest,
  type SampleResult,
  type SamplingMessage,
  type ToolEntity,
  type ToolResult,
  type ToolResultContent,
  type ToolUseContent,
  text,
  urlElicitationRequired,
} from '#protocol'
export { memoryStore } from '#storage/memory'
export type { Store } from '#storage/port'
export { TransportError } from '#transports/port'
export {
  type App,
  type ApplicationOptions,
  application,
  createServer,
  type ServeOptions,
  type Server,
  type ServerOptions,
  serve,
  type TreeNode,
} from './server/index.ts'
