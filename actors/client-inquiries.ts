/**
 * The questions of a legacy server that are open on a connection: each is answered once, over the link that brought it, unless
 * the server takes it back or the link is lost.
 *
 * Spec: MCP 2025-11-25, basic, requests; basic/utilities/cancellation and ping.
 */
import { encodeError, encodeResult, type RequestId, type RequestMessage } from '#protocol'
import type { Outgoing } from '#transports/client-port'
import { versionHeader } from './client-messages.ts'
import { answerQuestion } from './client-questions.ts'
import type { ClientServices } from './client-services.ts'

export class ServerQuestions {
  private readonly services: ClientServices
  private readonly put: (message: Outgoing) => boolean
  private readonly open = new Map<RequestId, AbortController>()

  constructor(services: ClientServices, put: (message: Outgoing) => boolean) {
    this.services = services
    this.put = put
  }

  ask({ id, method, params = {} }: RequestMessage): void {
    if (method === 'ping') return this.answer(encodeResult(id))
    // An id that is in use is the server's mistake; the first question keeps it.
    if (this.open.has(id)) return
    const control = new AbortController()
    this.open.set(id, control)
    void answerQuestion(this.services, method, params, control.signal).then((answer) => {
      if (this.open.get(id) !== control) return
      this.open.delete(id)
      this.answer('result' in answer ? encodeResult(id, answer.result) : encodeError(id, answer.error))
    })
  }

  /** The server does not want the answer any more. */
  withdraw(id: RequestId): void {
    const control = this.open.get(id)
    this.open.delete(id)
    control?.abort('cancelled')
  }

  /** The link is gone, and with it whoever asked. */
  end(): void {
    for (const id of [...this.open.keys()]) this.withdraw(id)
  }

  private answer(text: string): void {
    // It is no request: its id is the server's, and may be that of a request of ours as well.
    this.put({ text, kind: 'response', ids: [], headers: versionHeader(this.services.known.server) })
  }
}
