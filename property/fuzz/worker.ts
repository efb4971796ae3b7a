/** A thread that runs targets for the command, and writes down what it reads next, for whoever finds it hanging. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Fault, fuzz, type Outcome } from './runner.ts'
import { targetNamed } from './targets/index.ts'

export interface Job {
  readonly target: string
  readonly cases: number
  readonly seed: number
}

export interface Shared {
  /** Cases begun, then the length of the present input. */
  readonly heart: SharedArrayBuffer
  /** The present input. */
  readonly input: SharedArrayBuffer
}

export type Report =
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  | { readonly type: 'stray'; readonly fault: Fault }

const { heart, input } = workerData as Shared
const beats = new Int32Array(heart)
const present = new Uint8Array(input)

const beginning = (next: Buffer): void => {
  const length = Math.min(next.length, present.length)
  present.set(next.subarray(0, length))
  beats[1] = length
  Atomics.add(beats, 0, 1)
}

const tell = (report: Report): void => parentPort?.postMessage(report)

/** What strays from a case: nobody awaited it. In a server of its own it would have ended the program. */
const strayed = (error: unknown): void => {
  const message = `It strayed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
  tell({ type: 'stray', fault: { kind: 'broken', message, input: Buffer.from(present.slice(0, beats[1])) } })
}
process.on('uncaughtException', strayed)
process.on('unhandledRejection', strayed)

parentPort?.on('message', ({ target, cases, seed }: Job) => {
  void fuzz(targetNamed(target), { cases, seed, beginning }).then(
    (outcome) => tell({ type: 'outcome', outcome }),
    strayed,
  )
})
