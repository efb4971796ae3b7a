/**
 * The chunks of chat completions as they are read into an answer. Servers that imitate the API differ in small ways, which are
 * taken too: calls without an index or an id, several under one index, arguments as an object, no `[DONE]`.
 */
import { isObject, type JsonObject } from '#protocol/json-rpc'
import type { Assembly, StopReason } from './assembly.ts'
import { countIn, type EventReader, eventObject, objectIn, vendorError } from './dialect.ts'
import type { SampleUsage } from './provider.ts'

const stopReasons: Readonly<Record<string, StopReason>> = {
  stop: 'endTurn',
  length: 'maxTokens',
  tool_calls: 'toolUse',
  function_call: 'toolUse',
}

export function chatReader(assembly: Assembly): EventReader {
  let isOver = false
  let calls = 0
  /** By index, the key of the call that grows there, and the id it came with. */
  const growing = new Map<number, { readonly key: string; readonly id: unknown }>()

  const called = (call: JsonObject, place: number): void => {
    const made = objectIn(call, 'function')
    const index = countIn(call, 'index') ?? place
    let open = growing.get(index)
    const id = call['id']
    // Some servers give every parallel call the index 0, or none; then the id or the name tells them apart.
    const isOther =
      typeof id === 'string' && id !== '' ? id !== open?.id : isNamed(made) && countIn(call, 'index') === undefined
    if (open === undefined || (isOther && isNamed(made))) {
      open = { key: `call ${calls++}`, id }
      growing.set(index, open)
      assembly.openTool(open.key, { id, name: made['name'] })
    }
    assembly.toolInput(open.key, made['arguments'])
  }

  return {
    get isOver() {
      return isOver
    },
    end: () => assembly.stop !== undefined,
    read: (event) => {
      if (event.data.trim() === '[DONE]') {
        if (assembly.stop === undefined) assembly.stopped('none given', 'other')
        isOver = true
        return
      }
      const chunk = eventObject(event)
      if (chunk['error'] !== undefined && chunk['error'] !== null) throw vendorError('Chat completions', chunk['error'])
      if (typeof chunk['model'] === 'string' && chunk['model'] !== '') assembly.model = chunk['model']
      if (isObject(chunk['usage'])) assembly.addUsage(usageOf(chunk['usage']))
      const [choice]: unknown[] = Array.isArray(chunk['choices']) ? chunk['choices'] : []
      const delta = objectIn(choice, 'delta')
      if (typeof delta['content'] === 'string') assembly.text('content', delta['content'])
      if (typeof delta['refusal'] === 'string') assembly.text('refusal', delta['refusal'])
      const tools: unknown[] = Array.isArray(delta['tool_calls']) ? delta['tool_calls'] : []
      for (const [place, call] of tools.entries()) if (isObject(call)) called(call, place)
      const reason = isObject(choice) ? choice['finish_reason'] : undefined
      if (typeof reason !== 'string' || reason === '') return
      assembly.stopped(reason, (Object.hasOwn(stopReasons, reason) ? stopReasons[reason] : undefined) ?? 'other')
    },
  }
}

function isNamed(made: JsonObject): boolean {
  return typeof made['name'] === 'string' && made['name'] !== ''
}

function usageOf(usage: JsonObject): SampleUsage {
  const input = countIn(usage, 'prompt_tokens')
  const output = countIn(usage, 'completion_tokens')
  const cached = countIn(objectIn(usage, 'prompt_tokens_details'), 'cached_tokens')
  const reasoning = countIn(objectIn(usage, 'completion_tokens_details'), 'reasoning_tokens')
  return {
    ...(input === undefined ? {} : { inputTokens: input }),
    ...(cached === undefined ? {} : { cachedInputTokens: cached }),
    ...(output === undefined ? {} : { outputTokens: output }),
    ...(reasoning === undefined ? {} : { reasoningTokens: reasoning }),
  }
}
