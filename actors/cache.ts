/**
 * The cache as a process: it opens the shared level before anybody is served, forgets what is too old now and then, and closes
 * it at the end. Nobody asks it for an answer: requests read the tables themselves. What is kept outlives its restarts, since
 * the tables belong to the application.
 */
import type { Answers } from '#cache/answers'
import { type ChildSpec, child, defineActor, type Self, via } from '#runtime'
import type { Services } from './services.ts'

/** Milliseconds between two looks for what is too old. */
const SWEEP_MS = 10_000

export const Cache = defineActor({
  name: 'cache',
  // Only then has it last words.
  trapExits: true,
  init: async (services: Services, self: Self<never>): Promise<Answers | undefined> => {
    const { clock, random } = self.system
    services.answers ??= services.makeAnswers?.(clock, random)
    await services.answers?.shared.open()
    if (services.answers !== undefined) later(services.answers, self)
    return services.answers
  },
  cast: {
    /** Something was kept after there was nothing. */
    filling: (_answers, _arg: undefined, self) => void self.sendAfter(SWEEP_MS, 'sweep'),
  },
  call: {
    /** How full it is. */
    stats: (answers) => answers?.stats(),
  },
  info: (answers, message, self) => {
    if (message !== 'sweep') return
    if (answers === undefined) return
    answers.sweep()
    later(answers, self)
  },
  terminate: (answers) => answers?.shared.close(),
})

/** Looks again after a while; an empty cache needs no looking after, and no timer. */
function later(answers: Answers, self: Pick<Self, 'ref' | 'sendAfter'>): void {
  if (answers.stats().entries > 0) self.sendAfter(SWEEP_MS, 'sweep')
  else answers.onceKept(() => void self.ref.cast('filling'))
}

export function cacheChild(services: Services): ChildSpec {
  return child(Cache, services, { id: 'cache', name: via(services.names, 'cache') })
}
