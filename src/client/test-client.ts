/**
 * A client and its server in one process, without a socket: for tests, also in a simulation.
 *
 *     const client = await testClient(server)
 *     expect(await client.callTool('add', { a: 1, b: 2 })).toMatchObject({ structuredContent: { sum: 3 } })
 *     await client.close()          // ends the server too
 *
 *     const sim = createSimulation({ seed: 42 })
 *     const client = await sim.run(testClient(server, { system: sim.system }))
 */
import { type ServeOptions, type Server, serve } from 'bough/server'
import { memoryClientTransport } from '#transports/client-memory'
import { memoryTransport } from '#transports/memory'
import type { Client } from './client.ts'
import { connect } from './connect.ts'
import type { ConnectOptions } from './options.ts'

export interface TestClientOptions extends ConnectOptions {
  /** Options of the server. It serves memory alone and logs nothing, unless they say otherwise. */
  readonly serve?: Partial<ServeOptions>
}

/** Serves `server` in memory and connects to it. */
export async function testClient(
  server: Server,
  { serve: serving, ...options }: TestClientOptions = {},
): Promise<Client> {
  const memory = memoryTransport()
  const app = await serve(server, {
    transports: [memory.transport],
    logger: false,
    signals: false,
    guard: false,
    ...(options.system !== undefined && { system: options.system }),
    ...(options.clock !== undefined && { clock: options.clock }),
    ...(options.random !== undefined && { random: options.random }),
    ...serving,
  })
  try {
    const client = await connect({ transport: memoryClientTransport(memory) }, options)
    const close = client.close.bind(client)
    client.close = async () => {
      await close()
      await app.stop()
    }
    return client
  } catch (error) {
    await app.stop()
    throw error
  }
}
