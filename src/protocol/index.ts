/** MCP as pure functions: names only. */
export { type CacheHints, cacheHintsFault, cacheHintsOf, withCacheHints } from './cache-hints.ts'
export {
  type ClientCapabilities,
  type Extensions,
  has,
  hasExtension,
  readClientCapabilities,
  type ServerCapabilities,
  type ServerOffer,
  serverCapabilities,
  writeClientCapabilities,
} from './capabilities.ts'
export { capabilitiesOf, capabilityPath, SKILLS_EXTENSION, TASKS_EXTENSION } from './capability-path.ts'
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
export { urlElicitationRequired } from './client-requests.ts'
export { clientRequestFault, clientResultFault, ROOTS_MAX, rootsResultFault } from './client-results.ts'
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
  isBase64,
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
export { elicitRequestFault, elicitResultFault, withElicitDefaults } from './elicit-requests.ts'
export { FORM_CHOICES_MAX, FORM_FIELDS_MAX, formDefaults, formSchemaFault } from './elicit-schema.ts'
export { encodedResult, textOfResult } from './encoded-result.ts'
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
  headerMismatch,
  httpStatusOf,
  internalError,
  invalidParams,
  invalidRequest,
  methodNotFound,
  missingClientCapability,
  ProtocolError,
  resourceNotFound,
  toErrorObject,
  unsupportedProtocolVersion,
} from './errors.ts'
export {
  decodeHeaderValue,
  encodeHeaderValue,
  headerFault,
  headerOf,
  type RequestHeaders,
  standardHeaders,
} from './http-headers.ts'
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
  encodeResultText,
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
export {
  clientCapabilitiesKey,
  clientInfoKey,
  logLevelKey,
  protocolVersionKey,
  serverInfoKey,
  subscriptionIdKey,
} from './meta-keys.ts'
export { isMetaKey, isReservedMetaKey, META_KEY_LENGTH_MAX, metaFault } from './meta-rules.ts'
export { type Check, isInRevision, type MethodRow, methodRow, methodRows } from './methods.ts'
export { isModern, type RequestMeta, readRequestMeta } from './modern-request.ts'
export {
  type ParameterHeader,
  ParameterHeaderError,
  parameterHeaderFault,
  parameterHeaders,
  parameterHeadersOf,
} from './parameter-headers.ts'
export { annotationsFault, ICON_SRC_LENGTH_MAX, ICONS_MAX, iconFault, iconsFault } from './presentation.ts'
export {
  allRevisions,
  type Feature,
  knowsMethod,
  latestRevision,
  legacyRevisions,
  modernRevisions,
  negotiate,
  type ResultContext,
  type Revision,
  revisionOf,
} from './revisions/index.ts'
export { SAMPLE_MESSAGES_MAX, SAMPLE_TOOLS_MAX, sampleRequestFault, sampleResultFault } from './sample-requests.ts'
export type { StandardSchema } from './standard-schema.ts'
export {
  MATCHED_URI_LENGTH_MAX,
  parseTemplate,
  TEMPLATE_LENGTH_MAX,
  type TemplateValue,
  type UriTemplate,
  UriTemplateError,
} from './uri-template.ts'
