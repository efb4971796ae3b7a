/**
 * A process that keeps a table for others: it is read and written through its ref, without a message, and takes the table
 * with it when it ends. Registries and groups are such.
 */
import type { Definition } from './definition.ts'
import type { Envelope } from './envelope.ts'
import { CallError } from './errors.ts'
import type { Process } from './process.ts'
import type { AnyRef } from './ref.ts'

/** A ref with a table behind it. */
export interface TableAddress extends AnyRef {
  /** What `sys.getState` shows. */
  readonly contents: unknown
}

export class TableProcess implements Definition {
  readonly name: string
  readonly version = 1
  readonly type = 'worker'
  readonly trapExits = false
  private readonly functions: string
  private readonly address: (process: Process) => TableAddress

  /** `functions` names what its ref offers, for the sentence that refuses a call. */
  constructor(name: string, functions: string, address: (process: Process) => TableAddress) {
    this.name = name
    this.functions = functions
    this.address = address
  }

  init(_arg: unknown, process: Process): unknown {
    // `createRef` made it.
    return (process.ref as TableAddress).contents
  }

  handle(process: Process, envelope: Envelope): undefined {
    const why = `${process.label} has no call "${envelope.op}": use ${this.functions} of its ref.`
    envelope.from?.fail(new CallError('undef', why))
    return undefined
  }

  proceed(): undefined {
    return undefined
  }

  createRef(process: Process): AnyRef {
    return this.address(process)
  }
}
