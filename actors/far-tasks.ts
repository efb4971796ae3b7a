/**
 * Tasks that other processes of a server have. Whoever asks for a task by its id is led to the member that gave the id; a list is
 * made of the lists of all.
 */
import { ErrorCode, type ErrorObject } from '#protocol'
import type { TaskView } from '#protocol/tasks'
import { farOwner, type MemberQuestion, type MemberQuestions } from './members.ts'
import type { Services } from './services.ts'

/** A page of a list of tasks. */
export interface TaskPage {
  readonly views: readonly TaskView[]
  readonly nextCursor: string | undefined
}

/** Lists the tasks of this process alone. */
export type ListHere = (
  services: Services,
  owner: string,
  cursor: unknown,
  pageSize: number,
) => Promise<TaskPage | { readonly error: ErrorObject }>

/** The answer of the manager, or an error while it is being restarted. */
export async function asked<T>(call: Promise<unknown>): Promise<T | { readonly error: ErrorObject }> {
  try {
    return (await call) as T
  } catch {
    const message = 'The tasks of this server are being restarted. Try again.'
    return { error: { code: ErrorCode.InternalError, message } }
  }
}

/** Asks the member that has the task; undefined when it is here. */
export function askFar<T>(
  { members }: Services,
  id: string,
  question: MemberQuestion,
  argument: MemberQuestions[MemberQuestion],
): Promise<T | { readonly error: ErrorObject }> | undefined {
  const owner = farOwner(members, id)
  return owner === undefined || members === undefined ? undefined : asked(members.ask(owner, question, argument, true))
}

/** The tasks of one member after those of the other; the cursor begins with which. */
export async function listEverywhere(
  services: Services,
  owner: string,
  cursor: unknown,
  pageSize: number,
  listHere: ListHere,
): Promise<TaskPage | { readonly error: ErrorObject }> {
  const { members } = services
  if (members === undefined) return listHere(services, owner, cursor, pageSize)
  const [, first = '0', inner = ''] = /^(\d{1,2})\.(.*)$/.exec(String(cursor ?? '0.')) ?? ['', '0', String(cursor)]
  let after: string | undefined = inner === '' ? undefined : inner
  for (let index = Number(first); index < members.count; index++) {
    const page: TaskPage | { readonly error: ErrorObject } =
      index === members.index
        ? await listHere(services, owner, after, pageSize)
        : await asked(members.ask(index, 'listTasks', { owner, cursor: after, pageSize }, true))
    if ('error' in page) return page
    const { views, nextCursor } = page
    after = nextCursor ?? undefined
    if (after !== undefined) return { views, nextCursor: `${index}.${after}` }
    if (views.length > 0) return { views, nextCursor: index + 1 < members.count ? `${index + 1}.` : undefined }
  }
  return { views: [], nextCursor: undefined }
}

/** Those of these tasks, all of other members, that `owner` may see, as they stand; a member that is away has none. */
export async function viewFarTasks(
  { members }: Services,
  ids: readonly string[],
  owner: string,
): Promise<readonly TaskView[]> {
  if (members === undefined || ids.length === 0) return []
  const byMember = new Map<number, string[]>()
  for (const id of ids) {
    const member = farOwner(members, id)
    if (member !== undefined) byMember.set(member, [...(byMember.get(member) ?? []), id])
  }
  const found = await Promise.allSettled(
    [...byMember].map(([member, theirs]) => members.ask(member, 'viewTasks', { ids: theirs, owner })),
  )
  return found.flatMap((one) => (one.status === 'fulfilled' ? (one.value as readonly TaskView[]) : []))
}
