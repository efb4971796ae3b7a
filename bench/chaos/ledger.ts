// What a server has promised to keep: tasks that it took on, and updates that it told of. Afterwards everything that was
// acknowledged must be there.
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { ChaosClient } from './client.ts'

const PAUSE_MS = 60
/** Milliseconds that a task is kept; by the time of day, since tasks outlive the program: longer than any jump of a clock. */
const TASK_TTL_MS = 86_400_000
/** Milliseconds that what was promised may take to show. */
const SETTLE_MS = 15_000
const terminal = new Set(['completed', 'failed', 'cancelled'])

export class Ledger {
  private readonly url: string
  private readonly toucher: ChaosClient
  private readonly subscriber: ChaosClient
  private readonly tasks = new Set<string>()
  private readonly touched = new Set<string>()
  private readonly seen = new Set<string>()
  private lastEventId: string | undefined
  private isStopped = false
  private running: Promise<unknown> | undefined
  private stream: IncomingMessage | undefined
  private next = 0

  constructor(url: string) {
    this.url = url
    this.toucher = new ChaosClient('toucher', url)
    this.subscriber = new ChaosClient('subscriber', url)
  }

  /** Acknowledged so far. */
  get promises(): number {
    return this.tasks.size + this.touched.size
  }

  async open(): Promise<void> {
    await this.toucher.open()
    await this.subscriber.open()
    this.running = Promise.all([this.write(), this.listen()])
  }

  /** Looks for everything that was acknowledged; what cannot be found is lost. */
  async lost(): Promise<string[]> {
    this.isStopped = true
    const until = performance.now() + SETTLE_MS
    const lost: string[] = []
    for (const id of this.tasks) {
      let found = 'no answer'
      while (!terminal.has(found) && performance.now() < until) {
        const reply = await this.toucher.request('tasks/get', { taskId: id }).catch(() => undefined)
        found = reply?.message?.result?.status ?? `${reply?.status} ${JSON.stringify(reply?.message?.error)}`
        if (reply?.message?.error !== undefined) break
        if (!terminal.has(found)) await sleep(PAUSE_MS)
      }
      if (!terminal.has(found)) lost.push(`task ${id}: ${found}`)
    }
    while ([...this.touched].some((uri) => !this.seen.has(uri)) && performance.now() < until) await sleep(PAUSE_MS)
    for (const uri of this.touched) if (!this.seen.has(uri)) lost.push(`update of ${uri}`)
    this.stream?.destroy()
    this.isListening = false
    await this.running
    return lost
  }

  private isListening = true

  private async write(): Promise<void> {
    while (!this.isStopped) {
      const uri = `chaos://${++this.next}`
      try {
        const call = { name: 'job', arguments: {}, task: { ttl: TASK_TTL_MS } }
        const task = (await this.toucher.request('tools/call', call)).message?.result?.task
        if (task !== undefined) this.tasks.add(task.taskId)
        if ((await this.subscriber.request('resources/subscribe', { uri })).message?.result !== undefined) {
          const reply = await this.toucher.request('tools/call', { name: 'touch', arguments: { uri } })
          if (reply.message?.result?.content?.[0]?.text === 'touched') this.touched.add(uri)
        }
      } catch {
        // Not acknowledged: nothing was promised.
      }
      await sleep(PAUSE_MS)
    }
  }

  /** One stream after the other, each from where the last one broke off. */
  private async listen(): Promise<void> {
    while (this.isListening) {
      await this.follow().catch(() => undefined)
      if (this.isListening) await sleep(PAUSE_MS)
    }
  }

  private follow(): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = {
        accept: 'text/event-stream',
        'mcp-session-id': this.subscriber.sessionId ?? '',
        'mcp-protocol-version': '2025-11-25',
      }
      if (this.lastEventId !== undefined) headers['last-event-id'] = this.lastEventId
      const asking = request(this.url, { method: 'GET', agent: false, headers })
      asking.on('error', reject)
      asking.on('response', (response) => {
        this.stream = response
        let rest = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          const blocks = (rest + chunk).split('\n\n')
          rest = blocks.pop() ?? ''
          for (const block of blocks) this.event(block)
        })
        response.on('error', reject)
        response.on('close', resolve)
      })
      asking.end()
    })
  }

  private event(block: string): void {
    const id = /^id: (.*)$/m.exec(block)?.[1]
    const data = /^data: (\{.*)$/m.exec(block)?.[1]
    if (id !== undefined) this.lastEventId = id
    if (data === undefined) return
    const uri: unknown = JSON.parse(data).params?.uri
    if (typeof uri === 'string') this.seen.add(uri)
  }
}
