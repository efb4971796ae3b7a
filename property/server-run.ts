/**
 * The life of a simulated server from its start to its end: clients open, ask, cancel, misbehave and leave, features change, and
 * processes of the tree die, step by step as a seed says; then everything must be answered, and nothing left over.
 */
import type { SupervisorRef } from 'bough/runtime'
import type { Simulation, TransportFaults } from 'bough/testing'
import { type Peer, revisions, World } from './server-world.ts'

const STEPS = 50
/** Who may die; with any of them the server has to go on. */
const mortal = [
  'session',
  'requests',
  'request',
  'session-manager',
  'metrics',
  'subscriptions',
  'tool-registry',
  'resource-registry',
  'prompt-registry',
  'thread-pool',
  'questions',
  'question',
]
async function open(world: World): Promise<Peer | undefined> {
  const { dice } = world
  const peer = world.connect()
  if (peer === undefined) return undefined
  if (dice.chance(0.1)) peer.request(dice.pick(['tools/list', 'ping', 'nonsense']))
  peer.initialize(dice.pick([...revisions, '1999-01-01']), {
    ...(dice.chance(0.7) && { elicitation: {} }),
    ...(dice.chance(0.7) && { sampling: {} }),
    roots: {},
  })
  if (dice.chance(0.5)) await world.sim.advance(dice.below(100))
  if (dice.chance(0.9)) peer.initialized()
  return peer
}

const tools = ['echo', 'fails', 'throws', 'slow', 'careless', 'stuck', 'steps', 'asks', 'samples', 'new', 'nonsense']

function ask(world: World, peer: Peer): void {
  const { dice } = world
  const uri = dice.pick(['config://app', 'config://slow', 'note://7', 'nonsense://'])
  const call = (): void => {
    const name = dice.pick(tools)
    const _meta = dice.chance(0.7) ? { progressToken: `t${peer.number}-${peer.sent.size}` } : undefined
    const text = dice.chance(0.9) ? 'x' : 7
    peer.request('tools/call', { name, arguments: { text }, ...(_meta && { _meta }) })
  }
  const asks: (() => unknown)[] = [
    call,
    call,
    call,
    () => peer.request(dice.pick(['tools/list', 'resources/list', 'prompts/list', 'resources/templates/list'])),
    () => peer.request('resources/subscribe', { uri: 'config://app' }),
    () => peer.request('tools/list', { cursor: 'nonsense' }),
    () => peer.request('resources/read', { uri }),
    () => peer.request(dice.pick(['resources/subscribe', 'resources/unsubscribe']), { uri }),
    () => peer.request('prompts/get', { name: 'review', arguments: dice.chance(0.8) ? { code: 'x' } : {} }),
    () =>
      peer.request('completion/complete', {
        ref: { type: 'ref/resource', uri: 'note://{id}' },
        argument: { name: 'id', value: 'a' },
      }),
    () => peer.request('logging/setLevel', { level: dice.pick(['debug', 'error', 'nonsense']) }),
    () => peer.request(dice.pick(['ping', 'nonsense/method', 'initialize'])),
    () => peer.notify('notifications/nonsense'),
    () => peer.garble(dice.pick(['{', '"text"', '{"jsonrpc":"1.0","method":7,"id":null}', '[]'])),
    () => (peer.version === '2025-03-26' && peer.isInitialized ? peer.batch(['ping', 'tools/list']) : call()),
  ]
  dice.pick(asks)()
}

async function step(world: World): Promise<void> {
  const { dice, sim, server, app } = world
  const peers = world.peers.filter((peer) => peer.isOwedAnswers)
  const peer = peers.length === 0 ? undefined : dice.pick(peers)
  const what = dice.below(100)
  if (peer === undefined || what < 6) await open(world)
  else if (what < 60) ask(world, peer)
  else if (what < 68 && peer.open.length > 0) peer.cancel(dice.pick(peer.open))
  else if (what < 72) peer.leave()
  else if (what < 80) {
    const victims = await world.victims([dice.pick(mortal)])
    if (victims.length > 0) dice.pick(victims).exit(dice.pick(['kill', 'kill', new Error('chaos'), 'shutdown']))
  } else if (what < 84) {
    if (dice.chance(0.6)) server.tool('new', { run: () => 'new' })
    else server.removeTool('new')
  } else if (what < 90) app.resourceUpdated('config://app')
  else await sim.advance(dice.below(600))
  if (dice.chance(0.4)) await sim.settle()
}

/** One life of a server, from its start to its end. Throws an Error that names every law that was broken. */
export async function live(sim: Simulation, seed: number, faults: TransportFaults, isLossy: boolean): Promise<World> {
  const world = await World.start(sim, seed, faults, isLossy)
  const { app, broken } = world
  const count = app.system.processCount
  const before = await world.shape()
  for (let n = 0; n < 3; n++) await open(world)
  for (let n = 0; n < STEPS; n++) await step(world)
  // Longer than the longest time-out of a request, with questions in it.
  await sim.advance(70_000)
  if (!app.ref.alive) broken.push('the server lives on whoever of it dies')
  for (const peer of world.peers) {
    for (const { id, method, name, isCancelled, answers } of peer.sent.values()) {
      const isAnswered = answers === 1 || isCancelled || !peer.isOwedAnswers || isLossy
      if (!isAnswered)
        broken.push(`client ${peer.number}: request ${id} (${method} ${name ?? ''}) is answered, not ${answers} times`)
    }
  }
  // Whoever is still connected is served.
  for (const peer of world.peers.filter((one) => one.isOwedAnswers && one.isInitialized && !isLossy)) {
    const ping = peer.request('ping')
    const echo = peer.request('tools/call', { name: 'echo', arguments: {} })
    // A request that dies before it has made itself known is answered when its time is up.
    await sim.advance(2_500)
    if (ping.answers !== 1 && peer.isOwedAnswers) broken.push(`client ${peer.number}: ping is answered in the end`)
    if (echo.answers !== 1 && peer.isOwedAnswers) broken.push(`client ${peer.number}: echo is answered in the end`)
  }
  for (const peer of world.peers) peer.leave()
  await sim.advance(10_000)
  if (app.metrics()['sessions'] !== 0) broken.push(`no session is left over: ${String(app.metrics()['sessions'])} are`)
  const after = await world.shape()
  if (after !== before) broken.push(`the tree is what it was: ${after}`)
  if (app.system.processCount !== count)
    broken.push(`${count} processes are left, not ${app.system.processCount}: ${pidsOf(sim)}`)
  if (app.system.timers.size !== 0) broken.push(`no timer is left over: ${app.system.timers.size} are`)
  await sim.run(app.stop())
  await sim.advance(10_000)
  if (app.system.processCount !== 0) broken.push(`no process is left at the end: ${pidsOf(sim)}`)
  if (app.system.timers.size !== 0) broken.push(`no timer is left at the end: ${app.system.timers.size} are`)
  if (broken.length > 0) throw new Error(broken.slice(0, 10).join('\n'))
  return world
}

function pidsOf(sim: Simulation): string {
  return sim.system
    .processes()
    .map((ref) => `${ref.info()?.definition} ${ref.pid}`)
    .join(', ')
}

/**
 * One client's session and requests are killed over and over; the others' calls must succeed, in the time that they always take.
 * Throws an Error that names every law that was broken.
 */
export async function liveBesideOneThatDies(sim: Simulation, seed: number): Promise<void> {
  const world = await World.start(sim, seed, {}, false)
  const { dice, broken } = world
  const join = async (): Promise<Peer> => {
    const peer = world.connect()
    if (peer === undefined) throw new Error('Nobody listens.')
    peer.initialize('2025-11-25', {})
    peer.initialized()
    await sim.advance(50)
    return peer
  }
  const victim = await join()
  const [tree] = await world.victims(['session-tree'])
  const others = [await join(), await join(), await join()]
  for (let n = 0; n < STEPS; n++) {
    if (victim.isOwedAnswers)
      victim.request('tools/call', { name: dice.pick(['slow', 'echo', 'stuck', 'steps']), arguments: {} })
    if (dice.chance(0.2) && tree?.alive === true) {
      const rows = await sim.run((tree as SupervisorRef).whichChildren())
      const { ref } = dice.pick(rows)
      if (typeof ref === 'object') ref.exit('kill')
    }
    const calls = others.map((peer) => peer.request('tools/call', { name: 'echo', arguments: { text: 'x' } }))
    await sim.advance(20)
    for (const [index, call] of calls.entries()) {
      const text = call.answer?.result?.content?.[0]?.text
      if (text !== 'hi {"text":"x"}')
        broken.push(`client ${index + 2}: call ${call.id} succeeds: ${JSON.stringify(call.answer)}`)
    }
  }
  if (others.some((peer) => peer.isClosed)) broken.push('the connections of the others stay open')
  await sim.advance(10_000)
  for (const sent of victim.sent.values()) {
    if (sent.answers !== 1 && !victim.isClosed)
      broken.push(`request ${sent.id} of the one that dies is answered, not ${sent.answers} times`)
  }
  for (const peer of world.peers) peer.leave()
  await sim.run(world.app.stop())
  if (broken.length > 0) throw new Error(`seed ${seed}: ${broken.slice(0, 10).join('\n')}`)
}
