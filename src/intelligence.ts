/** `bough/intelligence`: models that answer what servers sample. It loads no third-party module. */
export { type AnthropicOptions, anthropicProvider } from '#intelligence/anthropic'
export { ProviderError, type ProviderErrorCode } from '#intelligence/errors'
export type { Fetch } from '#intelligence/exchange'
export type { ProviderOptions } from '#intelligence/http-provider'
export { chooseModel, type ModelChoice } from '#intelligence/models'
export { type CompatibleOptions, type OpenaiOptions, openaiCompatible, openaiProvider } from '#intelligence/openai'
export {
  type ApiKey,
  type BodyPatch,
  type SampleDelta,
  type SampleOptions,
  type SampleStop,
  type SampleUsage,
  type SamplingProvider,
  STOP_META_KEY,
  USAGE_META_KEY,
} from '#intelligence/provider'
export type { SampleRequest, SampleResult } from '#protocol'
export {
  type SamplingApproval,
  type SamplingContext,
  type SamplingHandler,
  type SamplingHandlerOptions,
  samplingHandler,
  type Verdict,
} from './sampling-handler.ts'
