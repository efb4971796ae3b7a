/**
 * How it works: 1. generate a script: what a machine does with each event and what arrives when; 2. play it on a real machine
 * in virtual time, and on a model made of plain lists; 3. compare what was handled, in which state, in which order.
 */
import {
  type Action,
  cancel,
  defineStateMachine,
  eventTimeout,
  keep,
  type MachineEvent,
  next,
  nextEvent,
  postpone,
  repeat,
  stateTimeout,
  sys,
  type Transition,
  timeout,
  update,
} from 'bough/runtime'
import { createSimulation } from 'bough/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs, seed } from './settings.ts'
import {
  type Act,
  anyScript,
  delayOf,
  Player,
  playModel,
  REST_MS,
  type Reaction,
  type Script,
} from './state-machine-model.ts'

function actionOf(act: Act, now: number): Action {
  if (act.do === 'postpone') return postpone()
  if (act.do === 'insert') {
    if (act.as === 'info' || act.as === 'stateTimeout') return nextEvent(act.as, act.event)
    return nextEvent(act.as, 'go', act.event)
  }
  const { timer } = act
  if (act.do === 'cancel') return timer === 'x' || timer === 'y' ? cancel('timeout', timer) : cancel(timer)
  if (act.do === 'update') {
    return timer === 'x' || timer === 'y' ? update('timeout', timer, act.event) : update(timer, act.event)
  }
  const after =
    act.do === 'never' ? Number.POSITIVE_INFINITY : act.do === 'startAt' ? { at: now + delayOf(act) } : delayOf(act)
  const content = act.do === 'never' ? undefined : act.event
  if (timer === 'stateTimeout') return stateTimeout(after, content)
  if (timer === 'eventTimeout') return eventTimeout(after, content)
  return timeout(timer, after, content)
}

type States = 'a' | 'b' | 'c'

function transitionOf(
  reaction: Reaction,
  now: number,
): Transition<States, Player> | Promise<Transition<States, Player>> | undefined {
  const { move, isAsync } = reaction
  if (move === 'keep' && reaction.acts.length === 0) return undefined
  const actions = reaction.acts.map((act) => actionOf(act, now))
  const transition: Transition<States, Player> =
    move === 'keep' ? keep(...actions) : move === 'repeat' ? repeat(...actions) : next(move, ...actions)
  return isAsync ? Promise.resolve().then(() => transition) : transition
}

const OneHandler = defineStateMachine({
  name: 'one handler',
  init: (player: Player) => ({ state: 'a' as States, data: player }),
  stateEnter: true,
  handle: (event: MachineEvent, state, player, self) => {
    const now = self.now()
    if (event.type === 'enter') return transitionOf(player.entered(state, String(event.previous)), now)
    const content = event.type === 'cast' ? event.arg : event.type === 'info' ? event.message : undefined
    const type = event.type === 'timeout' ? event.name : event.type
    return transitionOf(player.handled(type, state, Number('content' in event ? event.content : content)), now)
  },
})

function handlersOf(state: States) {
  return {
    enter: (player: Player, previous: States, self: { now(): number }) =>
      transitionOf(player.entered(state, previous), self.now()),
    cast: { go: handlerOf('cast', state) },
    info: (player: Player, message: unknown, self: { now(): number }) =>
      transitionOf(player.handled('info', state, Number(message)), self.now()),
    internal: { go: handlerOf('internal', state) },
    stateTimeout: handlerOf('stateTimeout', state),
    eventTimeout: handlerOf('eventTimeout', state),
    timeout: { x: handlerOf('x', state), y: handlerOf('y', state) },
  }
}

function handlerOf(type: string, state: string) {
  return (player: Player, event: number, self: { now(): number }) =>
    transitionOf(player.handled(type, state, event), self.now())
}

const StateFunctions = defineStateMachine({
  name: 'state functions',
  init: (player: Player) => ({ state: 'a', data: player }),
  states: { a: handlersOf('a'), b: handlersOf('b'), c: handlersOf('c') },
})

async function playReal(script: Script, definition: typeof OneHandler | typeof StateFunctions): Promise<string[]> {
  const sim = createSimulation({ seed, traceLinesMax: 0 })
  const player = new Player(script)
  const ref = await sim.start(definition as typeof StateFunctions, player)
  for (const { afterMs, as, event } of script.arrivals) {
    if (afterMs > 0) await sim.advance(afterMs)
    if (as === 'cast') ref.cast('go', event)
    else ref.send(event)
  }
  await sim.advance(REST_MS)
  const last = (await sim.run(sys.getState(ref))) as { readonly state: string }
  return [...player.seen, `ends in ${last.state}`]
}

describe('a state machine', () => {
  it('handles the events that the list model handles, in its states and its order', async () => {
    await fc.assert(
      fc.asyncProperty(anyScript, fc.boolean(), async (script, isOneHandler) => {
        expect(await playReal(script, isOneHandler ? OneHandler : StateFunctions)).toEqual(playModel(script))
      }),
      runs(400),
    )
  })
})
