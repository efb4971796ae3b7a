import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { createSimulation } from 'bough/testing'
import { describe, expect, it } from 'vitest'
import { HttpBrake } from '#transports/http-brake'

function make() {
  const sim = createSimulation({ seed: 1 })
  const brake = new HttpBrake(sim.system.clock)
  // Of a socket only its reading is looked at.
  const socket = (): Socket => new PassThrough().resume() as unknown as Socket
  return { sim, brake, sockets: (count: number) => Array.from({ length: count }, socket) }
}

describe('the brake on refused connections', () => {
  it('holds nobody while refusals are few', async () => {
    const { sim, brake, sockets } = make()
    for (const socket of sockets(50)) {
      brake.refused(socket)
      expect(socket.isPaused()).toBe(false)
      await sim.advance(10)
    }
  })

  it('holds those that are refused in a flood, half a second at most, and then reads them again', async () => {
    const { sim, brake, sockets } = make()
    const all = sockets(1_000)
    for (const socket of all) brake.refused(socket)
    expect(all.filter((socket) => socket.isPaused()).length).toBeGreaterThan(900)
    await sim.advance(250)
    const held = all.filter((socket) => socket.isPaused()).length
    expect(held).toBeGreaterThan(500)
    expect(held).toBeLessThan(900)
    await sim.advance(250)
    expect(all.filter((socket) => socket.isPaused())).toEqual([])
  })

  it('holds a connection once however often it is refused', async () => {
    const { sim, brake, sockets } = make()
    for (const socket of sockets(100)) brake.refused(socket)
    const [socket] = sockets(1)
    for (let n = 0; n < 10; n++) brake.refused(socket!)
    await sim.advance(500)
    expect(socket!.isPaused()).toBe(false)
  })
})
