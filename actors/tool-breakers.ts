/**
 * Circuit breakers around tools that ask for one: after some failures in a row a call is answered at once with what its model can
 * understand, until the tool is tried again. The circuits are a table of the server, one for each such tool, and each has a
 * process under the supervisor `breakers`, started with the tool's first call.
 *
 * A failure is a throw or a time-out: an `isError` result that the tool returns by itself is an answer, and so is a protocol
 * error. What was cancelled, or had wrong arguments, says nothing.
 */
import type { Tool } from '#features/tool'
import { errorResult } from '#features/tool-result'
import { isObject, type JsonObject } from '#protocol'
import { type ChildSpec, type Self, via } from '#runtime'
import {
  admit,
  type Circuit,
  circuitBreakerChild,
  createCircuit,
  tellBreaker,
  type Verdict,
} from './circuit-breaker.ts'
import type { Services } from './services.ts'

/** The circuit of a tool as it is defined now; a tool that is defined anew begins with a closed one. */
export interface ToolCircuit {
  readonly tool: Tool
  readonly circuit: Circuit
  /** The id of its process under the supervisor, and how many there were for a tool of this name. */
  readonly id: string
  readonly generation: number
  /** Until the process is there: what is told before it waits. */
  starting: Promise<unknown> | undefined
}

/**
 * Calls a tool through its breaker. `call` is handed what to tell of a throw, and may not throw itself unless it is a protocol
 * error. Costs one look at the tool where there is none.
 */
export function callGuarded(
  services: Services,
  name: string,
  self: Self,
  call: (thrown: () => void) => JsonObject | Promise<JsonObject>,
): JsonObject | Promise<JsonObject> {
  const tool = services.catalog.tools.get(name)
  if (tool?.breaker === undefined) return call(() => undefined)
  const guard = circuitOf(services, tool)
  const { circuit } = guard
  const admission = admit(circuit, self.now())
  if (typeof admission === 'object') {
    services.counters.add('tool_calls_refused', 1, name)
    return refused(circuit, name, admission.retryAfterMs)
  }
  const isTrial = admission === 'trial'
  let isTold = false
  const tell = (verdict: Verdict): void => {
    if (isTold) return
    isTold = true
    if (guard.starting === undefined) tellBreaker(circuit, verdict, isTrial)
    else void guard.starting.then(() => tellBreaker(circuit, verdict, isTrial))
  }
  let hasThrown = false
  const answered = (result: JsonObject): JsonObject => {
    tell(hasThrown ? 'failed' : result['isError'] === true ? 'neutral' : 'succeeded')
    return result
  }
  const { signal } = self
  // Ended from outside before it answered: by its time-out, or because nobody wants it.
  signal.addEventListener('abort', () => tell(isTimeout(signal.reason) ? 'failed' : 'neutral'), { once: true })
  const protocolError = (error: unknown): never => {
    tell('neutral')
    throw error
  }
  try {
    const result = call(() => {
      hasThrown = true
    })
    return result instanceof Promise ? result.then(answered, protocolError) : answered(result)
  } catch (error) {
    return protocolError(error)
  }
}

function refused({ failures }: Circuit, name: string, retryAfterMs: number): JsonObject {
  const seconds = Math.ceil(retryAfterMs / 1_000)
  const message =
    `Tool "${name}" failed ${failures} times in a row and is not called now. ` +
    `It is tried again in ${seconds} s; until then, go on without it.`
  return errorResult(message) as unknown as JsonObject
}

function isTimeout(reason: unknown): boolean {
  return isObject(reason) && reason['shutdown'] === 'timeout'
}

function circuitOf(services: Services, tool: Tool): ToolCircuit {
  const { circuits, names, report, counters } = services
  const known = circuits.get(tool.key)
  if (known?.tool === tool) return known
  const breakers = via(names, 'breakers')
  if (known !== undefined) forget(services, known)
  const circuit = createCircuit(tool.breaker!, (phase) => {
    counters.add('breaker_changes', 1, phase)
    report({ type: 'breaker', tool: tool.key, phase, failures: circuit.failures })
  })
  const generation = (known?.generation ?? 0) + 1
  const made: ToolCircuit = { tool, circuit, id: `${tool.key} ${generation}`, generation, starting: undefined }
  circuits.set(tool.key, made)
  // While its supervisor is being restarted it cannot be asked, and begins with what is in the table.
  const started = breakers.call('startChild', toolBreakerChild(made)).catch(() => undefined)
  made.starting = started.then(() => {
    made.starting = undefined
  })
  return made
}

/** The process of a circuit whose tool is no more, or another. */
function forget({ names }: Services, { id }: ToolCircuit): void {
  const breakers = via(names, 'breakers')
  breakers
    .call('terminateChild', id)
    .then(() => breakers.call('deleteChild', id))
    .catch(() => undefined)
}

/** The process of one tool's circuit. */
export function toolBreakerChild({ circuit, id }: ToolCircuit): ChildSpec {
  return { ...circuitBreakerChild(circuit), id }
}
