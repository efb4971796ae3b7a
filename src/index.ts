/** `bough`: the facade. */
export { ClientError } from '#features/client-error'
export type { Completer, CompletionContext } from '#features/completion'
export type { SessionInfo, ToolContext } from '#features/context'
export { FeatureError } from '#features/definition'
export type { PromptArgument, PromptOptions, PromptReturn } from '#features/prompt'
export type { ReadReturn, ResourceOptions, ResourceTemplateOptions } from '#features/resource'
export type { ToolOptions, ToolReturn } from '#features/tool'
export { createLogger, type Logger, type LoggerOptions } from '#observability/logger'
export type { Report, ServerEvent } from '#observability/report'
export {
  type Annotations,
  audio,
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
} from '#protocol'
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
