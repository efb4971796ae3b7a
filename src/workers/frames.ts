/**
 * What travels between a system and the thread of a worker. A frame is `FRAME_LENGTH` places in one flat array, a batch is many
 * frames in a row: one array is copied for a tenth of what an object for each message costs.
 *
 *     kind, to, id, op, arg, extra
 *
 * `to` is the process that the frame is for, in the receiver's numbering of what it has handed out; 0 is the worker itself.
 * `id` pairs a reply with its request. A kind with `PACKED` added carries tokens in `arg`.
 */

export const FRAME_LENGTH = 6

/** Added to a kind whose `arg` holds tokens for refs or errors. */
export const PACKED = 64

export const frames = {
  // To a process of the receiver's. `extra` of call and stop: milliseconds the sender waits, Infinity for ever.
  call: 1,
  cast: 2,
  send: 3,
  exit: 4,
  stop: 5,
  // Answers to a call or stop, by `id`.
  reply: 6,
  fail: 7,
  /** The process that was handed out as `id` has ended; `arg` is the reason. */
  down: 8,
  // To the thread alone, about the worker.
  /** An EXIT that the worker, which traps exits, got in the system: `arg` is `{ ref, reason }`. */
  trapped: 9,
  /** The worker's orderly end: `op` says whether in turn ('ordered') or ahead of messages ('now'); `arg` is the reason. */
  end: 10,
  // From the thread alone.
  /** `init` is done. */
  ready: 11,
  /** `init` returned `ignore`. */
  ignored: 12,
  /** The module could not be used, or `init` threw `arg`. */
  failed: 13,
  /** The worker has ended; `arg` is the reason. */
  ended: 14,
  /** The worker has taken `id` messages of the system's out of its mailbox so far. */
  taken: 15,
  /** The worker now traps exits, or no more: `arg`. */
  trapping: 16,
  /** A system event of the thread. */
  event: 17,
} as const
export type FrameKind = (typeof frames)[keyof typeof frames]
