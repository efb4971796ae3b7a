// Loaded into every measured child with --import: answers the harness over the IPC channel with what this process used.
// A side channel, so that asking costs the measured protocol nothing, and works wherever Node does.

/** What a child has used. CPU is user plus system time of all its threads since it started. */
export interface Usage {
  readonly cpuMicros: number
  readonly rssBytes: number
  readonly heapBytes: number
}

/** The harness's question. `collect` forces a garbage collection first (the child runs with --expose-gc). */
export interface Question {
  readonly type: 'bench:usage'
  readonly collect: boolean
}

function isQuestion(message: unknown): message is Question {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'bench:usage'
}

process.on('message', (message) => {
  if (!isQuestion(message)) return
  if (message.collect) globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  process.send?.({ cpuMicros: user + system, rssBytes: rss, heapBytes: heapUsed } satisfies Usage)
})
process.channel?.unref()
