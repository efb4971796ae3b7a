/** What makes one kind of question differ from another. */
import type { JsonObject } from '#protocol'

export interface QuestionKind {
  /** Throws what is wrong with the params of an author, in the neutral shape. */
  readonly check: (params: JsonObject) => void
  /** The result as whoever asked is given it. Throws a sentence about one that breaks the protocol. */
  readonly accept: (result: JsonObject, params: JsonObject) => JsonObject
  /** The id by which the client is told that what it asks for was completed elsewhere. */
  readonly elicitationId?: (params: JsonObject) => string | undefined
}
