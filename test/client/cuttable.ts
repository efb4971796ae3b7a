/** A way to a server that can be cut, and that can go dead: bytes then neither pass nor come to an end. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Cuttable {
  readonly port: number
  /** Connections that were made so far. */
  readonly made: number
  /** Cuts every connection there is. */
  cut(): void
  /** From now on nothing passes on the connections there are; new ones are well. */
  freeze(): void
}

/** Opens a way to that port of this machine, until the test ends. */
export async function cuttable(port: number): Promise<Cuttable> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let made = 0
  const server = createServer((near) => {
    made++
    const far = connect(port, '127.0.0.1')
    const pair = [near, far] as const
    pairs.add(pair)
    near.pipe(far)
    far.pipe(near)
    for (const socket of pair) {
      socket.on('error', () => {})
      socket.on('close', () => {
        pairs.delete(pair)
        for (const one of pair) one.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    cut()
    await closed
  })
  return {
    port: (server.address() as AddressInfo).port,
    get made() {
      return made
    },
    cut,
    freeze: () => {
      for (const [near, far] of pairs) {
        near.unpipe(far)
        far.unpipe(near)
        near.pause()
        far.pause()
      }
    },
  }
}
