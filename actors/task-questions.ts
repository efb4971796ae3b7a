/**
 * What tasks ask their clients. A question stands in the task's journal until it is answered: through tasks/update, or by a
 * request that waits for the task and asks in its place. The answer stays there, so that a tool that runs anew after a restart
 * gets it at once. The key of a question is never used for another one.
 */
import {
  clientRequestFault,
  clientResultFault,
  ErrorCode,
  has,
  isInRevision,
  isObject,
  type JsonObject,
  methodRow,
  withElicitDefaults,
} from '#protocol'
import type { NoReply, Ref, Self } from '#runtime'
import type { Asked, Question } from './requester.ts'
import { type JournalEntry, openQuestions, sizeOf } from './task-record.ts'
import { type Note, startTimer, stopTimer } from './task-runs.ts'
import { advance, amend, type Entry, offerQuestions, type State, touch } from './task-state.ts'

/** What a waiter heard from the client; undefined when it could not ask. */
export interface GivenAnswer {
  readonly ref: Ref
  readonly key: string
  readonly given: Asked | undefined
}

/** A question as a tool's process puts it. */
export interface AskedQuestion {
  readonly question: Question
  /** Its key: the author's, or one that counts. */
  readonly name: string
  readonly digest: string
}

/** A question of the tool: answered at once from the journal or with a refusal, else when the client has answered. */
export function ask(state: State, entry: Entry, asked: AskedQuestion, self: Self<State>): Asked | NoReply {
  const { record } = entry
  const { question, name, digest } = asked
  const params = question.params as JsonObject | undefined
  const refused = refusalOf(entry, question)
  if (refused !== undefined) return { error: { code: ErrorCode.MethodNotFound, message: refused } }
  const found = placeOf(record.journal, name, digest, question.options.key !== undefined)
  if (found === undefined) {
    const message = `The key ${JSON.stringify(name)} names another question of this task. Give every question its own.`
    return { error: { code: ErrorCode.InvalidParams, message } }
  }
  const { key, known } = found
  if (known?.answer !== undefined) return known.answer
  if (known === undefined) {
    const size = sizeOf(params)
    if (record.journal.length >= state.limits.questionsMax || entry.size + size > state.limits.sizeMax) {
      const message = `The task has asked ${record.journal.length} questions, and may ask no more.`
      return { error: { code: ErrorCode.InternalError, message } }
    }
    const { method, gate } = question
    const written: JournalEntry = { key, digest, question: { method, gate, ...(params !== undefined && { params }) } }
    amend(state, entry, { journal: [...record.journal, written] }, size)
  }
  entry.asking.set(key, [...(entry.asking.get(key) ?? []), self.from])
  stopTimer(entry, self)
  const { expiresInMs } = question.options
  if (expiresInMs !== undefined) self.sendAfter(expiresInMs, { type: 'unanswered', id: record.id, key } satisfies Note)
  require(state, entry, self)
  offerQuestions(entry)
  return self.noreply
}

/** Says that the task waits for its client; the message names what for. */
function require(state: State, entry: Entry, self: Self<State>): void {
  const keys = openQuestions(entry.record).map(({ key }) => key)
  const statusMessage = `Waiting for the client to answer ${keys.join(', ')}.`
  if (!advance(state, entry, 'requireInput', { statusMessage }, self)) touch(state, entry, { statusMessage }, self)
}

/** Where a question stands in the journal, or would; undefined when its author's key names another one. */
function placeOf(
  journal: readonly JournalEntry[],
  name: string,
  digest: string,
  isNamed: boolean,
): { readonly key: string; readonly known: JournalEntry | undefined } | undefined {
  const find = (key: string): JournalEntry | undefined => journal.find((one) => one.key === key)
  const known = find(name)
  if (known === undefined || known.digest === digest) return { key: name, known }
  if (isNamed) return undefined
  // A tool that runs anew and asks something else than the last time: its number is taken.
  const key = `${name}-${digest.slice(0, 8)}`
  return { key, known: find(key) }
}

/** Why the client cannot be asked. */
function refusalOf({ record }: Entry, { method, gate, params }: Question): string | undefined {
  const { protocolVersion, clientCapabilities } = record.client
  const row = methodRow(method)
  if (row === undefined || method === 'ping')
    return `A task cannot send its client ${method}: it has no connection of its own.`
  const isKnown = record.form === 'modern' || isInRevision(row, protocolVersion)
  if (!isKnown)
    return `The client cannot be asked for ${method}: it speaks ${protocolVersion}, which has no such thing.`
  if (gate !== undefined && !has(clientCapabilities, gate))
    return `The client cannot be asked for ${method}: it announced no ${gate}.`
  const neutral = (params ?? {}) as JsonObject
  const fault = row.check(neutral) ?? clientRequestFault(method, neutral, record.form)
  return fault === undefined ? undefined : `${method}: ${fault}`
}

/** Takes the client's answers by key. What is wrong with one of them, if anything: then none is taken. */
export function takeResponses(
  state: State,
  entry: Entry,
  responses: JsonObject,
  self: Self<State>,
): string | undefined {
  const taken: [string, JsonObject][] = []
  for (const { key, question } of openQuestions(entry.record)) {
    const sent = Object.hasOwn(responses, key) ? responses[key] : undefined
    if (sent === undefined) continue
    if (!isObject(sent)) return `params.inputResponses.${key}: the response must be an object`
    const { method, params } = question
    const result = method === 'elicitation/create' ? withElicitDefaults(params, sent) : sent
    const fault = clientResultFault(method, result, params)
    if (fault !== undefined) return `params.inputResponses.${key}: ${fault}`
    taken.push([key, result])
  }
  for (const [key, result] of taken) answer(state, entry, key, { result }, self)
  return undefined
}

/** A waiter heard from the client, or could not ask: then another one may. */
export function answerGiven(state: State, entry: Entry, { ref, key, given }: GivenAnswer, self: Self<State>): void {
  if (given !== undefined) return answer(state, entry, key, given, self)
  if (entry.waiters.get(ref)?.claimed.delete(key) === true) offerQuestions(entry)
}

/** Writes an answer down and hands it to the tool. A question that is answered stays answered. */
export function answer(state: State, entry: Entry, key: string, given: Asked, self: Self<State>): void {
  const { record } = entry
  const open = openQuestions(record)
  if (!open.some((one) => one.key === key)) return
  const size = sizeOf(given)
  const isTooBig = entry.size + size > state.limits.sizeMax
  const message = `The client's answer takes ${size} characters of JSON, more than the task has left.`
  const kept: Asked = isTooBig ? { error: { code: ErrorCode.InternalError, message } } : given
  const journal = record.journal.map((one) => (one.key === key ? { key, digest: one.digest, answer: kept } : one))
  amend(state, entry, { journal }, isTooBig ? 0 : size)
  const waiting = entry.asking.get(key) ?? []
  entry.asking.delete(key)
  if (open.length > 1) require(state, entry, self)
  else advance(state, entry, 'provideInput', {}, self)
  if (entry.asking.size === 0) startTimer(state, entry, self)
  for (const from of waiting) from.reply(kept)
}
