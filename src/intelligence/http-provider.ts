/**
 * A provider made of a dialect: chooses the model, writes the request, sends it, tries again where that makes sense, and gives
 * the answer. Before the first piece of an answer has come a failure may be tried again; after it, never.
 */
import type { JsonObject, SampleRequest, SampleResult } from '#protocol'
import { type Random, realRandom } from '#runtime'
import { realClock } from '#runtime/clock'
import { Aliases } from './aliases.ts'
import { Assembly } from './assembly.ts'
import { toolNamesOf, toolUseIdsOf } from './content.ts'
import { Deadline, type DeadlineClock } from './deadline.ts'
import { DISPENSABLE, type Dialect } from './dialect.ts'
import { invalidOption, ProviderError } from './errors.ts'
import { exchange, type Fetch } from './exchange.ts'
import { HiddenItems } from './hidden-items.ts'
import { checkModels, chooseModel, type ModelChoice } from './models.ts'
import type { ApiKey, BodyPatch, SampleOptions, SamplingProvider } from './provider.ts'
import { retryDelayMs } from './retry.ts'

/** What all providers take. */
export interface ProviderOptions {
  /** A key, or a function that gives one for each try. */
  readonly apiKey?: ApiKey
  /** The one model there is; or `models`. */
  readonly model?: string
  /** The table of models that a server's preferences choose from; the first is the one for no preference. */
  readonly models?: readonly (string | ModelChoice)[]
  /** More headers; a name here replaces the provider's own. */
  readonly headers?: Readonly<Record<string, string>>
  /** Laid over every request's body; `null` takes a member out. */
  readonly body?: BodyPatch
  /** Tries after the first; default 2. */
  readonly retries?: number
  /** Longest wait that a provider may ask for, in milliseconds; default 60 000. A longer one fails at once. */
  readonly retryAfterMsMax?: number
  /** For a request with all its tries, in milliseconds; default 600 000. */
  readonly timeoutMs?: number
  /** Longest silence of the provider, in milliseconds; default 120 000. The global fetch has its own of 300 000. */
  readonly idleTimeoutMs?: number
  /** Default 32 MiB, 16 MiB and 4 MiB. */
  readonly requestBytesMax?: number
  readonly responseBytesMax?: number
  readonly eventBytesMax?: number
  /** Default the global `fetch`. */
  readonly fetch?: Fetch
  readonly clock?: DeadlineClock
  readonly random?: Pick<Random, 'next'>
}

const MIB = 1024 * 1024
const defaults = {
  retries: 2,
  retryAfterMsMax: 60_000,
  timeoutMs: 600_000,
  idleTimeoutMs: 120_000,
  requestBytesMax: 32 * MIB,
  responseBytesMax: 16 * MIB,
  eventBytesMax: 4 * MIB,
} as const
type Limits = { readonly [name in keyof typeof defaults]: number }

/** The provider called `name`. `title` is how its maker is called in errors of options. */
export function createProvider(
  name: string,
  title: string,
  dialect: Dialect,
  baseUrl: string,
  options: ProviderOptions,
): SamplingProvider {
  return new HttpProvider(name, title, dialect, baseUrl, options)
}

class HttpProvider implements SamplingProvider {
  readonly name: string
  readonly #dialect: Dialect
  readonly #url: string
  readonly #models: readonly ModelChoice[]
  readonly #options: ProviderOptions
  readonly #limits: Limits
  readonly #clock: DeadlineClock
  readonly #random: Pick<Random, 'next'>
  readonly #hidden = new HiddenItems()
  /** By model, the members that it refused. At most as many as there are models. */
  readonly #refused = new Map<string, Set<string>>()

  constructor(name: string, title: string, dialect: Dialect, baseUrl: string, options: ProviderOptions) {
    this.name = name
    this.#dialect = dialect
    this.#url = `${checkUrl(title, baseUrl)}${dialect.path}`
    if ((options.model === undefined) === (options.models === undefined)) {
      throw invalidOption(`${title}: give either model or models.`)
    }
    this.#models = checkModels(title, options.models ?? options.model ?? [])
    this.#options = options
    this.#limits = checkLimits(title, options)
    this.#clock = options.clock ?? realClock
    this.#random = options.random ?? realRandom
  }

  async sample(request: SampleRequest, { signal, onDelta }: SampleOptions = {}): Promise<SampleResult> {
    const choice = chooseModel(this.#models, request.modelPreferences)
    const { names, ids, scansStops } = this.#dialect
    const usedIds = toolUseIdsOf(request)
    const tools = new Aliases(toolNamesOf(request), names.pattern, names.lengthMax)
    const written = this.#dialect.write(request, {
      model: choice.name,
      maxTokens: Math.min(request.maxTokens, choice.maxTokens ?? Number.POSITIVE_INFINITY),
      tools,
      ids: new Aliases(usedIds, ids.pattern, ids.lengthMax),
      hiddenBefore: (id) => this.#hidden.get(id),
    })
    const body = patched(patched(written, this.#options.body), choice.body)
    const assemblyOptions = {
      tools,
      usedIds: new Set(usedIds),
      stopSequences: scansStops ? (request.stopSequences ?? []) : [],
      remember: (id: string, items: readonly JsonObject[]) => this.#hidden.set(id, items),
    }
    const { timeoutMs, idleTimeoutMs, retries, retryAfterMsMax } = this.#limits
    const deadline = new Deadline(this.name, this.#clock, timeoutMs, idleTimeoutMs, signal)
    try {
      for (let attempt = 0; ; ) {
        const assembly = new Assembly(choice.name, assemblyOptions)
        try {
          await this.#attempt(this.#accepted(choice.name, body), assembly, deadline, onDelta)
          return assembly.result()
        } catch (error) {
          if (assembly.hasStarted) throw error
          if (this.#learns(choice.name, body, error)) continue
          const limits = { retries, retryAfterMsMax, leftMs: deadline.leftMs, chance: this.#random.next() }
          const delayMs = retryDelayMs(error, attempt++, limits)
          if (delayMs === undefined) throw error
          await deadline.sleep(delayMs)
        }
      }
    } finally {
      deadline.close()
    }
  }

  async #attempt(
    body: JsonObject,
    assembly: Assembly,
    deadline: Deadline,
    onDelta: SampleOptions['onDelta'],
  ): Promise<void> {
    const { apiKey = '', fetch: ownFetch } = this.#options
    const key = typeof apiKey === 'string' ? apiKey : await deadline.race((async () => apiKey())())
    if (typeof key !== 'string' || !/^[\x21-\x7e]*$/.test(key)) {
      throw invalidOption(
        `${this.name}: apiKey must be a text that a header can carry, without spaces and line breaks.`,
      )
    }
    const text = JSON.stringify(body)
    const { requestBytesMax, responseBytesMax, eventBytesMax } = this.#limits
    const bytes = Buffer.byteLength(text)
    if (bytes > requestBytesMax) {
      throw new ProviderError('too_large', `The request has ${bytes} bytes; requestBytesMax is ${requestBytesMax}.`)
    }
    const drain = async (isOver = false): Promise<'more' | 'enough'> => {
      for (const delta of assembly.takeDeltas(isOver)) await onDelta?.(delta)
      return assembly.isCut ? 'enough' : 'more'
    }
    await exchange(
      {
        title: this.name,
        // One that throws at once is one that rejects.
        fetch: async (url, init) => (ownFetch ?? fetch)(url, init),
        wallNow: () => this.#clock.wallNow(),
        responseBytesMax,
        eventBytesMax,
      },
      { url: this.#url, headers: this.#headers(key), body: text, key },
      deadline,
      this.#dialect.reader(assembly),
      drain,
    )
    await deadline.race(drain(true))
  }

  /** Header names are compared without case, so that the user's replace the provider's. */
  #headers(key: string): Record<string, string> {
    const all = { ...this.#dialect.headers(key), ...this.#options.headers }
    return Object.fromEntries(Object.entries(all).map(([name, value]) => [name.toLowerCase(), value]))
  }

  #accepted(model: string, body: JsonObject): JsonObject {
    const refused = this.#refused.get(model)
    if (refused === undefined) return body
    return Object.fromEntries(Object.entries(body).filter(([member]) => !refused.has(member)))
  }

  /** Whether the model refused a member that a request can do without, which is then left out from now on. */
  #learns(model: string, body: JsonObject, error: unknown): boolean {
    if (!(error instanceof ProviderError) || error.code !== 'invalid_request' || error.member === undefined)
      return false
    const { member } = error
    if (!DISPENSABLE.includes(member) || !(member in body)) return false
    const refused = this.#refused.get(model) ?? new Set()
    this.#refused.set(model, refused)
    const isNew = !refused.has(member)
    refused.add(member)
    return isNew
  }
}

function patched(body: JsonObject, patch: BodyPatch = {}): JsonObject {
  return Object.fromEntries(Object.entries({ ...body, ...patch }).filter(([, value]) => value !== null))
}

function checkUrl(title: string, baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalidOption(`${title}: baseUrl must be an http: or https: URL, got ${JSON.stringify(baseUrl)}.`)
  }
  return baseUrl.replace(/\/+$/, '')
}

function checkLimits(title: string, options: ProviderOptions): Limits {
  const limits: { -readonly [name in keyof typeof defaults]: number } = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof typeof defaults)[]) {
    const value = options[name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !(value >= 0)) {
      throw invalidOption(`${title}: ${name} must be a number, 0 or more, got ${String(value)}.`)
    }
    limits[name] = value
  }
  return limits
}
