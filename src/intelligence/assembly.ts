/**
 * An answer while it grows: what a vendor's events say is put into blocks here, and comes out as the pieces for `onDelta` and in
 * the end as a `SampleResult`. Blocks keep the order in which they began; texts that follow each other are one block, so that an
 * answer without tools is a single block, as older revisions want it. Tool arguments are parsed once they are whole.
 */
import type { SampleResult, SamplingContent } from '#protocol'
import { isObject, type JsonObject } from '#protocol/json-rpc'
import type { Aliases } from './aliases.ts'
import { badStream } from './errors.ts'
import { type SampleDelta, type SampleUsage, STOP_META_KEY, USAGE_META_KEY } from './provider.ts'
import { StopScanner } from './stop-scanner.ts'

/** What MCP calls the reason why a model stopped; 'other' for all that it has no word for. */
export type StopReason = 'endTurn' | 'stopSequence' | 'maxTokens' | 'toolUse' | 'other'

/** Blocks of one answer. */
const BLOCKS_MAX = 10_000

interface TextBlock {
  readonly type: 'text'
  readonly index: number
  readonly parts: string[]
  readonly scanner: StopScanner
}
interface ToolBlock {
  readonly type: 'tool_use'
  readonly index: number
  readonly id: string
  readonly name: string
  readonly parts: string[]
  /** Arguments that came as an object and not as text. */
  input: JsonObject | undefined
}

export interface AssemblyOptions {
  /** What the request's tools are called towards the provider. */
  readonly tools: Aliases
  /** Ids of tool uses in the conversation so far: new ones must differ. */
  readonly usedIds: ReadonlySet<string>
  /** Sequences to stop at that the provider may not heed. */
  readonly stopSequences: readonly string[]
  /** Keeps what belongs to a tool use and is not shown to the server. */
  readonly remember: (toolUseId: string, hidden: readonly JsonObject[]) => void
}

export class Assembly {
  /** The model that answers, as the provider says. */
  model: string
  usage: SampleUsage = {}
  /** Why it stopped, in the provider's word; undefined while it goes on. */
  stop: { reason: string; mapped: StopReason; sequence?: string } | undefined
  /** A stop sequence was met here: nothing more is wanted. */
  isCut = false
  private readonly options: AssemblyOptions
  private readonly blocks: (TextBlock | ToolBlock)[] = []
  private readonly byKey = new Map<string, TextBlock | ToolBlock>()
  private readonly ids: Set<string>
  private deltas: SampleDelta[] = []
  private hidden: JsonObject[] = []

  constructor(model: string, options: AssemblyOptions) {
    this.model = model
    this.options = options
    this.ids = new Set(options.usedIds)
  }

  /** Whether anything of the answer has come. */
  get hasStarted(): boolean {
    return this.blocks.length > 0
  }

  /** Whether the block has come, and something in it. */
  isFilled(key: string): boolean {
    const block = this.byKey.get(key)
    return block !== undefined && (block.parts.length > 0 || (block.type === 'tool_use' && block.input !== undefined))
  }

  /** Adds to the text block of that key. Empty texts make no block. */
  text(key: string, text: string): void {
    if (text === '' || this.isCut) return
    const block = this.byKey.get(key) ?? this.openText(key)
    if (block.type !== 'text') throw badStream(`The block ${key} calls a tool, and a text came for it.`)
    this.addText(block, block.scanner.push(text))
    if (block.scanner.found === undefined) return
    this.isCut = true
    this.stop = { reason: 'stop_sequence', mapped: 'stopSequence', sequence: block.scanner.found }
  }

  /** Opens the tool use of that key. An absent id, or one that was used, is replaced. */
  openTool(key: string, { id, name }: { readonly id: unknown; readonly name: unknown }): void {
    if (this.isCut) return
    if (typeof name !== 'string' || name === '') throw badStream(`A tool use came without a name (block ${key}).`)
    const own = this.freeId(id)
    const block: ToolBlock = {
      type: 'tool_use',
      index: this.nextIndex(),
      id: own,
      name: this.options.tools.fromWire(name),
      parts: [],
      input: undefined,
    }
    this.blocks.push(block)
    this.byKey.set(key, block)
    this.deltas.push({ type: 'tool_use', block: block.index, id: own, name: block.name })
    if (this.hidden.length > 0) this.options.remember(own, this.hidden)
    this.hidden = []
  }

  /** Adds to the arguments of a tool use: JSON text in pieces, or the whole object. */
  toolInput(key: string, input: unknown): void {
    if (this.isCut || input === '' || input === undefined || input === null) return
    const block = this.byKey.get(key)
    if (block?.type !== 'tool_use') throw badStream(`Arguments came for the block ${key}, which calls no tool.`)
    if (isObject(input)) {
      block.input = input
      this.deltas.push({ type: 'tool_input', block: block.index, json: JSON.stringify(input) })
      return
    }
    if (typeof input !== 'string') throw badStream(`The arguments of ${block.name} came as ${typeof input}.`)
    block.parts.push(input)
    this.deltas.push({ type: 'tool_input', block: block.index, json: input })
  }

  /** Something that the provider wants back beside the next tool use, such as its thoughts. */
  hide(item: JsonObject): void {
    this.hidden.push(item)
  }

  addUsage(usage: SampleUsage): void {
    this.usage = { ...this.usage, ...usage }
  }

  stopped(reason: string, mapped: StopReason, sequence?: string): void {
    if (this.isCut) return
    this.stop = sequence === undefined ? { reason, mapped } : { reason, mapped, sequence }
  }

  /** The pieces since the last time; with `isOver` also the texts that were held back. */
  takeDeltas(isOver = false): SampleDelta[] {
    if (isOver) {
      for (const block of this.blocks) if (block.type === 'text') this.addText(block, block.scanner.flush())
    }
    const { deltas } = this
    this.deltas = []
    return deltas
  }

  /**
   * The whole answer, after the last `takeDeltas(true)`. Throws `ProviderError` 'bad_stream' when the arguments of a tool are
   * no JSON object, unless the answer ended at its most tokens: then that call is left out.
   */
  result(): SampleResult {
    const content: SamplingContent[] = []
    for (const block of this.blocks) {
      const made = block.type === 'text' ? textOf(block) : this.toolUseOf(block)
      if (made !== undefined) content.push(made)
    }
    const hasTools = content.some(({ type }) => type === 'tool_use')
    const { reason, mapped, sequence } = this.stop ?? { reason: 'unknown', mapped: 'other' as const }
    const stopReason = mapped === 'toolUse' || mapped === 'endTurn' ? (hasTools ? 'toolUse' : 'endTurn') : mapped
    const [only = { type: 'text', text: '' } as const, ...more] = content
    return {
      role: 'assistant',
      content: more.length === 0 ? only : content,
      model: this.model,
      stopReason,
      _meta: {
        [USAGE_META_KEY]: { ...this.usage },
        [STOP_META_KEY]: sequence === undefined ? { reason } : { reason, sequence },
      },
    }
  }

  private openText(key: string): TextBlock {
    const last = this.blocks.at(-1)
    if (last?.type === 'text') {
      this.byKey.set(key, last)
      return last
    }
    const scanner = new StopScanner(this.options.stopSequences)
    const block: TextBlock = { type: 'text', index: this.nextIndex(), parts: [], scanner }
    this.blocks.push(block)
    this.byKey.set(key, block)
    return block
  }

  private addText(block: TextBlock, text: string): void {
    if (text === '') return
    block.parts.push(text)
    this.deltas.push({ type: 'text', block: block.index, text })
  }

  private toolUseOf({ id, name, parts, input }: ToolBlock): SamplingContent | undefined {
    const json = parts.join('')
    let parsed: unknown
    try {
      parsed = input ?? (json.trim() === '' ? {} : JSON.parse(json))
    } catch (error) {
      if (this.isCut || this.stop?.mapped === 'maxTokens') return undefined
      throw badStream(`The arguments of the tool ${name} are no JSON.`, error)
    }
    if (!isObject(parsed)) throw badStream(`The arguments of the tool ${name} are no JSON object.`)
    return { type: 'tool_use', id, name, input: parsed }
  }

  private freeId(id: unknown): string {
    let free = typeof id === 'string' && id !== '' ? id : 'call_1'
    for (let number = 2; this.ids.has(free); number++) free = `call_${number}`
    this.ids.add(free)
    return free
  }

  private nextIndex(): number {
    if (this.blocks.length >= BLOCKS_MAX) throw badStream(`The answer has more than ${BLOCKS_MAX} blocks.`)
    return this.blocks.length
  }
}

function textOf({ parts }: TextBlock): SamplingContent | undefined {
  const text = parts.join('')
  return text === '' ? undefined : { type: 'text', text }
}
