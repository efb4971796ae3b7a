/** Processes of one server end in every way there is: what they alone had is gone or kept as promised, the others do not notice. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { clientOf, collect, Fleet, fleet, isAlive, ownConnections, RawClient, until } from './processes-support.ts'

const PATIENCE_MS = 120_000

/** Calls a tool again and again until told to stop; resolves to how many calls there were and what went wrong. */
function load(call: () => Promise<string>, isFine: (text: string) => boolean) {
  let isOver = false
  const faults: string[] = []
  let calls = 0
  const run = async (): Promise<void> => {
    while (!isOver) {
      const text = await call().catch((error: unknown) => String(error))
      calls++
      if (!isFine(text)) faults.push(text)
    }
  }
  const running = run()
  return {
    stop: async () => {
      isOver = true
      await running
      return { calls, faults }
    },
  }
}

const storeFile = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'ps-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }))
  return join(folder, 'store.db')
}

describe('a process that is killed', { timeout: PATIENCE_MS }, () => {
  it('takes its sessions along with a store in memory, and the sessions of the others do not notice', async () => {
    const { url } = await fleet({ processes: 2 })
    const doomed = await clientOf(url, 0, ownConnections())
    const other = await clientOf(url, 1, ownConnections())
    const pid = Number(await doomed.call('pid'))
    const running = load(
      () => other.call('echo', { text: 'x' }),
      (text) => text === 'x',
    )
    for (let round = 0; round < 2; round++) {
      const client = await clientOf(url, 0, ownConnections())
      process.kill(Number(await client.call('pid')), 'SIGKILL')
      const statuses = new Set<number>()
      await until(async () => {
        const { status } = await client.post(client.callOf('pid')).catch(() => ({ status: 0 }))
        statuses.add(status)
        return status === 404
      })
      // Cut off, then told to come back, then told that it is over.
      expect([...statuses].every((status) => [0, 502, 503, 404].includes(status))).toBe(true)
    }
    const { calls, faults } = await running.stop()
    expect(faults).toEqual([])
    expect(calls).toBeGreaterThan(10)
    const again = await clientOf(url, 0, ownConnections())
    expect(Number(await again.call('pid'))).not.toBe(pid)
  })

  it('loses nothing durable with a store on disk: session, subscription, stream, task', async () => {
    const store = storeFile()
    const { url } = await fleet({ processes: 2, store: `sqlite:${store}` })
    const kept = await clientOf(url, 0, ownConnections())
    const other = await clientOf(url, 1, ownConnections())
    await kept.post({ id: 9, method: 'resources/subscribe', params: { uri: 'config://app' } })
    const created = await kept.post({
      ...kept.callOf('job', { ms: 10 }),
      params: { name: 'job', arguments: { ms: 10 }, task: {} },
    })
    const { taskId } = created.messages.at(-1).result.task
    const done = await kept.post({ id: 10, method: 'tasks/result', params: { taskId } })
    const result = done.messages.at(-1).result.content[0].text
    const stream = await kept.send('GET')
    const begun = collect(stream, ({ messages }) => messages.length >= 1)
    await other.call('touch', { uri: 'config://app' })
    const lastEventId = (await begun).ids.at(-1) ?? ''
    stream.destroy()
    const running = load(
      () => other.call('echo', { text: 'x' }),
      (text) => text === 'x',
    )
    process.kill(Number(await kept.call('pid')), 'SIGKILL')
    // Who tells of a change while its subscriber has no process waits until it cannot be lost.
    expect(await other.call('touch', { uri: 'config://app' })).toBe('touched')
    await until(async () => /^\d+$/.test(await kept.call('pid').catch(() => '')))
    const resumed = await collect(
      await kept.send('GET', undefined, { 'last-event-id': lastEventId }),
      ({ messages }) => messages.length >= 1,
    )
    expect(resumed.messages[0].method).toBe('notifications/resources/updated')
    const after = await kept.post({ id: 11, method: 'tasks/result', params: { taskId } })
    expect(after.messages.at(-1).result.content[0].text).toBe(result)
    const { calls, faults } = await running.stop()
    expect(faults).toEqual([])
    expect(calls).toBeGreaterThan(5)
  })

  it('is replaced when it does not answer', async () => {
    const { url } = await fleet({ processes: { count: 2, beatMs: 100, silentMs: 4_000 } })
    const stuck = await clientOf(url, 0, ownConnections())
    const pid = Number(await stuck.call('pid'))
    stuck.call('blocks').catch(() => undefined)
    await until(() => !isAlive(pid), 60_000)
    await until(async () => (await stuck.post(stuck.callOf('pid')).catch(() => undefined))?.status === 404, 60_000)
  })

  it('leaves what was on its way to it to the others', async () => {
    const { url } = await fleet({ processes: { count: 2, beatMs: 100, silentMs: 4_000 } })
    const stuck = await clientOf(url, 0, ownConnections())
    stuck.call('blocks').catch(() => undefined)
    // Half of these are handed to the process that does not answer, until it is replaced.
    const texts = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { messages } = await new RawClient(url).modern('tools/call', { name: 'echo', arguments: { text: 'x' } })
        return messages.at(-1)?.result.content[0].text
      }),
    )
    expect(texts).toEqual(Array.from({ length: 20 }, () => 'x'))
  })
})

describe('the end of a server of several processes', { timeout: PATIENCE_MS }, () => {
  it('drains all of them: what is in flight is answered, nobody is left', async () => {
    const running = await fleet({ processes: 2 })
    const clients = [await clientOf(running.url, 0, ownConnections()), await clientOf(running.url, 1, ownConnections())]
    const pids = await Promise.all(clients.map((client) => client.call('pid')))
    const answers = clients.map((client) => client.call('slow', { ms: 1_500 }))
    await new Promise((resolve) => setTimeout(resolve, 300))
    running.program.kill('SIGTERM')
    expect(await Promise.all(answers)).toEqual(pids)
    expect(await running.ended).toBe(0)
    expect(pids.map((pid) => isAlive(Number(pid)))).toEqual([false, false])
    expect(running.privateFolders()).toEqual([])
  })

  it('leaves nobody behind when the primary is killed', async () => {
    const running = await fleet({ processes: 3 })
    const clients = await Promise.all([0, 1, 2].map((owner) => clientOf(running.url, owner, ownConnections())))
    const pids = await Promise.all(clients.map(async (client) => Number(await client.call('pid'))))
    running.program.kill('SIGKILL')
    await until(() => !pids.some(isAlive), 60_000)
    expect(running.privateFolders()).toEqual([])
  })

  it('waits for nobody who is stuck longer than the drain and a little', async () => {
    const running = await fleet({ processes: 2, drainMs: 200 })
    const stuck = await clientOf(running.url, 0, ownConnections())
    const pid = Number(await stuck.call('pid'))
    stuck.call('blocks').catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 300))
    running.program.kill('SIGTERM')
    expect(await running.ended).toBe(0)
    expect(isAlive(pid)).toBe(false)
  })
})

describe('members that are replaced', { timeout: PATIENCE_MS }, () => {
  it('one after the other, with every request answered', async () => {
    const running = await fleet({ processes: 2 })
    const pidsOf = async (): Promise<Set<string>> => {
      const clients = [
        await clientOf(running.url, 0, ownConnections()),
        await clientOf(running.url, 1, ownConnections()),
      ]
      return new Set(await Promise.all(clients.map((client) => client.call('pid'))))
    }
    const before = await pidsOf()
    const requests = load(
      async () => {
        const { messages } = await new RawClient(running.url).modern('tools/call', {
          name: 'echo',
          arguments: { text: 'x' },
        })
        return messages.at(-1)?.result.content[0].text
      },
      (text) => text === 'x',
    )
    await running.do('replace')
    const { faults, calls } = await requests.stop()
    expect(faults).toEqual([])
    expect(calls).toBeGreaterThan(5)
    const after = await pidsOf()
    expect([...after].some((pid) => before.has(pid))).toBe(false)
  })
})

describe('what the primary tells', { timeout: PATIENCE_MS }, () => {
  it('is of all: the tree, the sums, the texts, readiness', async () => {
    const running = await fleet({ processes: 2, observe: { port: 0 } })
    for (const owner of [0, 1]) await (await clientOf(running.url, owner, ownConnections())).call('echo', { text: 'x' })
    const tree = await running.do('tree')
    const members = tree.children.find(({ id }: { id: string }) => id === 'members')
    expect(members.children.map(({ id }: { id: string }) => id)).toEqual(['member-0', 'member-1'])
    expect(members.children[0].children[0].id).toBe('application')
    await until(async () => (await running.do('metrics')).requests?.['tools/call'] >= 2)
    const text: string = await running.do('text')
    expect(text).toMatch(/^bough_requests_total\{member="0",.*\} \d+$/m)
    expect(text).toMatch(/^bough_requests_total\{member="1",.*\} \d+$/m)
    expect(text.match(/^# TYPE bough_requests_total /gm)).toHaveLength(1)
    expect(await running.do('ready')).toEqual({
      isReady: true,
      checks: { 'member-0': { ok: true }, 'member-1': { ok: true } },
    })
  })
})

describe('a port that was named', { timeout: PATIENCE_MS }, () => {
  it('is shared by all', async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => probe.once('listening', resolve))
    const { port } = probe.address() as { port: number }
    await new Promise((resolve) => probe.close(resolve))
    const { url } = await fleet({ processes: 3, http: { port } })
    expect(new URL(url).port).toBe(String(port))
    const clients = await Promise.all(Array.from({ length: 9 }, () => new RawClient(url).initialize()))
    expect(new Set(clients.map(({ owner }) => owner)).size).toBe(3)
  })
})

describe('a member that is told to end', { timeout: PATIENCE_MS }, () => {
  it('drains, and is replaced', async () => {
    const { url } = await fleet({ processes: 2 })
    const client = await clientOf(url, 0, ownConnections())
    const pid = await client.call('pid')
    const answer = client.call('slow', { ms: 900 })
    await new Promise((resolve) => setTimeout(resolve, 200))
    process.kill(Number(pid), 'SIGTERM')
    expect(await answer).toBe(pid)
    await until(() => !isAlive(Number(pid)))
    expect(await (await clientOf(url, 0, ownConnections())).call('echo', { text: 'x' })).toBe('x')
  })
})

describe('a server of several processes that cannot start', { timeout: PATIENCE_MS }, () => {
  it('says why and leaves nobody behind', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => blocker.once('listening', resolve))
    onTestFinished(() => void blocker.close())
    const { port } = blocker.address() as { port: number }
    const failing = new Fleet({ processes: 2, http: { port } })
    expect(await failing.ended).toBe(1)
    expect(failing.errors).toContain(`cannot listen on 127.0.0.1 port ${port}`)
    expect(failing.errors.match(/TransportError/g)?.length).toBeGreaterThan(0)
    expect(failing.privateFolders()).toEqual([])
  })

  it.each([[{ processes: 2, http: { port: -1 } }, 'port must be an integer']])(
    'refuses %j before it starts anything',
    async (options, sentence) => {
      const failing = new Fleet(options)
      expect(await failing.ended).toBe(1)
      expect(failing.errors).toContain(sentence)
    },
  )
})
