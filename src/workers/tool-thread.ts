/**
 * The far side of `isolate: 'thread'`: runs in a worker thread, compiles a tool's source once and calls it. The context it
 * passes has `progress` and `log`, which travel home as messages, and a `signal` that never fires: a call that is cancelled or
 * timed out ends with its thread.
 */
import type { MessagePort } from 'node:worker_threads'
import { compile } from './compiled.ts'

/** What comes with a call. */
export interface ThreadCall {
  readonly source: string
  readonly args: unknown
  readonly port: MessagePort
}

/** What goes home while a call runs. */
export type ThreadReport =
  | { readonly type: 'progress'; readonly args: readonly [done: number, total?: number, message?: string] }
  | { readonly type: 'log'; readonly args: readonly [level: string, data: unknown, logger?: string] }

export async function runTool({ source, args, port }: ThreadCall): Promise<unknown> {
  const tell = (report: ThreadReport): void => port.postMessage(report)
  try {
    return await compile(source)(args, {
      signal: new AbortController().signal,
      progress: (...report: [number, number?, string?]) => tell({ type: 'progress', args: report }),
      log: (...report: [string, unknown, string?]) => tell({ type: 'log', args: report }),
    })
  } finally {
    port.close()
  }
}
