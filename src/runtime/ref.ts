/**
 * A `Ref` is the address of one incarnation of a process, typed from its definition. It holds the process only while it
 * lives, so a stale ref leaks nothing. A `Via` is the address of a name: it finds the process anew at each use, so it
 * outlives restarts, and stands wherever a `Ref` does.
 *
 *     const count = await counter.call('add', 5)      // asks and waits; rejects with CallError
 *     counter.cast('reset')                           // tells; false when nobody will read it
 *     counter.send({ hello: 1 })                      // anything else; arrives at `info`
 */
import type { Definition, Ignore } from './definition.ts'
import { Envelope, type Kind, kinds, Reply } from './envelope.ts'
import { CallError } from './errors.ts'
import type { MailboxOptions } from './mailbox.ts'
import { NameTable } from './names.ts'
import type { Process } from './process.ts'
import { describeReason, type ExitReason } from './reasons.ts'
import { Request, type RequestHandle } from './request.ts'

/** Milliseconds that a call waits for its reply unless told otherwise. */
export const CALL_TIMEOUT_MS = 5_000

/** What `ref.call` takes beside the operation and its argument. */
export interface CallOptions {
  /** Milliseconds to wait for the reply; default 5 000; `Infinity` waits for ever. */
  readonly timeout?: number
}

/** What `ref.stop` takes beside the reason. */
export interface StopOptions {
  /** Milliseconds to wait for the end; default `Infinity`. */
  readonly timeout?: number
}

/** What a start takes beside the definition and its argument. */
export interface StartOptions {
  /** A name in the system, or `via(registry, key)`; a taken one is a `StartError` 'already_started'. */
  readonly name?: string | Via
  /** Milliseconds that `init` may take; default `Infinity`. Later the process is killed: `StartError` 'timeout'. */
  readonly timeout?: number
  /** A bound for the mailbox; without one it is unbounded. */
  readonly mailbox?: MailboxOptions
}

/** What is seen of a live process from outside. */
export interface ProcessInfo {
  readonly pid: string
  readonly definition: string
  readonly version: number
  readonly status: string
  readonly names: readonly unknown[]
  readonly queueLength: number
  readonly links: number
  readonly monitors: number
  readonly monitoredBy: number
  readonly timers: number
  readonly messagesHandled: number
}

export type Handler = (state: never, arg: never, self: never) => unknown
type HandlerTable = Record<string, Handler>
type UntypedTable = Record<string, (state: never, arg?: unknown) => unknown>

type CallsOf<D> = D extends { readonly types?: { readonly calls: infer C extends HandlerTable } } ? C : UntypedTable
type CastsOf<D> = D extends { readonly types?: { readonly casts: infer C extends HandlerTable } } ? C : UntypedTable
type Rest<H, O> = H extends (state: never, ...rest: infer R) => unknown
  ? R extends [infer A, ...unknown[]]
    ? undefined extends A
      ? [arg?: A, options?: O]
      : [arg: A, options?: O]
    : R extends [(infer A)?, ...unknown[]]
      ? [arg?: A, options?: O]
      : [arg?: undefined, options?: O]
  : never
type ReplyOf<H> = H extends (...args: never) => infer R
  ? // TypeScript widens a lone `noreply` to symbol; no reply is one.
    [Exclude<Awaited<R>, symbol>] extends [never]
    ? unknown
    : Exclude<Awaited<R>, symbol>
  : never

/** The arguments of `start`: the definition's own argument, then options. */
export type StartArguments<D> = D extends { readonly types?: { readonly arg: infer A } }
  ? undefined extends A
    ? [arg?: A, options?: StartOptions]
    : [arg: A, options?: StartOptions]
  : [arg?: unknown, options?: StartOptions]

/** What `start` resolves to: the definition's kind of ref; undefined too where `init` may return `ignore`. */
export type StartedRef<D> = D extends { readonly types?: { readonly ref: infer R } }
  ? R
  : D extends { readonly types?: { readonly init: infer I } }
    ? [Extract<Awaited<I>, Ignore>] extends [never]
      ? Ref<D>
      : Ref<D> | undefined
    : Ref<D>

/** The address of one incarnation of a process. */
export interface Ref<D = Definition> {
  /** Unique in the system, never used again. */
  readonly pid: string
  readonly alive: boolean
  /** Resolves to the reason when the process ends; to 'noproc' when it had ended before this was first asked for. */
  readonly down: Promise<ExitReason>
  /** Sends a request and resolves to the reply. Rejects with `CallError`. */
  call<Op extends keyof CallsOf<D> & string>(
    op: Op,
    ...rest: Rest<CallsOf<D>[Op], CallOptions>
  ): Promise<ReplyOf<CallsOf<D>[Op]>>
  /**
   * Sends a request and returns its handle at once, to be waited for later; nothing rejects. After: OTP gen_server,
   * send_request.
   */
  request<Op extends keyof CallsOf<D> & string>(
    op: Op,
    ...rest: Rest<CallsOf<D>[Op], never>
  ): RequestHandle<ReplyOf<CallsOf<D>[Op]>>
  /** Sends a request without a reply. False when it was refused or dropped; a promise under the mailbox policy 'suspend'. */
  cast<Op extends keyof CastsOf<D> & string>(op: Op, ...rest: Rest<CastsOf<D>[Op], never>): boolean | Promise<boolean>
  /** Sends anything; it arrives at `info`. Returns what `cast` returns. */
  send(message: unknown): boolean | Promise<boolean>
  /**
   * Ends the process in order: what was sent before is handled, `terminate` runs, then this resolves. Rejects with
   * `CallError` 'noproc' or 'timeout', and 'exit' when it ended for another reason than the one given.
   */
  stop(reason?: ExitReason, options?: StopOptions): Promise<void>
  /** Sends an exit signal; `'kill'` cannot be trapped. */
  exit(reason: ExitReason): void
  /** What can be seen from outside; undefined when it has ended. */
  info(): ProcessInfo | undefined
}

/** What stands for a process: a `Ref` or a `via(...)`. */
export type Target = Pick<Ref, 'pid' | 'alive'>

/** The process that a ref or a via leads to, or undefined. For the kernel. */
export function locate(target: Target): Process | undefined {
  if (!(target instanceof Address)) {
    throw new TypeError(`A Ref or via(...) is needed here, got ${target === null ? 'null' : typeof target}.`)
  }
  return target.locate() ?? undefined
}

/** The methods of `Ref` and `Via`, over whatever finds the process. */
abstract class Address {
  abstract readonly pid: string
  /** The process behind this address, null when there is none. For the kernel. */
  abstract locate(): Process | null

  get alive(): boolean {
    return this.locate() !== null
  }

  call(op: string, arg?: unknown, options?: CallOptions): Promise<unknown> {
    const server = this.locate()
    if (server === null) {
      return Promise.reject(
        new CallError('noproc', `The call "${op}" to ${this.pid} was not sent: no such process is alive.`),
      )
    }
    return request(server, kinds.call, op, arg, options?.timeout ?? CALL_TIMEOUT_MS)
  }

  request(op: string, arg?: unknown): RequestHandle {
    const fault = (): CallError =>
      new CallError('noproc', `The request "${op}" to ${this.pid} was not sent: no such process is alive.`)
    return new Request(this.locate(), op, arg, fault)
  }

  cast(op: string, arg?: unknown): boolean | Promise<boolean> {
    const server = this.locate()
    return server === null ? false : server.deliver(new Envelope(kinds.cast, op, arg, null))
  }

  send(message: unknown): boolean | Promise<boolean> {
    const server = this.locate()
    return server === null ? false : server.deliver(new Envelope(kinds.info, '', message, null))
  }

  stop(reason: ExitReason = 'normal', options?: StopOptions): Promise<void> {
    const server = this.locate()
    if (server === null) return Promise.reject(new CallError('noproc', `stop: ${this.pid} is not alive.`))
    return stopProcess(server, reason, options?.timeout ?? Number.POSITIVE_INFINITY)
  }

  exit(reason: ExitReason): void {
    const process = this.locate()
    if (process === null) return
    const sender = process.system.current
    process.receiveExit(sender, sender?.ref ?? null, reason, false)
  }

  info(): ProcessInfo | undefined {
    const process = this.locate()
    if (process === null) return undefined
    return {
      pid: process.pid,
      definition: process.definition.name,
      version: process.definition.version,
      status: process.status,
      names: process.registeredNames,
      queueLength: process.mailbox.length,
      links: process.linkCount,
      monitors: process.monitorCount,
      monitoredBy: process.watcherCount,
      timers: process.timerCount,
      messagesHandled: process.handledCount,
    }
  }
}

/** The class behind `Ref`. */
export class AnyRef extends Address {
  private process: Process | null
  private ended: { readonly promise: Promise<ExitReason>; readonly resolve: (reason: ExitReason) => void } | null = null
  /** Of its process, in its own system. For the kernel. */
  readonly number: number
  private readonly systemName: string

  constructor(process: Process) {
    super()
    this.process = process
    this.number = process.number
    this.systemName = process.system.name
  }

  get pid(): string {
    return `${this.systemName}.${this.number}`
  }

  override get alive(): boolean {
    return this.process !== null
  }

  get down(): Promise<ExitReason> {
    if (this.ended === null) {
      if (this.process === null) return Promise.resolve('noproc')
      let resolve: (reason: ExitReason) => void = () => undefined
      const promise = new Promise<ExitReason>((done) => {
        resolve = done
      })
      this.ended = { promise, resolve }
    }
    return this.ended.promise
  }

  locate(): Process | null {
    return this.process
  }

  /** The process has ended. For the kernel. */
  detach(reason: ExitReason): void {
    this.process = null
    this.ended?.resolve(reason)
  }

  toJSON(): string {
    return `<${this.pid}>`
  }
}

/** Something that keeps names: a table, a registry's ref. */
export interface Names {
  readonly table: NameTable
}

/** The address of a name. */
export class Via extends Address {
  readonly table: NameTable
  readonly key: unknown

  constructor(table: NameTable, key: unknown) {
    super()
    this.table = table
    this.key = key
  }

  get pid(): string {
    return this.locate()?.pid ?? `name ${String(this.key)}`
  }

  get down(): Promise<ExitReason> {
    return this.locate()?.ref.down ?? Promise.resolve('noproc')
  }

  locate(): Process | null {
    return this.table.whereis(this.key) ?? null
  }
}

/**
 * The address of the process that `names` knows as `key`, whichever that is at the moment of use. Accepted wherever a `Ref`
 * is, and as the `name` of a start.
 */
export function via<D = Definition>(names: NameTable | Names, key: unknown): Via & Ref<D> {
  // The class implements every method of Ref untyped; the definition's types are the caller's word.
  return new Via(names instanceof NameTable ? names : names.table, key) as unknown as Via & Ref<D>
}

/** Sends a call and promises its reply. */
function request(server: Process, kind: Kind, op: string, arg: unknown, timeoutMs: number): Promise<unknown> {
  if (server.system.current === server) {
    return Promise.reject(
      new CallError(
        'calling_self',
        `The call "${op}" to ${server.label} comes from its own handler and would wait for itself. Call the function directly.`,
      ),
    )
  }
  if (Number.isNaN(timeoutMs) || timeoutMs < 0) {
    throw new TypeError(`timeout must be a number of milliseconds >= 0 or Infinity, got ${String(timeoutMs)}.`)
  }
  return new Promise((resolve, reject) => {
    const reply = new Reply(server, op, resolve, reject)
    server.addReply(reply)
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      reply.timer = server.system.timers.start(timeoutMs, timeOut, reply)
    }
    server.deliver(new Envelope(kind, op, arg, reply))
  })
}

/** Asks a process to stop, behind what waits or ahead of it, and resolves when it has ended for that reason. For the kernel. */
export function stopProcess(
  server: Process,
  reason: ExitReason,
  timeoutMs: number,
  isAhead = server.isSuspended,
): Promise<void> {
  if (server.system.current === server) {
    const why = `${server.label} cannot wait for its own end. Use self.stop(reason) in a handler.`
    return Promise.reject(new CallError('calling_self', why))
  }
  return new Promise((resolve, reject) => {
    const monitor = server.observe((last) => {
      if (timer !== null) server.system.timers.cancel(timer)
      if (last === reason) resolve()
      else
        reject(
          new CallError(
            'exit',
            `${server.label} ended, but not as asked (${describeReason(reason)}): ${describeReason(last)}.`,
            last,
          ),
        )
    })
    const timer =
      timeoutMs === Number.POSITIVE_INFINITY
        ? null
        : server.system.timers.start(timeoutMs, () => {
            server.unwatch(monitor)
            reject(
              new CallError(
                'timeout',
                `${server.label} did not stop within ${timeoutMs} ms. It goes on; end it with ref.exit('kill').`,
              ),
            )
          })
    if (isAhead) server.control((process) => process.stop(reason))
    else server.force(new Envelope(kinds.stop, 'stop', reason, null))
  })
}

function timeOut(reply: Reply): void {
  reply.timedOut()
}
