/**
 * The ways back to one client: which stream a message leaves on, and what is kept of it for a client that lost its connection.
 *
 * On a connection (stdio, memory) there is one sink for everything. Over HTTP every POST that holds requests opens a stream of
 * its own, which ends with the last answer, and a GET opens the standalone stream for what belongs to no request. A POST whose
 * answer comes first is answered as plain JSON; anything before it turns the answer into SSE, and from then on every event is
 * logged, so that `Last-Event-ID` can bring back what was missed. A stream without a connection goes on being written.
 *
 * An event leaves when it is durable. Until then only its sending waits: which sink it goes to, and what a client that comes
 * back is given, is settled in the order in which things happen, so nothing is sent twice and nothing overtakes.
 *
 * Spec: MCP 2025-11-25, basic/transports, resumability and redelivery.
 */
import { encodeBatch, encodeError, type Message, type RequestId } from '#protocol'
import type { EventLog, OpenStream, StoredEvent } from '#storage/port'
import type { Sink } from '#transports/port'
import { onceDurable } from './durable.ts'
import { errorOf, type Refusal, retryAfterOf } from './overload.ts'
import type { SessionArg } from './session-state.ts'

/** The stream that carries the answers to one POST, or to the messages of one line. */
export interface ReplyStream {
  /** Its event-log name; '' until it is primed. */
  id: string
  sink: Sink | null
  /** What came on it. */
  readonly carries: Message | readonly Message[]
  /** Requests on it that have no answer yet. */
  open: number
  /** The answers of a batch, until all are there. */
  readonly batch: string[] | null
  isPrimed: boolean
  /** A connection's sink stays when the answers are given. */
  readonly isShared: boolean
}

/** An open GET connection, and the number of the last event that is on its way to it. */
interface Listener {
  readonly sink: Sink
  through: number
}

/** The event-log name of the standalone stream. */
export const STANDALONE = 'g'
/** Milliseconds after which a client that lost a stream is asked to come back. */
const RETRY_MS = 1_000
/** Told where something was promised that the disk is too far behind to keep. */
const behind: Refusal = {
  status: 503,
  reason: 'store',
  message: 'The disk is too far behind: it is not certain that this was kept. Try again later.',
  retryAfterMs: 2_000,
}
/** Standalone connections that one session may hold at once; the oldest is ended for a new one. */
const STANDALONE_SINKS_MAX = 8

export class SessionStreams {
  private readonly arg: SessionArg
  private readonly changed: (() => void) | null
  private log: EventLog | null = null
  /** Streams of POSTs that are not finished, by event-log name; only those that were primed. */
  private primed: Map<string, ReplyStream> | null = null
  /** Open GET connections, oldest first; the newest gets the messages. */
  private standalone: Listener[] | null = null
  /** The last event of the standalone stream that went to an open connection. */
  private lastDelivered: string | undefined
  private prefix = ''
  private primedCount = 0

  /** `changed` is called when `openStreams` or `deliveredId` became others; null when nobody will read them. */
  constructor(arg: SessionArg, changed: (() => void) | null) {
    this.arg = arg
    this.changed = changed
  }

  /** Whether a GET stream or an unfinished POST stream is open: such a session is not idle. */
  get isOpen(): boolean {
    return this.arg.connection !== null || this.isListening || (this.primed?.size ?? 0) > 0
  }

  /** For the record: the POST streams that could be resumed now. */
  get openStreams(): readonly OpenStream[] {
    const streams = this.primed === null ? [] : [...this.primed.values()]
    return streams.map(({ id, carries, batch }) => ({ id, requests: requestsOf(carries), isBatch: batch !== null }))
  }

  /** For the record: where a GET connection without a Last-Event-ID begins; undefined while there is one. */
  get deliveredId(): string | undefined {
    return this.isListening ? undefined : this.lastDelivered
  }

  /** Takes up where the streams of an earlier run stood. */
  restore(deliveredId: string | undefined): void {
    this.lastDelivered = deliveredId
  }

  /** A stream for `open` answers to what came together; with `isBatch` they leave as one array. */
  forRequests(sink: Sink, carries: Message | readonly Message[], open: number, isBatch: boolean): ReplyStream {
    const isShared = sink === this.arg.connection
    return { id: '', sink, carries, open, batch: isBatch ? [] : null, isPrimed: false, isShared }
  }

  /** Sends a message that is no answer: a notification or a request of ours that belongs to what the stream carries. */
  send(stream: ReplyStream, text: string): void {
    if (stream.isShared) {
      stream.sink?.send(text)
      return
    }
    this.prime(stream)
    const { events } = this
    const eventId = events.append(stream.id, text)
    // The closures are for those who wait.
    if (events.whenDurable !== undefined) this.deliver(stream, (sink) => sink.send(text, eventId))
    else if (stream.sink?.send(text, eventId) === false) stream.sink = null
  }

  /**
   * Sends an answer; the last one ends the stream. A binding one promises what the session's record says, and waits for it to
   * be durable; so does every answer that can be resumed.
   */
  answer(stream: ReplyStream, text: string, isBinding = false): void {
    stream.open--
    if (stream.batch !== null) {
      stream.batch.push(text)
      if (stream.open > 0) return
      text = encodeBatch(stream.batch)
    }
    if (stream.isShared) stream.sink?.send(text)
    else if (stream.open > 0) this.send(stream, text)
    // A batch holds whatever its parts promised.
    else this.end(stream, text, isBinding || stream.batch !== null)
  }

  /** Answers that a request is not served now: with a status and a time to come back, where those can still be sent. */
  refuse(stream: ReplyStream, id: RequestId, refusal: Refusal): void {
    const text = encodeError(id, errorOf(refusal))
    const { sink } = stream
    if (stream.batch !== null || stream.isShared || stream.isPrimed || sink?.refuse === undefined)
      return this.answer(stream, text)
    stream.open--
    stream.sink = null
    sink.refuse(refusal.status, text, retryAfterOf(refusal))
  }

  /** A request of the stream will get no answer. */
  giveUp(stream: ReplyStream): void {
    stream.open--
    if (stream.open > 0) return
    if (stream.batch !== null && stream.batch.length > 0) {
      const text = encodeBatch(stream.batch)
      if (stream.isShared) stream.sink?.send(text)
      else this.end(stream, text, true)
    } else if (!stream.isShared) {
      // The last event of a stream that ended without an answer is empty: see `attach`.
      if (stream.isPrimed) this.events.append(stream.id, '')
      this.end(stream, undefined, false)
    }
  }

  /** Turns an undecided answer into an SSE stream, so that a client which loses it can resume. */
  prime(stream: ReplyStream, retryMs = RETRY_MS): void {
    if (stream.isPrimed || stream.isShared) return
    stream.isPrimed = true
    if (this.prefix === '') this.prefix = Math.floor(this.arg.system.random.next() * 2 ** 40).toString(36)
    stream.id = `${this.prefix}-${(this.primedCount++).toString(36)}`
    this.primed ??= new Map()
    this.primed.set(stream.id, stream)
    const { events } = this
    const eventId = events.append(stream.id, '')
    this.changed?.()
    if (events.whenDurable !== undefined) this.deliver(stream, (sink) => sink.prime?.(eventId, retryMs) === true)
    else if (stream.sink?.prime?.(eventId, retryMs) !== true) stream.sink = null
  }

  /** Closes the connection of a stream before its answer: the client comes back for the rest after `retryMs`. */
  closeEarly(stream: ReplyStream, retryMs: number | undefined): void {
    if (stream.isShared) return
    this.prime(stream, retryMs)
    const { sink } = stream
    stream.sink = null
    // What is not durable yet cannot be asked for before it is, so an end that comes too early does no harm.
    const end = (): void => void sink?.end()
    onceDurable(this.events, end, end)
  }

  /** Sends a message that belongs to no request. Without an open connection it waits in the log for one. */
  announce(text: string): void {
    const { connection } = this.arg
    if (connection !== null) {
      connection.send(text)
      return
    }
    this.begin()
    const eventId = this.events.append(STANDALONE, text)
    if (!this.isListening) return
    onceDurable(
      this.events,
      () => this.pass(eventId, text),
      // The disk is too far behind: whoever listens comes back for what is logged, once it can be told.
      () => this.hangUp(),
    )
  }

  /**
   * Takes a GET connection: for the standalone stream, or to resume the stream that `lastEventId` is of. Nothing is taken when
   * no stream of this session ever had that event ('unknown'), or when it ended without an answer, being cancelled ('over').
   */
  attach(sink: Sink, lastEventId: string | undefined, gone: () => void): 'attached' | 'unknown' | 'over' {
    const replay = this.events.replay(lastEventId ?? this.lastDelivered ?? '')
    if (replay === undefined && lastEventId !== undefined) return 'unknown'
    const stream = replay === undefined ? undefined : this.primed?.get(replay.streamId)
    const isStandalone = lastEventId === undefined || replay?.streamId === STANDALONE
    const events = replay?.events ?? []
    if (!isStandalone && stream === undefined && events.at(-1)?.message === '') return 'over'
    if (lastEventId === undefined) this.begin()
    const deliveredBefore = this.lastDelivered
    const firstId = lastEventId ?? deliveredBefore ?? ''
    const lastId = events.at(-1)?.id ?? firstId
    if (isStandalone) this.listen(sink, lastId)
    else if (stream !== undefined) {
      stream.sink?.end()
      stream.sink = sink
    }
    onceDurable(
      this.events,
      () => {
        // Gone before anything could be sent: what it was to be given is still to be delivered.
        if (isStandalone && !sink.isOpen && this.lastDelivered === lastId) this.lastDelivered = deliveredBefore
        sink.prime?.(firstId, RETRY_MS)
        resend(sink, events)
        if (!isStandalone && stream === undefined) sink.end()
      },
      () => {
        if (isStandalone && this.lastDelivered === lastId) this.lastDelivered = deliveredBefore
        this.detach(sink)
        refuseBehind(sink, encodeError(null, errorOf(behind)))
      },
    )
    sink.onClose(() => {
      this.detach(sink)
      gone()
    })
    return 'attached'
  }

  /** Ends every stream over HTTP. A connection is another incarnation's too; the session manager ends it with the subtree. */
  endAll(): void {
    for (const { sink } of this.standalone ?? []) sink.end()
    for (const stream of this.primed?.values() ?? []) stream.sink?.end()
    this.standalone = null
    this.primed = null
  }

  private get isListening(): boolean {
    return this.standalone !== null && this.standalone.length > 0
  }

  /** The standalone stream begins with an event of its own, after which what was missed can be told. */
  private begin(): void {
    if (this.lastDelivered !== undefined) return
    this.lastDelivered = this.events.append(STANDALONE, '')
    this.changed?.()
  }

  /** A GET connection that has what was logged up to `eventId`, or is about to. */
  private listen(sink: Sink, eventId: string): void {
    this.standalone ??= []
    if (this.standalone.length >= STANDALONE_SINKS_MAX) this.standalone.shift()?.sink.end()
    this.standalone.push({ sink, through: numberOf(eventId) })
    this.lastDelivered = eventId
    if (this.standalone.length === 1) this.changed?.()
  }

  /** Hands an event of the standalone stream to the newest connection that takes it. */
  private pass(eventId: string, text: string): void {
    const number = numberOf(eventId)
    for (let one = this.standalone?.at(-1); one !== undefined; one = this.standalone?.at(-1)) {
      // It came after the event was logged, and has been given it with what was missed.
      if (one.through >= number) return
      if (one.sink.send(text, eventId)) {
        one.through = number
        this.lastDelivered = eventId
        return
      }
      this.standalone?.pop()
      if (!this.isListening) this.changed?.()
    }
  }

  /** Ends the GET connections: their clients resume after the last event that they got. */
  private hangUp(): void {
    for (const { sink } of this.standalone ?? []) sink.end()
    this.standalone = null
    this.changed?.()
  }

  private detach(sink: Sink): void {
    const wasListening = this.isListening
    this.standalone = this.standalone?.filter((one) => one.sink !== sink) ?? null
    if (wasListening && !this.isListening) this.changed?.()
    for (const stream of this.primed?.values() ?? []) if (stream.sink === sink) stream.sink = null
  }

  private end(stream: ReplyStream, text: string | undefined, isBinding: boolean): void {
    const { sink } = stream
    stream.sink = null
    if (!stream.isPrimed) {
      if (isBinding)
        onceDurable(
          this.arg.services.records,
          () => sink?.end(text),
          () => this.tellBehind(stream, sink),
        )
      else sink?.end(text)
      return
    }
    const eventId = text === undefined ? undefined : this.events.append(stream.id, text)
    this.primed?.delete(stream.id)
    this.changed?.()
    if (this.events.whenDurable === undefined) sink?.end(text, eventId)
    // The disk is too far behind: the client comes back for the answer, which is logged.
    else
      onceDurable(
        this.events,
        () => sink?.end(text, eventId),
        () => void sink?.end(),
      )
  }

  /** Gives the stream's connection, if it has one, what was just logged; one that does not take it is let go. */
  private deliver(stream: ReplyStream, give: (sink: Sink) => boolean): void {
    const { sink } = stream
    if (sink === null) return
    const letGo = (): void => {
      if (stream.sink === sink) stream.sink = null
    }
    onceDurable(
      this.events,
      () => {
        if (!give(sink)) letGo()
      },
      // The disk is too far behind: this stream goes, and what is logged of it can be resumed.
      () => {
        letGo()
        sink.end()
      },
    )
  }

  /** An answer promised what the disk is too far behind to keep. */
  private tellBehind({ carries, batch }: ReplyStream, sink: Sink | null): void {
    if (sink === null) return
    const texts = requestsOf(carries).map((id) => encodeError(id, errorOf(behind)))
    refuseBehind(sink, batch === null ? (texts[0] ?? '') : encodeBatch(texts))
  }

  private get events(): EventLog {
    this.log ??= this.arg.services.events.open(this.arg.id)
    return this.log
  }
}

function refuseBehind(sink: Sink, text: string): void {
  if (sink.refuse === undefined) sink.end(text)
  else sink.refuse(behind.status, text, retryAfterOf(behind))
}

function resend(sink: Sink, events: readonly StoredEvent[]): void {
  for (const event of events) if (event.message !== '') sink.send(event.message, event.id)
}

function requestsOf(carries: Message | readonly Message[]): RequestId[] {
  const messages = 'kind' in carries ? [carries] : carries
  return messages.flatMap((message) => (message.kind === 'request' ? [message.id] : []))
}

/** The number in an event's id: `<stream>_<number>`. */
function numberOf(eventId: string): number {
  return Number(eventId.slice(eventId.lastIndexOf('_') + 1))
}
