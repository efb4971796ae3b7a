/**
 * The ways back to one client: which stream a message leaves on, and what is kept of it for a client that lost its connection.
 *
 * On a connection (stdio, memory) there is one sink for everything. Over HTTP every POST that holds requests opens a stream of
 * its own, which ends with the last answer, and a GET opens the standalone stream for what belongs to no request. A POST whose
 * answer comes first is answered as plain JSON; anything before it turns the answer into SSE, and from then on every event is
 * logged, so that `Last-Event-ID` can bring back what was missed. A stream without a connection goes on being written.
 *
 * Spec: MCP 2025-11-25, basic/transports, resumability and redelivery.
 */
import { encodeBatch } from '#protocol'
import type { EventLog } from '#storage/port'
import type { Sink } from '#transports/port'

/** The stream that carries the answers to one POST, or to the messages of one line. */
export interface ReplyStream {
  readonly id: string
  sink: Sink | null
  /** Requests on it that have no answer yet. */
  open: number
  /** The answers of a batch, until all are there. */
  readonly batch: string[] | null
  isPrimed: boolean
  /** A connection's sink stays when the answers are given. */
  readonly isShared: boolean
}

/** The event-log name of the standalone stream. */
const STANDALONE = 'g'
/** Standalone connections that one session may hold at once; the oldest is ended for a new one. */
const STANDALONE_SINKS_MAX = 8

export class SessionStreams {
  private readonly connection: Sink | null
  private readonly openLog: () => EventLog
  private readonly retryMs: number
  private log: EventLog | null = null
  /** Streams of POSTs that are not finished, by event-log name; only those that were primed. */
  private readonly primed = new Map<string, ReplyStream>()
  /** Open GET connections, oldest first; the newest gets the messages. */
  private standalone: Sink[] = []
  /** The last event of the standalone stream that went to an open connection. */
  private deliveredId: string | undefined
  private lastStreamNumber = 0
  private readonly prefix: string

  constructor(options: { connection: Sink | null; openLog: () => EventLog; retryMs: number; prefix: string }) {
    this.connection = options.connection
    this.openLog = options.openLog
    this.retryMs = options.retryMs
    this.prefix = options.prefix
  }

  /** Whether a GET stream or an unfinished POST stream is open: such a session is not idle. */
  get isOpen(): boolean {
    return this.connection !== null || this.standalone.length > 0 || this.primed.size > 0
  }

  /** A stream for `open` requests that came together; with `isBatch` their answers leave as one array. */
  forRequests(sink: Sink, open: number, isBatch: boolean): ReplyStream {
    const id = `${this.prefix}${(this.lastStreamNumber++).toString(36)}`
    return { id, sink, open, batch: isBatch ? [] : null, isPrimed: false, isShared: sink === this.connection }
  }

  /** Sends a message that is no answer: a notification or a request of ours that belongs to what the stream carries. */
  send(stream: ReplyStream, text: string): void {
    if (stream.isShared) {
      stream.sink?.send(text)
      return
    }
    this.prime(stream)
    const eventId = this.events.append(stream.id, text)
    if (stream.sink !== null && !stream.sink.send(text, eventId)) stream.sink = null
  }

  /** Sends an answer; the last one ends the stream. */
  answer(stream: ReplyStream, text: string): void {
    stream.open--
    if (stream.batch !== null) {
      stream.batch.push(text)
      if (stream.open > 0) return
      text = encodeBatch(stream.batch)
    }
    if (stream.isShared) stream.sink?.send(text)
    else if (stream.open > 0) this.send(stream, text)
    else this.end(stream, text)
  }

  /** A request of the stream will get no answer. */
  giveUp(stream: ReplyStream): void {
    stream.open--
    if (stream.open > 0) return
    if (stream.batch !== null && stream.batch.length > 0) this.answerBatch(stream, stream.batch)
    else if (!stream.isShared) {
      // The last event of a stream that ended without an answer is empty: see `attach`.
      if (stream.isPrimed) this.events.append(stream.id, '')
      this.end(stream, undefined)
    }
  }

  /** Turns an undecided answer into an SSE stream, so that a client which loses it can resume. */
  prime(stream: ReplyStream, retryMs = this.retryMs): void {
    if (stream.isPrimed || stream.isShared) return
    stream.isPrimed = true
    this.primed.set(stream.id, stream)
    const eventId = this.events.append(stream.id, '')
    if (stream.sink !== null && stream.sink.prime?.(eventId, retryMs) !== true) stream.sink = null
  }

  /** Closes the connection of a stream before its answer: the client comes back for the rest after `retryMs`. */
  closeEarly(stream: ReplyStream, retryMs: number | undefined): void {
    if (stream.isShared) return
    this.prime(stream, retryMs)
    stream.sink?.end()
    stream.sink = null
  }

  /** Sends a message that belongs to no request. Without an open connection it waits in the log for one. */
  announce(text: string): void {
    if (this.connection !== null) {
      this.connection.send(text)
      return
    }
    this.deliveredId ??= this.events.append(STANDALONE, '')
    const eventId = this.events.append(STANDALONE, text)
    for (let sink = this.standalone.at(-1); sink !== undefined; sink = this.standalone.at(-1)) {
      if (sink.send(text, eventId)) {
        this.deliveredId = eventId
        return
      }
      this.standalone.pop()
    }
  }

  /**
   * Takes a GET connection: for the standalone stream, or to resume the stream that `lastEventId` is of. Nothing is taken when
   * no stream of this session ever had that event ('unknown'), or when it ended without an answer, being cancelled ('over').
   */
  attach(sink: Sink, lastEventId: string | undefined, gone: () => void): 'attached' | 'unknown' | 'over' {
    const replay = this.events.replay(lastEventId ?? this.deliveredId ?? '')
    if (replay === undefined && lastEventId !== undefined) return 'unknown'
    const isRunning = replay === undefined || replay.streamId === STANDALONE || this.primed.has(replay.streamId)
    if (!isRunning && replay.events.at(-1)?.message === '') return 'over'
    if (lastEventId === undefined) {
      this.deliveredId ??= this.events.append(STANDALONE, '')
      sink.prime?.(this.deliveredId, this.retryMs)
    } else {
      sink.prime?.(lastEventId, this.retryMs)
    }
    for (const event of replay?.events ?? []) if (event.message !== '') sink.send(event.message, event.id)
    sink.onClose(() => {
      this.detach(sink)
      gone()
    })
    if (lastEventId === undefined || replay?.streamId === STANDALONE) {
      this.deliveredId = replay?.events.at(-1)?.id ?? this.deliveredId ?? lastEventId
      if (this.standalone.length >= STANDALONE_SINKS_MAX) this.standalone.shift()?.end()
      this.standalone.push(sink)
      return 'attached'
    }
    const stream = replay === undefined ? undefined : this.primed.get(replay.streamId)
    if (stream === undefined) sink.end()
    else {
      stream.sink?.end()
      stream.sink = sink
    }
    return 'attached'
  }

  /** Ends every stream over HTTP. A connection is another incarnation's too; the session manager ends it with the subtree. */
  endAll(): void {
    for (const sink of this.standalone) sink.end()
    for (const stream of this.primed.values()) stream.sink?.end()
    this.standalone = []
    this.primed.clear()
  }

  private detach(sink: Sink): void {
    this.standalone = this.standalone.filter((one) => one !== sink)
    for (const stream of this.primed.values()) if (stream.sink === sink) stream.sink = null
  }

  private answerBatch(stream: ReplyStream, answers: readonly string[]): void {
    const text = encodeBatch(answers)
    if (stream.isShared) stream.sink?.send(text)
    else this.end(stream, text)
  }

  private end(stream: ReplyStream, text: string | undefined): void {
    const eventId = stream.isPrimed && text !== undefined ? this.events.append(stream.id, text) : undefined
    stream.sink?.end(text, eventId)
    stream.sink = null
    this.primed.delete(stream.id)
  }

  private get events(): EventLog {
    this.log ??= this.openLog()
    return this.log
  }
}
