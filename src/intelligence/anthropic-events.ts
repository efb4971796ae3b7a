/** The events of the Messages API as they are read into an answer. Events and deltas of kinds not known here are passed over. */
import type { JsonObject } from '#protocol'
import type { Assembly, StopReason } from './assembly.ts'
import { countIn, type EventReader, eventObject, objectIn, vendorError } from './dialect.ts'
import { badStream } from './errors.ts'
import type { SampleUsage } from './provider.ts'

const stopReasons: Readonly<Record<string, StopReason>> = {
  end_turn: 'endTurn',
  stop_sequence: 'stopSequence',
  max_tokens: 'maxTokens',
  model_context_window_exceeded: 'maxTokens',
  tool_use: 'toolUse',
}

/** Thoughts while they come; they must go back exactly as they were. */
interface Thought {
  readonly start: JsonObject
  thinking: string
  signature: string
}

export function anthropicReader(assembly: Assembly): EventReader {
  const thoughts = new Map<string, Thought>()
  const inputs = new Map<string, unknown>()
  let usage: JsonObject = {}
  let isOver = false

  /** Counts of a later event are the totals so far; one that it leaves out stays. */
  const counted = (held: JsonObject): void => {
    const told = Object.entries(objectIn(held, 'usage')).filter(([, value]) => value !== null)
    usage = { ...usage, ...Object.fromEntries(told) }
    assembly.addUsage(usageOf(usage))
  }

  const began = (key: string, block: JsonObject): void => {
    switch (block['type']) {
      case 'text':
        return assembly.text(key, textIn(block, 'text'))
      case 'tool_use':
        inputs.set(key, block['input'])
        return assembly.openTool(key, { id: block['id'], name: block['name'] })
      case 'thinking':
        thoughts.set(key, {
          start: block,
          thinking: textIn(block, 'thinking'),
          signature: textIn(block, 'signature'),
        })
        return
      case 'redacted_thinking':
        return assembly.hide(block)
    }
  }

  const grew = (key: string, delta: JsonObject): void => {
    const thought = thoughts.get(key)
    switch (delta['type']) {
      case 'text_delta':
        return assembly.text(key, textIn(delta, 'text'))
      case 'input_json_delta':
        // Tools that run at the vendor have input too; they are no business of the server.
        if (inputs.has(key)) assembly.toolInput(key, textIn(delta, 'partial_json'))
        return
      case 'thinking_delta':
        if (thought !== undefined) thought.thinking += textIn(delta, 'thinking')
        return
      case 'signature_delta':
        if (thought !== undefined) thought.signature += textIn(delta, 'signature')
        return
    }
  }

  const ended = (key: string): void => {
    const thought = thoughts.get(key)
    if (thought !== undefined)
      assembly.hide({ ...thought.start, thinking: thought.thinking, signature: thought.signature })
    thoughts.delete(key)
    const input = inputs.get(key)
    const isWhole = typeof input === 'object' && input !== null && Object.keys(input).length > 0
    if (isWhole && !assembly.isFilled(key)) assembly.toolInput(key, input)
  }

  return {
    get isOver() {
      return isOver
    },
    end: () => isOver,
    read: (event) => {
      if (event.event === 'ping') return
      const told = eventObject(event)
      switch (told['type']) {
        case 'message_start': {
          const message = objectIn(told, 'message')
          if (typeof message['model'] === 'string') assembly.model = message['model']
          return counted(message)
        }
        case 'content_block_start':
          return began(keyIn(told), objectIn(told, 'content_block'))
        case 'content_block_delta':
          return grew(keyIn(told), objectIn(told, 'delta'))
        case 'content_block_stop':
          return ended(keyIn(told))
        case 'message_delta': {
          const { stop_reason: reason, stop_sequence: sequence } = objectIn(told, 'delta')
          if (typeof reason === 'string') {
            const mapped = Object.hasOwn(stopReasons, reason) ? stopReasons[reason] : undefined
            assembly.stopped(reason, mapped ?? 'other', typeof sequence === 'string' ? sequence : undefined)
          }
          return counted(told)
        }
        case 'message_stop':
          if (assembly.stop === undefined) throw badStream('The message stopped without a stop reason.')
          isOver = true
          return
        case 'error':
          throw vendorError('The Messages API', told['error'])
      }
    },
  }
}

function keyIn(event: JsonObject): string {
  const index = countIn(event, 'index')
  if (index === undefined) throw badStream(`An event ${String(event['type'])} has no index.`)
  return String(index)
}

function textIn(held: JsonObject, member: string): string {
  const text = held[member]
  return typeof text === 'string' ? text : ''
}

/** What was read from the cache, or written to it, is not among the API's `input_tokens`. */
function usageOf(usage: JsonObject): SampleUsage {
  const fresh = countIn(usage, 'input_tokens')
  const cached = countIn(usage, 'cache_read_input_tokens')
  const written = countIn(usage, 'cache_creation_input_tokens')
  const output = countIn(usage, 'output_tokens')
  const reasoning = countIn(objectIn(usage, 'output_tokens_details'), 'thinking_tokens')
  return {
    ...(fresh === undefined ? {} : { inputTokens: fresh + (cached ?? 0) + (written ?? 0) }),
    ...(cached === undefined ? {} : { cachedInputTokens: cached }),
    ...(output === undefined ? {} : { outputTokens: output }),
    ...(reasoning === undefined ? {} : { reasoningTokens: reasoning }),
  }
}
