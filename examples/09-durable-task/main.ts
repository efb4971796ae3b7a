/**
 * Story 9: tasks that outlive their server. A server with a store on disk is killed while one task runs and the result of
 * another waits to be fetched. Its successor has both: the result is there, and the task goes on from its last checkpoint.
 *
 *     node dist/examples/09-durable-task/main.js
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { StorageError, sqliteStore } from 'bough/storage/sqlite'

const PROGRAM = fileURLToPath(new URL('./server.js', import.meta.url))
const KILL_AT = 3
const PAGES = 8

/** A server in a process of its own: where it listens, and the pages that its task has read, as it prints them. */
async function start(file: string): Promise<{ server: ChildProcess; url: string; lines: AsyncIterator<string> }> {
  const server = spawn(process.execPath, [PROGRAM, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  assert.ok(server.stdout !== null)
  const lines = createInterface(server.stdout)[Symbol.asyncIterator]()
  return { server, url: (await lines.next()).value, lines }
}

/** One request of revision 2026-07-28, which needs no session: the task's id is all that has to be remembered. */
async function request(url: string, method: string, params: { name?: string; taskId?: string; arguments?: object }) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } },
  }
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      'mcp-name': params.name ?? params.taskId ?? '',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  })
  const { result, error } = JSON.parse(await response.text())
  assert.equal(error, undefined)
  return result
}

async function untilDone(url: string, taskId: string) {
  for (;;) {
    const task = await request(url, 'tasks/get', { taskId })
    if (task.status !== 'working') return task
    await sleep(task.pollIntervalMs)
  }
}

async function story(file: string): Promise<void> {
  const first = await start(file)
  const greeting = await request(first.url, 'tools/call', { name: 'greet', arguments: { name: 'Ada' } })
  assert.equal((await untilDone(first.url, greeting.taskId)).status, 'completed')
  const reading = await request(first.url, 'tools/call', { name: 'read', arguments: { pages: PAGES } })
  for (let page = 0; page < KILL_AT; ) page = Number((await first.lines.next()).value)
  first.server.kill('SIGKILL')
  await once(first.server, 'close')
  console.log(`killed: one task was done, another had read ${KILL_AT} pages of ${PAGES}`)

  const second = await start(file)
  const greeted = await request(second.url, 'tasks/get', { taskId: greeting.taskId })
  assert.equal(greeted.status, 'completed')
  assert.equal(greeted.result.content[0].text, 'Hello, Ada!')
  console.log(`started again: the first task still is ${greeted.status}, with "${greeted.result.content[0].text}"`)

  const read = await untilDone(second.url, reading.taskId)
  assert.equal(read.status, 'completed')
  const { from, to } = read.result.structuredContent
  // What was kept at the moment of the kill may be a page ahead of what was printed.
  assert.ok(from >= KILL_AT && to === PAGES)
  console.log(`the second went on by itself: it read from page ${from + 1} to page ${to}, and is ${read.status}`)
  second.server.kill('SIGTERM')
  assert.deepEqual(await once(second.server, 'close'), [0, null])
}

const folder = await mkdtemp(join(tmpdir(), 'bough-'))
try {
  const probe = sqliteStore({ file: join(folder, 'probe.db') })
  await probe.open()
  await probe.close()
  await story(join(folder, 'tasks.db'))
} catch (error) {
  if (!(error instanceof StorageError) || error.code !== 'no_driver') throw error
  console.log('This story needs SQLite, and there is none here:')
  console.log(error.message)
  console.log('Without it tasks are kept in memory, and end with the server.')
} finally {
  await rm(folder, { recursive: true, force: true })
}
