/** Errors of the runtime. Each has a stable `code` for programs and a sentence for people; none crosses the wire. */
import type { ExitReason } from './reasons.ts'

/** Why a call got no reply; see `CallError`. */
export type CallErrorCode = 'timeout' | 'noproc' | 'exit' | 'calling_self' | 'overload' | 'undef'

/**
 * A call got no reply. `code` says why: 'timeout' (the server may still do the work; a late reply is dropped), 'noproc' (it
 * was dead already), 'exit' (it ended before it replied, with `reason`), 'calling_self', 'overload' (its mailbox is full),
 * 'undef' (its definition has no such operation). After: OTP gen_server:call.
 */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly code: CallErrorCode
  readonly reason: ExitReason
  constructor(code: CallErrorCode, message: string, reason: ExitReason = code) {
    super(message, reason instanceof Error ? { cause: reason } : undefined)
    this.code = code
    this.reason = reason
  }
}

/** Why a process did not start: its init threw, its name is taken, it took too long, a child failed, or it was stopped meanwhile. */
export type StartErrorCode = 'init' | 'already_started' | 'timeout' | 'failed_to_start_child' | 'stopped'

/** A process did not start. `reason` is exactly what `init` threw, or for 'already_started' the Ref that has the name. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly code: StartErrorCode
  readonly reason: unknown
  constructor(code: StartErrorCode, message: string, reason: unknown) {
    super(message, reason instanceof Error ? { cause: reason } : undefined)
    this.code = code
    this.reason = reason
  }
}

/**
 * A supervisor refused an operation, or its flags or a child spec are wrong. `code` is OTP's atom: already_present,
 * already_started, not_found, running, restarting, simple_one_for_one, max_children, invalid_*, missing_*,
 * duplicate_child_name, bad_combination, bad_start_spec. After: OTP supervisor.
 */
export class SupervisorError extends Error {
  override readonly name = 'SupervisorError'
  readonly code: string
  /** What the refusal is about: the running child's Ref for already_started, the offending value for invalid_*. */
  readonly detail: unknown
  constructor(code: string, message: string, detail?: unknown) {
    super(message)
    this.code = code
    this.detail = detail
  }
}

/** Why a registry or group refused; see `RegistryError`. */
export type RegistryErrorCode = 'already_registered' | 'noproc' | 'not_registered'

/** A registry or group refused: the name is taken, the process is dead, or it does not have that key. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly code: RegistryErrorCode
  readonly detail: unknown
  constructor(code: RegistryErrorCode, message: string, detail?: unknown) {
    super(message)
    this.code = code
    this.detail = detail
  }
}
