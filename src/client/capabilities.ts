/**
 * What a client announces: what its handlers can answer, and what the `capabilities` option says. The option may be a map of
 * booleans and objects, or the shape of the protocol: `{ sampling: true, elicitation: { form: {}, url: {} }, roots: false }`.
 */
import type { ClientHandlers } from '#actors/client-services'
import { type ClientCapabilities, isObject, type JsonObject, readClientCapabilities, TASKS_EXTENSION } from '#protocol'

/** `true` or an object announces, `false` does not although there is a handler; other members are announced as they are. */
export type CapabilityOption = {
  readonly sampling?: boolean | { readonly context?: boolean | object; readonly tools?: boolean | object }
  readonly elicitation?: boolean | { readonly form?: boolean | object; readonly url?: boolean | object }
  readonly roots?: boolean | { readonly listChanged?: boolean }
  readonly experimental?: JsonObject
  /** By identifier. Tasks (`io.modelcontextprotocol/tasks`) are announced unless this says `false`. */
  readonly extensions?: { readonly [identifier: string]: boolean | object }
}

/** The capabilities to announce. */
export function capabilitiesOf(handlers: ClientHandlers, option: CapabilityOption = {}): ClientCapabilities {
  const { sampling, elicitation, roots, experimental, extensions = {} } = option
  const wanted = (handler: unknown, given: boolean | object | undefined, usual: object): unknown =>
    given === undefined || given === true ? (handler !== undefined || given === true ? usual : undefined) : given
  const announced = readClientCapabilities({
    sampling: wanted(handlers.sampling, sampling, {}),
    elicitation: wanted(handlers.elicitation, elicitation, { form: true }),
    roots: wanted(handlers.roots, roots, { listChanged: true }),
    experimental,
    extensions: { [TASKS_EXTENSION]: true, ...extensions },
  })
  // What `true` may stand for is written as the object that it means.
  return isObject(experimental) ? { ...announced, experimental } : announced
}
