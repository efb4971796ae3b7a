/**
 * What a server that is one of several processes (a *member*) knows of the others. Every id that a member gives away, of a session
 * or a task, begins with its mark, so any member sees whose it is without asking anybody. The mark is no secret and no proof:
 * whoever forges one reaches a member that does not know the id.
 *
 *     '2.oV1n...'    given by member 2
 */
import type { ErrorObject, JsonObject } from '#protocol'
import type { TaskView } from '#protocol/tasks'
import type { Doorway, StreamMessage } from '#transports/doorway'
import type { Exchange } from '#transports/port'
import type { KeyRecord } from './sealing.ts'

/** What one member may ask another, by name; the value is the argument. All of it is plain data. */
export interface MemberQuestions {
  /** Something changed that clients of any member may follow. Answered when the clients of that member cannot miss it any more. */
  readonly updated: string
  readonly listChanged: string
  readonly elicitationComplete: string
  /** Tasks, by whoever may see them; see actors/task-manager.ts. */
  readonly getTask: { readonly id: string; readonly owner: string }
  readonly cancelTask: { readonly id: string; readonly owner: string; readonly isStrict: boolean }
  readonly updateTask: { readonly id: string; readonly owner: string; readonly responses: JsonObject }
  /** Answered when the task has ended, or after a while as it stands. */
  readonly awaitTask: { readonly id: string; readonly owner: string }
  readonly listTasks: { readonly owner: string; readonly cursor: unknown; readonly pageSize: number }
  /** The tasks of those ids that the owner may see, as they stand. */
  readonly viewTasks: { readonly ids: readonly string[]; readonly owner: string }
  /** A message to a stream of the legacy HTTP+SSE transport; whether it was taken. */
  readonly streamMessage: StreamMessage
  /** Marks an answer as used; true when it was not before. */
  readonly spend: { readonly id: string; readonly expiresAt: number }
}

export type MemberQuestion = keyof MemberQuestions

/** What the questions about tasks are answered with. */
export type FarTask = { readonly view: TaskView } | { readonly error: ErrorObject }

export interface Members {
  /** Which one this is, from 0. */
  readonly index: number
  /** How many there are. */
  readonly count: number
  /** What every id of this member begins with. */
  readonly mark: string
  /** Where its transports get their connections. */
  readonly doorway: Doorway & { taken(message: StreamMessage): boolean }
  /** Hands an exchange to the member that owns its session. Whatever goes wrong is answered. */
  forward(exchange: Exchange, owner: number): void
  /**
   * Asks another member. Rejects with an Error when it cannot be reached; with `isPatient` one that is being restarted is waited
   * for, for as long as that may take.
   */
  ask<Q extends MemberQuestion>(
    owner: number,
    question: Q,
    argument: MemberQuestions[Q],
    isPatient?: boolean,
  ): Promise<unknown>
  /** Tells all the others. Resolves when each has answered, or is not there any more; never rejects. */
  tell<Q extends MemberQuestion>(question: Q, argument: MemberQuestions[Q]): Promise<void>
  /** The keys that all members seal with. */
  keys(): readonly KeyRecord[]
  /** Resolves when no exchange of a client of ours is under way at another member, or the time is up. */
  drained(withinMs: number): Promise<void>
}

/** Members that one server may have: as many as marks have room for. */
export const MEMBERS_MAX = 64

const MARK = /^(\d{1,2})\./

export function markOf(index: number): string {
  return `${index}.`
}

/** The member that gave an id, when it is one of the others; undefined for our own ids and those that nobody gave. */
export function farOwner(members: Members | undefined, id: string | undefined): number | undefined {
  if (members === undefined || id === undefined) return undefined
  const index = Number(MARK.exec(id)?.[1] ?? members.index)
  return index === members.index || index >= members.count ? undefined : index
}
