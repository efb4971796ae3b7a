// The bare kernel: a ring-buffer mailbox per actor, one run queue, and nothing else. No links, monitors, names, timers,
// supervision, control messages or time-outs. It is the practical limit of an actor runtime in Node, and what the
// product's kernel is compared with. Its contract is the product's: `init` and every message run in the actor's own
// turn, `start`, `call` and `stop` are promises, and a burst cannot starve input and output for ever.

const MESSAGES_PER_ACTIVATION = 64
const MESSAGES_PER_TURN = 1_024

/** First in, first out, in a power-of-two array that doubles when it is full. */
class Ring<T> {
  length = 0
  #slots: (T | undefined)[] = new Array(4)
  #head = 0

  push(value: T): void {
    if (this.length === this.#slots.length) {
      const larger = new Array<T | undefined>(this.length * 2)
      for (let index = 0; index < this.length; index += 1)
        larger[index] = this.#slots[(this.#head + index) & (this.length - 1)]
      this.#slots = larger
      this.#head = 0
    }
    this.#slots[(this.#head + this.length) & (this.#slots.length - 1)] = value
    this.length += 1
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const value = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#slots.length - 1)
    this.length -= 1
    return value
  }
}

/** What an actor does: makes its state, and answers each message. */
export interface Behaviour<S, M> {
  readonly init: (actor: BareActor<M>) => S
  readonly receive: (state: S, message: M) => unknown
}

interface Envelope<M> {
  readonly kind: 'init' | 'message' | 'stop'
  readonly message: M | undefined
  readonly resolve: ((value: unknown) => void) | undefined
  readonly reject: ((reason: unknown) => void) | undefined
}

export class BareKernel {
  readonly #ready = new Ring<BareActor<never>>()
  #isAwake = false

  /** Resolves to the actor once its `init` has run; rejects with what `init` threw. */
  start<S, M>(behaviour: Behaviour<S, M>, onCrash?: (reason: unknown) => void): Promise<BareActor<M>> {
    return new Promise((resolve, reject) => {
      const actor = new BareActor(this, behaviour as Behaviour<unknown, M>, onCrash)
      actor.enqueue({ kind: 'init', message: undefined, resolve: resolve as (value: unknown) => void, reject })
    })
  }

  schedule(actor: BareActor<never>): void {
    this.#ready.push(actor)
    if (this.#isAwake) return
    this.#isAwake = true
    queueMicrotask(this.#turn)
  }

  readonly #turn = (): void => {
    let budget = MESSAGES_PER_TURN
    for (let actor = this.#ready.shift(); actor !== undefined; actor = this.#ready.shift()) {
      budget -= actor.activate(MESSAGES_PER_ACTIVATION)
      if (actor.hasWork) this.#ready.push(actor)
      if (budget <= 0 && this.#ready.length > 0) {
        setImmediate(this.#turn)
        return
      }
    }
    this.#isAwake = false
  }
}

export class BareActor<M> {
  hasWork = false
  isAlive = true
  #state: unknown = undefined
  #mailbox: Ring<Envelope<M>> | undefined = undefined
  readonly #kernel: BareKernel
  readonly #behaviour: Behaviour<unknown, M>
  readonly #onCrash: ((reason: unknown) => void) | undefined

  constructor(kernel: BareKernel, behaviour: Behaviour<unknown, M>, onCrash: ((reason: unknown) => void) | undefined) {
    this.#kernel = kernel
    this.#behaviour = behaviour
    this.#onCrash = onCrash
  }

  tell(message: M): void {
    this.enqueue({ kind: 'message', message, resolve: undefined, reject: undefined })
  }

  call(message: M): Promise<unknown> {
    return new Promise((resolve, reject) => this.enqueue({ kind: 'message', message, resolve, reject }))
  }

  stop(): Promise<unknown> {
    return new Promise((resolve, reject) => this.enqueue({ kind: 'stop', message: undefined, resolve, reject }))
  }

  enqueue(envelope: Envelope<M>): void {
    if (!this.isAlive) {
      envelope.reject?.('noproc')
      return
    }
    this.#mailbox ??= new Ring()
    this.#mailbox.push(envelope)
    if (this.hasWork) return
    this.hasWork = true
    this.#kernel.schedule(this as unknown as BareActor<never>) // the run queue never sends
  }

  /** Handles at most `messagesMax` messages; returns how many. */
  activate(messagesMax: number): number {
    let handled = 0
    let envelope: Envelope<M> | undefined
    try {
      while (handled < messagesMax && (envelope = this.#mailbox?.shift()) !== undefined) {
        handled += 1
        if (envelope.kind === 'message') {
          const reply = this.#behaviour.receive(this.#state, envelope.message as M)
          envelope.resolve?.(reply)
        } else if (envelope.kind === 'init') {
          this.#state = this.#behaviour.init(this)
          envelope.resolve?.(this)
        } else {
          this.#end('normal')
          envelope.resolve?.(undefined)
        }
      }
    } catch (error) {
      envelope?.reject?.(error)
      this.#end(error)
      this.#onCrash?.(error)
    }
    this.hasWork = this.#mailbox !== undefined && this.#mailbox.length > 0
    return handled
  }

  #end(reason: unknown): void {
    this.isAlive = false
    for (let left = this.#mailbox?.shift(); left !== undefined; left = this.#mailbox?.shift()) left.reject?.(reason)
    this.#mailbox = undefined
    this.#state = undefined
  }
}
