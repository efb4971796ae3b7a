/**
 * A running child process as a link: lines in, lines out, and its end.
 *
 * The end of the child is the end of the link, and so is the end of its output. What the child itself started is ended with it
 * where the system has process groups: nobody would read what it writes.
 */
import type { ChildProcess } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import type { Link, LinkFailure, LinkReceiver, Outgoing } from './client-port.ts'
import type { StdioClientSettings } from './client-stdio.ts'
import { killGroup, watchChild } from './client-stdio-children.ts'
import { LineFramer, type LineRefusal } from './line-framing.ts'

/** Characters of standard error that a failure repeats. */
const STDERR_TAIL_LENGTH = 4_096
/** How long the child may take to end by itself once its input is closed, then once it got SIGTERM, in milliseconds. */
const END_MS = 2_000
const TERMINATE_MS = 2_000
/** How long what is still in the pipes is read once the child has exited, and a killed child is waited for. */
const DRAIN_MS = 500

export class ChildLink implements Link {
  readonly #child: ChildProcess
  readonly #settings: StdioClientSettings
  readonly #receiver: LinkReceiver
  readonly #framer: LineFramer
  readonly #unwatch: () => void
  /** Lines sent in this turn, not yet written. */
  #pending = ''
  #stderrTail = ''
  #isOver = false
  #hasExited = false
  #isGroupGone = false
  /** The failure to tell at the end, when something other than the end of the child is to blame. */
  #failure: LinkFailure | undefined
  #timer: unknown
  #closing: Promise<void> | undefined
  #onOver: (() => void) | undefined

  constructor(child: ChildProcess, settings: StdioClientSettings, receiver: LinkReceiver) {
    this.#child = child
    this.#settings = settings
    this.#receiver = receiver
    this.#unwatch = watchChild(child)
    this.#framer = new LineFramer(settings.maxMessageBytes, {
      line: (text) => receiver.message(text),
      refused: (why) => this.#refused(why),
    })
    child.stdout?.on('data', (chunk: Buffer) => this.#framer.push(chunk))
    child.stdout?.on('end', () => this.#outputEnded())
    child.stdout?.on('error', () => {})
    // A child that went away is noticed by its exit.
    child.stdin?.on('error', () => {})
    child.on('error', () => {})
    this.#readStderr()
    child.once('exit', () => this.#exited())
    child.once('close', () => this.#end())
  }

  send(message: Outgoing): boolean {
    const input = this.#child.stdin
    if (this.#isOver || this.#closing !== undefined || this.#hasExited || input === null || !input.writable)
      return false
    const waiting = input.writableLength + this.#pending.length
    if (waiting > 0 && waiting + message.text.length > this.#settings.maxBufferedBytes) return false
    if (this.#pending === '') process.nextTick(this.#flush)
    this.#pending += `${message.text}\n`
    return true
  }

  /** Does nothing: the core sends notifications/cancelled where there is one channel for all. */
  abandon(): void {}

  /** Does nothing: the server may send whenever it likes. */
  listen(): void {}

  close(): Promise<void> {
    const message = `The link to ${this.#settings.target} was closed.`
    return this.#stop({ kind: 'closed', message, mayHaveRun: true })
  }

  readonly #flush = (): void => {
    const lines = this.#pending
    this.#pending = ''
    if (lines !== '' && this.#child.stdin?.writable === true) this.#child.stdin.write(lines)
  }

  #refused(why: LineRefusal): void {
    const { target, maxMessageBytes } = this.#settings
    const kind = 'invalid' as const
    if (why === 'invalid_utf8') {
      const message = `${target}: a line that is not valid UTF-8 was dropped.`
      this.#receiver.failed([], { kind, message, mayHaveRun: false })
      return
    }
    // It may have been the answer to any request, which would now wait for ever.
    const message = `${target}: a line is longer than ${maxMessageBytes} bytes. Raise maxMessageBytes to take it.`
    void this.#stop({ kind, message, mayHaveRun: true })
  }

  #readStderr(): void {
    const { stderr } = this.#settings
    const decoder = new StringDecoder('utf8')
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      const text = decoder.write(chunk)
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL_LENGTH)
      if (stderr === 'inherit') process.stderr.write(chunk)
      else if (stderr !== 'ignore') stderr(text)
    })
    this.#child.stderr?.on('error', () => {})
  }

  /** Nothing more can come: a child that closed its output has said that it is done. */
  #outputEnded(): void {
    this.#framer.end()
    if (!this.#isOver && this.#closing === undefined) void this.#stop(undefined)
  }

  #exited(): void {
    this.#hasExited = true
    this.#clock.clearTimer(this.#timer)
    // What the child started may hold the pipes open; what is in them is read for a moment longer.
    this.#kill('SIGTERM')
    this.#timer = this.#clock.setTimer(() => this.#end(), DRAIN_MS)
  }

  /** Ends the child, step by step, and then the link. */
  #stop(failure: LinkFailure | undefined): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#failure = failure
      this.#onOver = resolve
      if (this.#isOver) resolve()
      else {
        this.#flush()
        this.#child.stdin?.end()
        if (!this.#hasExited) this.#timer = this.#clock.setTimer(() => this.#terminate(), END_MS)
      }
    })
    return this.#closing
  }

  #terminate(): void {
    this.#kill('SIGTERM')
    this.#timer = this.#clock.setTimer(() => {
      this.#kill('SIGKILL')
      this.#timer = this.#clock.setTimer(() => this.#end(), DRAIN_MS)
    }, TERMINATE_MS)
  }

  #kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (!this.#isGroupGone) this.#isGroupGone = !killGroup(this.#child, signal)
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#clock.clearTimer(this.#timer)
    this.#kill('SIGKILL')
    this.#unwatch()
    this.#framer.end()
    for (const stream of this.#child.stdio) stream?.destroy()
    this.#receiver.closed(this.#failure ?? this.#exitFailure())
    this.#onOver?.()
  }

  #exitFailure(): LinkFailure {
    const { exitCode, signalCode } = this.#child
    const how =
      signalCode !== null
        ? `was ended by ${signalCode}`
        : exitCode !== null
          ? `exited with code ${exitCode}`
          : 'closed its output'
    const tail = this.#stderrTail.trim()
    const message = `${this.#settings.target}: the server ${how}${tail === '' ? '.' : `; it last wrote: ${tail}`}`
    return { kind: 'broken', message, mayHaveRun: true }
  }

  get #clock(): StdioClientSettings['clock'] {
    return this.#settings.clock
  }
}
