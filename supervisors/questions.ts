/**
 * Questions to clients are independent of each other and of the sessions that they go through; none is asked twice, so none is
 * restarted. All share one supervisor: an idle session holds nothing for questions that it may never ask.
 */
import { questionTemplate } from '#actors/question'
import type { Services } from '#actors/services'
import { type ChildSpec, child, defineSupervisor, via } from '#runtime'

/** Questions of all sessions that may be open at once. */
const QUESTIONS_MAX = 10_000

const Questions = defineSupervisor({
  name: 'questions',
  strategy: 'simple_one_for_one',
  maxChildren: QUESTIONS_MAX,
  children: [questionTemplate()],
})

export const questionsChild = (services: Services): ChildSpec =>
  child(Questions, undefined, { id: 'questions', name: via(services.names, 'questions') })
