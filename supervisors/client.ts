/**
 * One client. The connection hands questions of the server to the tasks that answer them, and subscriptions are wishes sent
 * over the connection: each child needs those before it, so what follows a child that ended starts anew with it. The tables
 * that they share outlive them all. Ten crashes within ten seconds and the client is given up.
 */
import { clientConnectionChild } from '#actors/client-connection'
import { type ClientServices, QUESTIONS } from '#actors/client-services'
import { clientSubscriptionsChild } from '#actors/client-subscriptions'
import { child, defineSupervisor, defineTaskSupervisor, via } from '#runtime'

/** Questions of the server that are answered at once; one more is refused. */
const QUESTIONS_MAX = 100

const Questions = defineTaskSupervisor({ name: QUESTIONS, maxChildren: QUESTIONS_MAX })

export const ClientTree = defineSupervisor('client', (services: ClientServices) => ({
  strategy: 'rest_for_one',
  intensity: 10,
  period: 10_000,
  children: [
    child(Questions, undefined, { id: QUESTIONS, name: via(services.names, QUESTIONS) }),
    clientConnectionChild(services),
    clientSubscriptionsChild(services),
  ],
}))
