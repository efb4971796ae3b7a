/**
 * The state of a connection: its phase, its link, the requests that wait for answers. The process around it is in
 * client-connection.ts; nothing here waits for anything but messages.
 */
import { type ConnectionEvent, firstConnectionPhase, nextConnectionPhase } from '#lifecycles/connection'
import { decode, ErrorCode, type ErrorObject, type JsonObject, type Message, type RequestId } from '#protocol'
import { type From, type Self, via } from '#runtime'
import type { Link, LinkFailure } from '#transports/client-port'
import { type CallJob, Calls, type CallTimer, type Progress } from './client-calls.ts'
import type { ConnectionTimer, ListenJob, Ready } from './client-connection.ts'
import { type Answer, errorInBody, failureOf, refusalOf, type Step, spoken } from './client-handshake.ts'
import { ServerQuestions } from './client-inquiries.ts'
import { closeQuietly, type LinkMessage, openLink } from './client-link.ts'
import { Listens, subscriptionOf, tellListener } from './client-listens.ts'
import { encodeCall, metaOf } from './client-messages.ts'
import { Opening } from './client-opening.ts'
import { isOfLegacyServer } from './client-repeats.ts'
import { Retries } from './client-retries.ts'
import { type Line, Sender } from './client-sender.ts'
import { type ClientServices, type Failure, type ServerDescription, SUBSCRIPTIONS } from './client-services.ts'

export class Wire implements Line {
  private readonly services: ClientServices
  private readonly self: Self<never>
  private readonly calls: Calls
  private readonly questions: ServerQuestions
  epoch = 0
  link: Link | undefined
  server: ServerDescription | undefined
  private readonly opening: Opening
  private waiters: From[] = []
  private readonly listens = new Listens()
  private readonly retries: Retries
  private readonly sender: Sender
  private lastFailure: Failure | undefined
  /** What the server said on this link of a message that it did not name. */
  private complaint: ErrorObject | undefined

  constructor(services: ClientServices, self: Self<never>) {
    this.services = services
    this.self = self
    this.calls = new Calls(self, services.settings.callsMax)
    this.retries = new Retries(services.settings.reconnect, self)
    this.sender = new Sender(services, self, this, this.calls, this.retries)
    this.opening = new Opening(services, self, (message) => this.sender.put(message))
    this.questions = new ServerQuestions(services, (message) => this.sender.put(message))
    // An earlier incarnation may have ended in any phase.
    services.known.phase = firstConnectionPhase
  }

  // ---- the facade's wishes ---------------------------------------------------------------------------------------------

  whenReady(from: From): void {
    const { phase } = this.services.known
    if (this.server !== undefined && this.isOperating) from.reply({ server: this.server } satisfies Ready)
    else if (phase === 'failed') from.reply({ failure: this.notNow() } satisfies Ready)
    else this.waiters.push(from)
  }

  request(job: CallJob, from: From): void {
    const call = this.calls.open(job, from)
    if (call === undefined) return
    if (!this.isOperating) {
      this.calls.wait(call)
      if (this.services.known.phase === 'failed') this.wake()
    } else this.sender.take(call)
  }

  /** All requests of a batch are there. */
  flush(batch: number): void {
    const calls = this.sender.release(batch)
    if (!this.isOperating) {
      for (const call of calls) this.calls.wait(call)
      return
    }
    this.sender.together(calls)
  }

  cancel(key: number, reason: unknown): void {
    const call = this.calls.ofKey(key)
    if (call === undefined) return
    this.sender.withdraw(call, 'the request was cancelled')
    this.calls.give(call, 'cancelled', 'the request was cancelled.', reason)
  }

  notify(method: string, params: JsonObject | undefined): void {
    this.sender.notify(method, params)
  }

  listen(job: ListenJob): void {
    if (!this.isOperating) return tellListener(job, { ended: { failure: this.notNow() } })
    const id = ++this.services.known.lastId
    this.listens.add(id, job, this.epoch)
    const { text, headers } = encodeCall(
      id,
      'subscriptions/listen',
      { notifications: job.filter },
      metaOf(this.services, this.server),
    )
    if (!this.sender.put({ text, kind: 'request', ids: [id], headers })) this.listens.end(id, this.notNow())
  }

  /** Ends a stream, or without a key all of them: whoever held them has ended. */
  unlisten(key: number | undefined): void {
    for (const id of this.listens.take(key, this.epoch)) this.sender.tellCancelled(id, 'not wanted any more')
  }

  // ---- opening ---------------------------------------------------------------------------------------------------------

  open(): void {
    const { known, settings, transports } = this.services
    const transport = transports[known.transport] ?? transports[0]
    if (transport === undefined || this.retries.isWaiting) return
    const isLegacy = known.era === 'legacy' || spoken(settings, 'modern').length === 0
    this.go(isLegacy ? 'legacy' : 'probe')
    const epoch = ++this.epoch
    this.server = undefined
    this.complaint = undefined
    this.opening.begin(epoch)
    openLink(transport, epoch, this.self)
  }

  private opened(link: Link): void {
    this.link = link
    if (this.services.known.phase === 'probing') this.opening.discover(this.epoch, this.isHttp)
    else this.opening.initialize(this.epoch)
  }

  private answered(answer: Answer): void {
    const step = this.opening.answered(answer, this.isHttp)
    if (step !== undefined) this.take(step)
  }

  private take(step: Step): void {
    const { known } = this.services
    switch (step.kind) {
      case 'operate':
        return this.operate(step.server)
      case 'discover':
        return this.opening.discover(this.epoch, this.isHttp, step.version)
      case 'initialize':
        this.go('legacy')
        return this.opening.initialize(this.epoch)
      case 'reopen':
      case 'fall_back': {
        known.era = 'legacy'
        if (step.kind === 'fall_back') known.transport++
        this.dropLink({ kind: 'closed', message: 'The link was left for another one.', mayHaveRun: false })
        this.go('lost')
        return this.open()
      }
      case 'fail': {
        // What is believed of a server that was known may be why: then the next try asks anew.
        const wasAssumed = known.server !== undefined && known.era !== undefined
        if (step.isFinal || step.failure.code === 'timeout' || known.server === undefined) {
          known.era = undefined
          known.transport = 0
        }
        this.dropLink({ kind: 'broken', message: step.failure.message, mayHaveRun: false })
        return this.reconnect(step.failure, step.isFinal && !wasAssumed, step.retryAfterMs)
      }
    }
  }

  private operate(server: ServerDescription): void {
    const { known } = this.services
    this.server = server
    known.server = server
    known.era = server.era
    known.operated++
    this.lastFailure = undefined
    this.go(server.era === 'modern' ? 'modern' : 'initialized')
    this.retries.operates()
    if (server.era === 'legacy') {
      this.notify('notifications/initialized', undefined)
      this.link?.listen()
    }
    for (const from of this.waiters.splice(0)) from.reply({ server } satisfies Ready)
    void via(this.services.names, SUBSCRIPTIONS).cast('operating', server.era)
    for (const call of this.calls.takeWaiting()) this.sender.send(call)
  }

  // ---- what the link tells ---------------------------------------------------------------------------------------------

  heard(news: LinkMessage): void {
    const { epoch } = news
    const isCurrent = epoch === this.epoch
    switch (news.type) {
      case 'opened':
        if (!isCurrent || this.services.known.phase === 'reconnecting') return closeQuietly(news.link)
        return this.opened(news.link)
      case 'unopened':
        return isCurrent ? this.answered({ failure: news.failure }) : undefined
      case 'message':
        return this.message(news.text, epoch)
      case 'no_answer':
        for (const id of news.ids) this.noAnswer(id, news.failure)
        return
      case 'link_closed':
        return this.lost(epoch, news.failure)
    }
  }

  private message(text: string, epoch: number): void {
    if (epoch !== this.epoch) return
    for (const message of [decode(text)].flat()) this.dispatch(message)
  }

  private dispatch(message: Message): void {
    switch (message.kind) {
      case 'response':
      case 'error': {
        if (message.kind === 'error' && message.id === null) this.complaint = message.error
        const id = message.id ?? (this.server === undefined ? this.opening.id : undefined)
        if (id === undefined)
          return this.services.news.warn(`The server refused a message it could not read: ${text(message)}`)
        const answer = message.kind === 'response' ? { result: message.result } : { error: message.error }
        if (id === this.opening.id) return this.answered(answer)
        return this.answer(id, answer)
      }
      case 'request':
        return this.questions.ask(message)
      case 'notification':
        return this.notified(message.method, message.params ?? {})
      case 'invalid':
        this.services.news.warn(`The server sent what is no message: ${message.error.message}`)
        if (message.id !== null) {
          const failure = { kind: 'invalid', message: message.error.message, mayHaveRun: true } as const
          if (message.id === this.opening.id) this.answered({ failure })
          else this.noAnswer(message.id, failure)
        }
    }
  }

  private answer(id: RequestId, answer: { readonly result: JsonObject } | { readonly error: ErrorObject }): void {
    const failure = 'error' in answer ? refusalOf(answer.error) : undefined
    const call = this.calls.byId(id)
    if (call === undefined) return this.listens.end(id, failure)
    if (failure?.code === ErrorCode.UnsupportedProtocolVersion && call.refusals === 0 && this.isOperating) {
      // The server speaks other versions than it did: what was asked is asked again when they are known.
      this.renew()
      return this.sender.missed(call, { kind: 'session_lost', message: failure.message, mayHaveRun: false })
    }
    this.calls.settle(
      call,
      failure === undefined ? { result: (answer as { readonly result: JsonObject }).result } : { failure },
    )
  }

  private notified(method: string, params: JsonObject): void {
    const { news } = this.services
    switch (method) {
      case 'notifications/progress': {
        const call = this.calls.byId(params['progressToken'] as RequestId)
        if (call !== undefined) this.calls.progressed(call, params as unknown as Progress)
        return
      }
      case 'notifications/cancelled': {
        // The server takes a question back, or ends a stream of changes.
        const id = params['requestId'] as RequestId
        return this.listens.has(id) ? this.listens.end(id, undefined) : this.questions.withdraw(id)
      }
      case 'notifications/subscriptions/acknowledged':
        return this.listens.acknowledge(params)
      default: {
        // Of a stream that nobody holds any more: its end did not reach the server, or is on its way.
        const stream = subscriptionOf(params)
        if (stream === undefined || this.listens.has(stream)) return news.notified(method, params)
        return this.sender.tellCancelled(stream, 'not wanted any more')
      }
    }
  }

  private noAnswer(id: RequestId, failure: LinkFailure): void {
    if (id === this.opening.id) return this.answered({ failure })
    this.listens.end(id, failureOf(failure))
    const call = this.calls.byId(id)
    if (call === undefined) return
    const error = failure.kind === 'session_lost' ? undefined : errorInBody(failure)
    if (error !== undefined) return this.answer(id, { error })
    const isOtherEra = this.server?.era === 'modern' && isOfLegacyServer(failure) && call.refusals === 0
    if (isOtherEra) this.services.known.era = undefined
    if (!isOtherEra && failure.kind !== 'session_lost') return this.sender.missed(call, failure)
    if (this.isOperating) this.renew()
    this.sender.missed(call, { ...failure, kind: 'session_lost' })
  }

  // ---- losing and trying again -----------------------------------------------------------------------------------------

  /** A link is over. */
  private lost(epoch: number, failure: LinkFailure): void {
    if (epoch !== this.epoch || this.link === undefined) return this.landAll(epoch, failure)
    this.link = undefined
    // A server that lets nobody in may say why before it hangs up.
    if (this.opening.id !== undefined)
      return this.answered(this.complaint === undefined ? { failure } : { error: this.complaint })
    this.questions.end()
    this.go('lost')
    this.landAll(epoch, failure)
    this.reconnect(failureOf(failure), false, failure.retryAfterMs)
  }

  /** Everything in flight on that link has no answer. */
  private landAll(epoch: number, failure: LinkFailure): void {
    for (const call of this.calls.ofEpoch(epoch)) this.sender.missed(call, { ...failure, mayHaveRun: true })
    this.listens.endAll(epoch, failureOf(failure))
  }

  /** The server is well, but what was agreed with it is gone: the link is ended, and its end brings another one. */
  private renew(): void {
    this.go('lost')
    if (this.link !== undefined) closeQuietly(this.link)
  }

  private dropLink(failure: LinkFailure): void {
    const { link } = this
    this.opening.end()
    this.link = undefined
    if (link !== undefined) closeQuietly(link)
    this.landAll(this.epoch, failure)
  }

  /** After a loss or a failed try: tries again later, or gives up. */
  private reconnect(failure: Failure, isFinal: boolean, retryAfterMs?: number): void {
    const { known } = this.services
    this.lastFailure = failure
    if (isFinal || known.server === undefined || !this.retries.next(retryAfterMs)) return this.giveUp(failure, isFinal)
    if (known.phase !== 'reconnecting') this.go('lost')
  }

  /** Somebody asks for what was given up: all tries begin again. */
  private wake(): void {
    this.retries.reset()
    this.open()
  }

  /** Nothing is tried any more before somebody asks; but for what the client wants to be told of, now and then. */
  private giveUp(failure: Failure, isFinal: boolean): void {
    this.go('give_up')
    const { wanted, known } = this.services
    const isAwaited = wanted.uris.size + wanted.lists.size + wanted.tasks.size > 0
    if (isAwaited && !isFinal && known.server !== undefined) this.retries.seldom()
    for (const call of this.calls.all()) {
      const mayHaveRun = call.id !== undefined || call.losses > 0
      this.calls.fail(call, { ...failure, message: `${call.job.method}: ${failure.message}`, mayHaveRun })
    }
    for (const from of this.waiters.splice(0)) from.reply({ failure } satisfies Ready)
  }

  callTimer(timer: CallTimer): void {
    this.sender.timer(timer)
  }

  timer({ type, epoch }: ConnectionTimer): void {
    if (type === 'retry') {
      if (this.retries.fired(epoch)) this.open()
    } else if (epoch === this.epoch) this.late()
  }

  private late(): void {
    if (this.link !== undefined) return this.answered('timeout')
    const message = `The transport did not open within ${this.services.settings.connectTimeoutMs} ms.`
    // A link that opens later belongs to nobody.
    this.epoch++
    this.answered({ failure: { kind: 'refused', message, mayHaveRun: false } })
  }

  // ---- the end ---------------------------------------------------------------------------------------------------------

  /** The client closes: whatever waits is told, and the link ends in order. After a fault those who wait hear of that. */
  async end(isOrderly: boolean): Promise<void> {
    const { link } = this
    this.questions.end()
    if (!isOrderly) return
    this.go('close')
    for (const call of this.calls.all()) this.calls.give(call, 'closed', 'the client was closed.')
    const failure: Failure = { code: 'closed', message: 'The client was closed.', mayHaveRun: false }
    for (const from of this.waiters.splice(0)) from.reply({ failure } satisfies Ready)
    this.link = undefined
    if (link !== undefined) await link.close().catch(() => undefined)
  }

  // ---- small things ----------------------------------------------------------------------------------------------------

  get isOperating(): boolean {
    return this.services.known.phase === 'operating' && this.link !== undefined
  }

  get isHttp(): boolean {
    const { transports, known } = this.services
    const name = transports[known.transport]?.name
    return name === 'http' || name === 'sse'
  }

  private go(event: ConnectionEvent): void {
    const { known, news } = this.services
    const next = nextConnectionPhase(known.phase, event)
    if (next === undefined || next === known.phase) return
    known.phase = next
    news.phase(next)
  }

  private notNow(): Failure {
    return this.lastFailure ?? { code: 'lost', message: 'There is no connection to the server.', mayHaveRun: false }
  }
}

function text(value: unknown): string {
  return value instanceof Error ? value.message : JSON.stringify(value)
}
