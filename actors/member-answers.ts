/**
 * What a member answers the others: each question leads to the same client functions that its own processes use, for this process
 * alone.
 */
import { isTerminal } from '#lifecycles'
import type { System } from '#runtime'
import type { MemberQuestion, MemberQuestions } from './members.ts'
import { spendOnce } from './modern-asks.ts'
import type { Services } from './services.ts'
import { elicitationCompleteHere, listChangedHere, resourceUpdatedHere } from './subscriptions.ts'
import { cancelTask, getTask, listTasksHere, type TaskAnswer, updateTask } from './task-manager.ts'

/** Milliseconds between two looks at a task that another member waits for, and that it is kept waiting for one answer. */
const LOOK_MS = 50
const AWAIT_MS = 10_000

/** Answers one question. Rejects with what went wrong. */
export async function answerMember<Q extends MemberQuestion>(
  services: Services,
  system: System,
  question: Q,
  argument: MemberQuestions[Q],
): Promise<unknown> {
  const asked = { question, argument } as Asked
  switch (asked.question) {
    case 'updated':
      return resourceUpdatedHere(services, asked.argument)
    case 'listChanged':
      return listChangedHere(services, asked.argument)
    case 'elicitationComplete':
      return elicitationCompleteHere(services, asked.argument)
    case 'getTask':
      return getTask(services, asked.argument.id, asked.argument.owner)
    case 'awaitTask':
      return awaitEnd(services, system, asked.argument)
    case 'cancelTask':
      return cancelTask(services, asked.argument.id, asked.argument.owner, asked.argument.isStrict)
    case 'updateTask':
      return updateTask(services, asked.argument.id, asked.argument.owner, asked.argument.responses)
    case 'listTasks':
      return listTasksHere(services, asked.argument.owner, asked.argument.cursor, asked.argument.pageSize)
    case 'viewTasks': {
      const { ids, owner } = asked.argument
      const found = await Promise.all(ids.map((id) => getTask(services, id, owner)))
      return found.flatMap((one) => ('view' in one ? [one.view] : []))
    }
    case 'streamMessage':
      return services.members?.doorway.taken(asked.argument) ?? false
    case 'spend':
      return spendOnce(services, system.clock.wallNow(), asked.argument)
  }
}

type Asked = { [Q in MemberQuestion]: { readonly question: Q; readonly argument: MemberQuestions[Q] } }[MemberQuestion]

async function awaitEnd(
  services: Services,
  { clock }: System,
  { id, owner }: MemberQuestions['awaitTask'],
): Promise<TaskAnswer> {
  const until = clock.now() + AWAIT_MS
  for (;;) {
    const found = await getTask(services, id, owner)
    if ('error' in found || isTerminal(found.view.status) || clock.now() >= until) return found
    await new Promise<void>((resolve) => clock.setTimer(resolve, LOOK_MS))
  }
}
