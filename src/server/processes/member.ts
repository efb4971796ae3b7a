/**
 * A member: a copy of the program that serves what its primary hands it. Its `serve` runs the ordinary application, and ties it
 * to the primary: it says when it is ready, that it is alive, what it is asked; it drains when it is told to, and when the primary
 * has gone.
 */
import { keysOf, takeKeys } from '#actors/sealing'
import type { Services } from '#actors/services'
import type { LogLevelName, LogModule } from '#observability/log-levels'
import { isOrderly, realClock } from '#runtime'
import type { ServeOptions } from '#server/options'
import type { App } from '#server/serve'
import { join, type Membership } from './membership.ts'

/** Milliseconds beyond the drain after which a member without a primary ends anyway. */
const END_MS = 10_000

/** How a member is started: the application with its membership. */
export type StartHere = (
  options: ServeOptions,
  membership: Membership,
) => Promise<{ app: App; services: () => Services }>

/** Serves as a member. Does not return when it cannot: the primary is told why, and the program ends. */
export async function serveAsMember(options: ServeOptions, start: StartHere): Promise<App> {
  const clock = options.clock ?? realClock
  const membership = await join(clock)
  const { channel } = membership
  // Until there is something to drain.
  membership.onClosed = () => process.exit(1)
  membership.onMessage = (message) => {
    if (message.type === 'stop') process.exit(0)
    if (message.type === 'beat') channel.send({ type: 'alive', number: message.number, load: idle })
  }
  let started: Awaited<ReturnType<StartHere>>
  try {
    started = await start(ownOptions(options, membership.index), membership)
  } catch (error) {
    return fail(membership, error)
  }
  const { app, services } = started
  tie(app, services, membership, clock.setTimer.bind(clock), options)
  takeKeys(services(), merged(membership, services()))
  channel.send({ type: 'ready', urls: app.urls, keys: [...keysOf(services()).list()] })
  return app
}

const idle = { connections: 0, metrics: {}, text: '' }

/** Its own file, and no port of its own for those who watch: the primary has it. */
function ownOptions(options: ServeOptions, index: number): ServeOptions {
  const { store, observe, ...rest } = options
  if (observe === undefined || observe === false)
    return {
      ...rest,
      ...(store !== undefined && { store: storeOf(store, index) }),
      ...(observe === false && { observe }),
    }
  const { port: _port, ...seen } = observe
  return { ...rest, ...(store !== undefined && { store: storeOf(store, index) }), observe: seen }
}

/** A file for each member; what others keep for themselves is theirs to divide. */
function storeOf(store: NonNullable<ServeOptions['store']>, index: number): NonNullable<ServeOptions['store']> {
  return typeof store === 'string' && store.startsWith('sqlite:') ? (`${store}.${index}` as `sqlite:${string}`) : store
}

/** The keys of the primary and those that an earlier run left in the store. */
function merged(membership: Membership, services: Services) {
  const known = new Map([...keysOf(services).list(), ...membership.keys()].map((key) => [key.id, key]))
  return [...known.values()].sort((one, other) => other.createdAt - one.createdAt)
}

function fail({ channel }: Membership, error: unknown): Promise<never> {
  const { name, message, code } = error as { readonly name?: string; readonly message?: string; readonly code?: string }
  channel.send({ type: 'failed', name: name ?? 'Error', code, message: message ?? String(error) }, () =>
    process.exit(1),
  )
  return new Promise(() => undefined)
}

function tie(
  app: App,
  services: () => Services,
  membership: Membership,
  setTimer: (callback: () => void, delayMs: number) => unknown,
  { signals, drainMs = 10_000 }: ServeOptions,
): void {
  const { channel, doorway } = membership
  let isEnding = false
  /** Drains and ends the program. */
  const end = (status: number): void => {
    if (isEnding) return
    isEnding = true
    channel.send({ type: 'stopping' })
    setTimer(() => process.exit(1), drainMs + END_MS)
    void app.stop().finally(() => {
      membership.close()
      process.exit(process.exitCode ?? status)
    })
  }
  void app.done.then((reason) => end(isOrderly(reason) ? 0 : 1))
  membership.onClosed = () => {
    end(0)
    // The last one to leave takes the folder away.
    process.once('exit', () => membership.leave())
  }
  membership.whenKeysChange(() => takeKeys(services(), membership.keys()))
  membership.onMessage = (message) => {
    switch (message.type) {
      case 'beat': {
        const load = { connections: doorway.size, metrics: app.metrics(), text: app.metricsText() }
        return channel.send({ type: 'alive', number: message.number, load })
      }
      case 'tree':
        return void app.tree().then((value) => channel.send({ type: 'answer', number: message.number, value }))
      case 'updated': {
        const done = (): void => channel.send({ type: 'answer', number: message.number, value: true })
        return void app.resourceUpdated(message.uri).then(done, done)
      }
      case 'level':
        // They were checked where they were given.
        return app.setLogLevel(message.module as LogModule, message.level as LogLevelName)
      case 'stop':
        return end(0)
    }
  }
  if (signals === false) return
  process.on('SIGTERM', () => end(0))
  // A terminal sends it to all at once; the primary then stops its members.
  process.on('SIGINT', () => undefined)
}
