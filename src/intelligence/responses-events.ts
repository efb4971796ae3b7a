/** The events of the responses API as they are read into an answer. Events of kinds not known here are passed over. */
import type { JsonObject } from '#protocol'
import type { Assembly } from './assembly.ts'
import { countIn, type EventReader, eventObject, objectIn, vendorError } from './dialect.ts'
import type { SampleUsage } from './provider.ts'

export function responsesReader(assembly: Assembly): EventReader {
  let isOver = false
  const calls = new Set<string>()
  let isRefusal = false

  /** What the last word says of a block counts only where no pieces of it came. */
  const wholeInput = (key: string, json: unknown): void => {
    if (calls.has(key) && !assembly.isFilled(key)) assembly.toolInput(key, json)
  }

  const ended = (response: JsonObject): void => {
    if (typeof response['model'] === 'string') assembly.model = response['model']
    assembly.addUsage(usageOf(objectIn(response, 'usage')))
    isOver = true
  }

  return {
    get isOver() {
      return isOver
    },
    end: () => isOver,
    read: (event) => {
      if (event.data.trim() === '[DONE]') return
      const told = eventObject(event)
      const response = objectIn(told, 'response')
      const key = `item ${String(told['output_index'])}`
      const part = `${key} part ${String(told['content_index'])}`
      switch (told['type']) {
        case 'response.created':
        case 'response.in_progress':
          if (typeof response['model'] === 'string') assembly.model = response['model']
          return
        case 'response.output_item.added': {
          const item = objectIn(told, 'item')
          if (item['type'] !== 'function_call') return
          calls.add(key)
          return assembly.openTool(key, { id: item['call_id'], name: item['name'] })
        }
        case 'response.refusal.delta':
          isRefusal = true
          return addText(assembly, part, told['delta'])
        case 'response.output_text.delta':
          return addText(assembly, part, told['delta'])
        case 'response.output_text.done':
          return assembly.isFilled(part) ? undefined : addText(assembly, part, told['text'])
        case 'response.function_call_arguments.delta':
          return calls.has(key) ? assembly.toolInput(key, told['delta']) : undefined
        case 'response.function_call_arguments.done':
          return wholeInput(key, told['arguments'])
        case 'response.output_item.done': {
          const item = objectIn(told, 'item')
          // Without its content it is of no use to an API that stores nothing.
          if (item['type'] === 'reasoning' && typeof item['encrypted_content'] === 'string') assembly.hide(item)
          return wholeInput(key, item['arguments'])
        }
        case 'response.completed':
          assembly.stopped(isRefusal ? 'refusal' : 'completed', isRefusal ? 'other' : 'endTurn')
          return ended(response)
        case 'response.incomplete': {
          const reason = String(objectIn(response, 'incomplete_details')['reason'] ?? 'incomplete')
          assembly.stopped(reason, reason === 'max_output_tokens' ? 'maxTokens' : 'other')
          return ended(response)
        }
        case 'response.failed':
          throw vendorError('The responses API', response['error'])
        case 'error':
          throw vendorError('The responses API', told['error'] ?? told)
      }
    },
  }
}

function addText(assembly: Assembly, key: string, text: unknown): void {
  if (typeof text === 'string') assembly.text(key, text)
}

function usageOf(usage: JsonObject): SampleUsage {
  const input = countIn(usage, 'input_tokens')
  const output = countIn(usage, 'output_tokens')
  const cached = countIn(objectIn(usage, 'input_tokens_details'), 'cached_tokens')
  const reasoning = countIn(objectIn(usage, 'output_tokens_details'), 'reasoning_tokens')
  return {
    ...(input === undefined ? {} : { inputTokens: input }),
    ...(cached === undefined ? {} : { cachedInputTokens: cached }),
    ...(output === undefined ? {} : { outputTokens: output }),
    ...(reasoning === undefined ? {} : { reasoningTokens: reasoning }),
  }
}
