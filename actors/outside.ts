/**
 * The listener of the pages for whoever runs the server, on a port of their own. It is the first to start and the last to end, and
 * fails alone; started anew it is found on the port where it was.
 */
import { listenOutside, type OutsideListening } from '#observability/outside-server'
import { type ChildSpec, child, defineActor, type Self, via } from '#runtime'
import type { Services } from './services.ts'

export const OutsideListener = defineActor({
  name: 'outside',
  trapExits: true,
  init: async (services: Pick<Services, 'outside'>, self: Self<never>): Promise<OutsideListening> => {
    const { outside } = services
    if (outside === undefined) throw new Error('observe: no port was named.')
    const listening = await listenOutside(outside.view, outside.address)
    outside.address = { ...outside.address, port: listening.port }
    outside.url = listening.url
    // Killed, it has no last words, but its port must be free for the next incarnation.
    self.signal.addEventListener('abort', () => void listening.close(), { once: true })
    return listening
  },
  terminate: (listening) => listening.close(),
})

export function outsideChild(services: Pick<Services, 'outside' | 'names'>): ChildSpec {
  return child(OutsideListener, services, { id: 'outside', name: via(services.names, 'outside') })
}
