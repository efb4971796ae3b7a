/**
 * Health looks whether the server takes work: it asks every check, each within a time, and tells what it found. Who asks while it
 * looks gets the same answer, so that however often it is asked there is one look at a time. The checks are functions in a table of
 * the application, to which any part may add its own.
 *
 *     services.checks.set('overload', () => (isPressed ? 'The server sheds load.' : undefined))
 *     const { isReady, checks } = await look(services)
 */
import type { Readiness } from '#observability/outside'
import { type ChildSpec, type Clock, child, defineActor, type From, type Self, via } from '#runtime'
import type { Services } from './services.ts'

/** Says in a sentence why the server should get no work now, or undefined. May take its time, and may fail. */
export type Check = () => string | undefined | Promise<string | undefined>

/** Who waits for one look; one more is answered that it is not known. */
const WAITING_MAX = 1_000
/** Milliseconds that a turn of the event loop may take before the server is not ready. */
const TURN_MS_MAX = 1_000

/** Milliseconds beyond the time of a check that its answer may take. */
const REPLY_MS = 1_000

interface State {
  readonly services: Services
  readonly waiting: From[]
  wasReady: boolean | undefined
}

type Note = { readonly type: 'looked'; readonly found: Readiness }

export const Health = defineActor({
  name: 'health',
  init: (services: Services): State => ({ services, waiting: [], wasReady: undefined }),
  call: {
    look: (state, _none: undefined, self: Self<State>) => {
      if (state.waiting.length >= WAITING_MAX) return failing('health', `${WAITING_MAX} others wait to hear it.`)
      state.waiting.push(self.from)
      if (state.waiting.length > 1) return self.noreply
      const { ref } = self
      void lookAround(state.services, self.system.clock).then((found) =>
        ref.send({ type: 'looked', found } satisfies Note),
      )
      return self.noreply
    },
  },
  info: (state, message) => {
    const { found } = message as Note
    const { services, wasReady } = state
    for (const from of state.waiting.splice(0)) from.reply(found)
    const why: string[] = []
    for (const [name, { ok, why: sentence = '' }] of Object.entries(found.checks)) {
      if (ok) continue
      services.counters.add('health_failures', 1, name)
      why.push(sentence)
    }
    services.status.isReady = found.isReady
    state.wasReady = found.isReady
    // Ready at the first look is what everybody expects.
    if (wasReady !== found.isReady && (wasReady !== undefined || !found.isReady))
      services.report({ type: 'readiness', isReady: found.isReady, why })
  },
})

/** Whether the server takes work, and why not. Never rejects. */
export async function look(services: Services): Promise<Readiness> {
  if (services.status.isOver) return failing('application', 'The server has ended.')
  try {
    const timeout = services.checkTimeoutMs + REPLY_MS
    // Its replies are all of this shape.
    return (await via<typeof Health>(services.names, 'health').call('look', undefined, { timeout })) as Readiness
  } catch {
    return failing('health', 'The process that looks after this is being started.')
  }
}

function failing(name: string, why: string): Readiness {
  return { isReady: false, checks: { [name]: { ok: false, why } } }
}

async function lookAround(services: Services, clock: Clock): Promise<Readiness> {
  const checks = new Map<string, Check>([
    ['drain', () => (services.status.isDraining ? 'The server is shutting down and takes no new work.' : undefined)],
    ['listeners', () => silent(services)],
    ['store', () => storeFault(services)],
    ['loop', () => slowTurn(clock)],
    ['pressure', () => pressed(services)],
    ...services.checks,
  ])
  const found = await Promise.all(
    [...checks].map(async ([name, check]) => {
      const why = await timed(name, check, services.checkTimeoutMs, clock)
      return [name, why === undefined ? { ok: true } : { ok: false, why }] as const
    }),
  )
  return { isReady: found.every(([, { ok }]) => ok), checks: Object.fromEntries(found) }
}

/** What a check says, or that it failed or took too long. */
function timed(name: string, check: Check, timeoutMs: number, clock: Clock): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => resolve(`The check "${name}" took longer than ${timeoutMs} ms.`), timeoutMs)
    Promise.resolve()
      .then(check)
      .catch(
        (error: unknown) => `The check "${name}" failed: ${error instanceof Error ? error.message : String(error)}`,
      )
      .then((why) => {
        clock.clearTimer(timer)
        resolve(why)
      })
  })
}

/** Transports that should listen and do not: they are being started, or started anew. */
function silent({ listening, names }: Services): string | undefined {
  const missing = [...listening]
    .filter(([name, where]) => where === undefined || names.whereis(`listener:${name}`) === undefined)
    .map(([name]) => name)
  return missing.length === 0 ? undefined : `Not listening yet, or not now: ${missing.join(', ')}.`
}

function storeFault({ names, store }: Services): string | undefined | Promise<undefined> {
  if (names.whereis('store') === undefined) return 'The store is being opened.'
  const { whenDurable } = store
  return whenDurable === undefined
    ? undefined
    : new Promise((resolve) => whenDurable.call(store, () => resolve(undefined)))
}

function pressed({ overload }: Services): string | undefined {
  const { level, because } = overload.pressure
  return level === 'critical' ? `The server sheds load: ${because.join(', ')}.` : undefined
}

async function slowTurn(clock: Clock): Promise<string | undefined> {
  const askedAt = clock.now()
  await new Promise<void>((resolve) => clock.setTimer(resolve, 0))
  const turnMs = Math.round(clock.now() - askedAt)
  return turnMs > TURN_MS_MAX ? `One turn of the event loop took ${turnMs} ms.` : undefined
}

export function healthChild(services: Services): ChildSpec {
  return child(Health, services, { id: 'health', name: via(services.names, 'health') })
}
