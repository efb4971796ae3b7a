/**
 * The stream on which a legacy server sends by itself: a GET that is opened again for as long as the link is open.
 *
 * A server that has no such stream answers 405, or another refusal, and is not asked again. A server that cannot be reached is
 * asked again and again, at a rate that falls to one try per `maxReconnectDelayMs`; the receiver is told once.
 *
 * Spec: MCP 2025-11-25, basic/transports, listening for messages from the server.
 */
import { answeredIds } from './client-answers.ts'
import { invalidFailure } from './client-failures.ts'
import type { AnswerHost } from './client-http-answer.ts'
import { HttpEventStream, type StreamOwner } from './client-http-stream.ts'
import type { LinkFailure } from './client-port.ts'

export class HttpServerStream implements StreamOwner {
  readonly isDone = false
  readonly startsAnew = true
  readonly #host: AnswerHost
  readonly #stream: HttpEventStream

  constructor(host: AnswerHost) {
    this.#host = host
    this.#stream = new HttpEventStream(host, this, this.#what)
  }

  start(): void {
    this.#stream.connect()
  }

  stop(): void {
    this.#stream.stop()
  }

  received(text: string): void {
    this.#host.deliver(text, answeredIds(text) ?? [])
  }

  oversized(): void {
    const { maxMessageBytes } = this.#host.settings
    this.#host.failed(
      [],
      invalidFailure(this.#what, `a message longer than ${maxMessageBytes} bytes was dropped.`, false),
    )
  }

  failing(failures: number): boolean {
    if (failures === this.#host.settings.maxReconnects) {
      const message = `${this.#what}: ${failures} tries in a row failed; messages of the server may be missed meanwhile.`
      this.#host.failed([], { kind: 'broken', message, mayHaveRun: false })
    }
    return true
  }

  over(failure: LinkFailure): void {
    if (failure.status !== 405) this.#host.failed([], failure)
  }

  get #what(): string {
    return `GET ${this.#host.settings.url.href}`
  }
}
