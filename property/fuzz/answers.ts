/** Whether what a server sends is a message of some revision that it serves: the published schemas are the judge. */
import { type Wire, wireFault } from '../../test/server/wire-schema.ts'
import { must } from './target.ts'

export type { Wire } from '../../test/server/wire-schema.ts'

const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
/** Requests whose answers are waited for; older ones are forgotten. */
const ASKED_MAX = 4_096

/** What one client asked, and what it may be told. */
export class Answers {
  private readonly asked = new Map<unknown, Set<string>>()
  /** What clients asked to read: it comes back as they wrote it, be it a URI or not. */
  private readonly uris = new Set<unknown>()
  private version: string
  /** The text that came last: a thousand lines may be refused in the same words. */
  private last = ''

  constructor(version: string) {
    this.version = version
  }

  /** Notes the requests in a text that is about to be sent, if it is one. */
  sending(text: string): void {
    // On some transports each line is a message of its own.
    const lines = text.includes('\n') ? text.split('\n') : []
    for (const one of [text, ...lines].flatMap(messagesIn)) {
      if (typeof one?.method !== 'string' || one.id == null) continue
      if (one.method === 'resources/read') {
        // Asked again, it is the newest.
        this.uris.delete(one.params?.uri)
        this.uris.add(one.params?.uri)
        if (this.uris.size > ASKED_MAX) this.uris.delete(this.uris.values().next().value)
      }
      const methods = this.asked.get(one.id) ?? new Set()
      // Asked again, it is the newest.
      this.asked.delete(one.id)
      this.asked.set(one.id, methods.add(one.method))
      if (this.asked.size > ASKED_MAX) this.asked.delete(this.asked.keys().next().value)
    }
  }

  /** Checks every message of a text that came, and returns them. */
  came(text: string): Wire[] {
    if (text === this.last) return []
    this.last = text
    must(!text.includes('\n'), 'an answer is more than one line', text)
    const messages = [JSON.parse(text)].flat() as Wire[]
    for (const message of messages) this.check(this.withUris(message))
    return messages
  }

  private withUris(message: Wire): Wire {
    const { result } = message
    if (!Array.isArray(result?.contents)) return message
    const contents = result.contents.map((one: { uri?: unknown }) => {
      return this.uris.has(one.uri) ? { ...one, uri: 'config://app' } : one
    })
    return { ...message, result: { ...result, contents } }
  }

  private check(message: Wire): void {
    const methods = message.method === undefined ? [...(this.asked.get(message.id) ?? [])] : []
    if (methods.includes('initialize')) {
      const agreed: unknown = message.result?.protocolVersion
      if (typeof agreed === 'string') this.version = agreed
    }
    const faults: string[] = []
    // Which revision an answer is of, the mutated request decided: it must be right in one of them.
    for (const version of new Set([this.version, LEGACY, MODERN])) {
      for (const method of methods.length === 0 ? [undefined] : methods) {
        const fault = faultIn(version, message, method)
        if (fault === undefined) return
        faults.push(fault)
      }
    }
    must(false, 'a message that no schema knows', faults[0]?.slice(0, 300), message)
  }
}

/** As `wireFault`; a method that a revision does not have is a fault too. */
function faultIn(version: string, message: Wire, method: string | undefined): string | undefined {
  try {
    return wireFault(version, message, method)
  } catch (error) {
    return String(error)
  }
}

/** The messages in a text, if it is JSON. */
export function messagesIn(text: string): (Wire | null)[] {
  try {
    return [JSON.parse(text)].flat().filter((one) => typeof one === 'object') as (Wire | null)[]
  } catch {
    return []
  }
}
