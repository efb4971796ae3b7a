/** MCP as pure functions: names only. */
export {
  type ClientCapabilities,
  has,
  readClientCapabilities,
  type ServerCapabilities,
  type ServerOffer,
  serverCapabilities,
  writeClientCapabilities,
} from './capabilities.ts'
export type {
  ElicitFormRequest,
  ElicitRequest,
  ElicitResult,
  ElicitUrlRequest,
  ModelPreferences,
  Root,
  SampleRequest,
  SampleResult,
  SamplingContent,
  SamplingMessage,
  ToolResultContent,
  ToolUseContent,
} from './client-requests.ts'
export { clientResultFault } from './client-results.ts'
export {
  type Annotations,
  type AudioContent,
  audio,
  type BlobResourceContents,
  type ContentBlock,
  contentFault,
  type EmbeddedResource,
  embeddedResource,
  type Icon,
  type ImageContent,
  image,
  type ResourceContents,
  type ResourceLink,
  type Role,
  resourceLink,
  type TextContent,
  type TextResourceContents,
  type ToolResult,
  text,
  toBase64,
} from './content.ts'
export { type CursorPosition, decodeCursor, encodeCursor, type Page, paginate } from './cursor.ts'
export { describeValue } from './describe.ts'
export type {
  Completion,
  Implementation,
  PromptArgumentEntity,
  PromptEntity,
  PromptMessage,
  PromptResult,
  ReadResult,
  ResourceEntity,
  ResourceTemplateEntity,
  ToolAnnotations,
  ToolEntity,
} from './entities.ts'
export {
  ErrorCode,
  type ErrorObject,
  internalError,
  invalidParams,
  invalidRequest,
  methodNotFound,
  ProtocolError,
  resourceNotFound,
  toErrorObject,
} from './errors.ts'
export {
  type AnySchema,
  defineInput,
  defineOutput,
  type InferInput,
  type InputSchema,
  type ParseResult,
} from './input.ts'
export { describeIssues, ISSUES_MAX, type Issue } from './issues.ts'
export {
  BATCH_LENGTH_MAX,
  DEPTH_MAX,
  decode,
  type ErrorMessage,
  encodeBatch,
  encodeError,
  encodeNotification,
  encodeRequest,
  encodeResult,
  type InvalidMessage,
  isObject,
  isRequestId,
  type JsonObject,
  type Message,
  type NotificationMessage,
  type RequestId,
  type RequestMessage,
  type ResponseMessage,
} from './json-rpc.ts'
export {
  type CompiledSchema,
  compileSchema,
  type JsonSchema,
  SCHEMAS_MAX,
  SchemaError,
  schemaCompiles,
} from './json-schema.ts'
export { isAtLeast, isLogLevel, type LogLevel, logLevels, severity } from './log-level.ts'
export { type Check, isInRevision, type MethodRow, methodRow, methodRows } from './methods.ts'
export {
  type Feature,
  knowsMethod,
  latestRevision,
  legacyRevisions,
  negotiate,
  type Revision,
  revisionOf,
} from './revisions/index.ts'
export type { StandardSchema } from './standard-schema.ts'
export {
  MATCHED_URI_LENGTH_MAX,
  parseTemplate,
  TEMPLATE_LENGTH_MAX,
  type TemplateValue,
  type UriTemplate,
  UriTemplateError,
} from './uri-template.ts'
