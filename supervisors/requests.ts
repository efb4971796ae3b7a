/**
 * Requests are independent of each other and short: any number of one kind, never restarted, ended at once with their session.
 */
import { requestTemplate } from '#actors/request'
import { defineSupervisor } from '#runtime'

export const Requests = defineSupervisor({
  name: 'requests',
  strategy: 'simple_one_for_one',
  children: [requestTemplate()],
})
