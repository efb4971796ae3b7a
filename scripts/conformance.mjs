// Runs the official MCP conformance suites against the "everything server" (or any other server) over HTTP.
//
//   node scripts/conformance.mjs                                  both requirement sets with the pre-release runner,
//                                                                 the scenarios of extensions, then every scenario of
//                                                                 the stable runner
//   node scripts/conformance.mjs --requirements 2026-07-28        that requirement set alone (may be repeated)
//   node scripts/conformance.mjs --suite all                      the stable runner's suite alone
//   node scripts/conformance.mjs --client                         the client suites instead, see conformance-client.mjs
//   node scripts/conformance.mjs --against "node server.js --port {port}" [--path /mcp]
//   node scripts/conformance.mjs --scored-only                    failures the runner does not score are shown, not counted
//   node scripts/conformance.mjs -- --scenario ping               what follows "--" goes to the pre-release runner as it is
//
// The runners need Node 22 while the product runs on Node 20, so a Node 22 and each runner are installed, once, in folders
// of their own below .cache/conformance/. Nothing is retried. The exit status is 0 only when every check passed, the
// runner agreed (its own status is 0 although unscored scenarios fail, so the checks it saved are counted here), and the
// server, ended by SIGTERM, left with status 0.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  cache,
  fail,
  PRERELEASE,
  printScenario,
  readScenario,
  root,
  runner,
  runnerNode,
  STABLE,
} from './conformance-runner.mjs'

const serverLog = join(cache, 'server.log')

/** Scenarios of extensions that no requirement set names; those of the tasks extension come with the sets. */
const extensionScenarios = ['sep-2640-skills-directory', 'sep-2640-skills-enumeration', 'sep-2640-skills-manifest']
const READY_WITHIN_MS = 20_000
const SUITE_WITHIN_MS = 600_000
const STOP_WITHIN_MS = 15_000
const RUNNER_TEXT_MAX = 200_000

const { values: options, positionals: passThrough } = parseArgs({
  allowPositionals: true,
  options: {
    client: { type: 'boolean', default: false },
    requirements: { type: 'string', multiple: true },
    suite: { type: 'string', multiple: true },
    against: { type: 'string' },
    path: { type: 'string', default: '/mcp' },
    'scored-only': { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) {
  const lines = readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\n')
  const end = lines.findIndex((line) => !line.startsWith('//'))
  console.log(
    lines
      .slice(0, end)
      .map((line) => line.replace(/^\/\/ ?/, ''))
      .join('\n'),
  )
  process.exit(0)
}

if (options.client) {
  const { runClientSuites } = await import('./conformance-client.mjs')
  const { requirements, against, verbose } = options
  process.exit((await runClientSuites({ requirements, command: against, verbose, passThrough })) ? 0 : 1)
}

/** The suites to run, in order: `{ title, version, args }`. */
function plan() {
  if (passThrough.length > 0) {
    return [{ title: `runner ${PRERELEASE} ${passThrough.join(' ')}`, version: PRERELEASE, args: passThrough }]
  }
  const none = options.requirements === undefined && options.suite === undefined
  const requirements = options.requirements ?? (none ? ['2025-11-25', '2026-07-28'] : [])
  const suites = options.suite ?? (none ? ['all'] : [])
  return [
    ...requirements.map((revision) => ({
      title: `requirements ${revision}, runner ${PRERELEASE}`,
      version: PRERELEASE,
      args: ['--requirements', revision],
    })),
    ...(none ? extensionScenarios : []).map((name) => ({
      title: `extension scenario ${name}, runner ${PRERELEASE}`,
      version: PRERELEASE,
      args: ['--scenario', name],
    })),
    ...suites.map((name) => ({ title: `suite ${name}, runner ${STABLE}`, version: STABLE, args: ['--suite', name] })),
  ]
}

/** A loopback port that was free a moment ago. */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true) || socket.destroy())
    socket.once('error', () => resolve(false))
  })
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Starts the server under test and waits until its port accepts connections. Its output goes to server.log. */
async function startServer() {
  const port = await freePort()
  const everything = join(root, 'dist', 'examples', 'everything', 'main.js')
  if (!options.against && !existsSync(everything)) fail(`${everything} does not exist: run "npm run build" first.`)
  const command = options.against
    ? ['/bin/sh', '-c', `exec ${options.against.replaceAll('{port}', String(port))}`]
    : [process.execPath, everything, '--http', `127.0.0.1:${port}`]
  const log = openSync(serverLog, 'w')
  const child = spawn(command[0], command.slice(1), {
    stdio: ['ignore', log, log],
    env: { ...process.env, PORT: String(port) },
  })
  closeSync(log)
  const server = { child, url: `http://127.0.0.1:${port}${options.path}`, ended: undefined, exited: undefined }
  server.exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve((server.ended = { code, signal })))
    child.once('error', (error) => resolve((server.ended = { code: null, signal: error.message })))
  })
  const deadline = Date.now() + READY_WITHIN_MS
  while (!(await accepts(port))) {
    if (server.ended) fail(`The server ended before it listened (${describeEnd(server.ended)}).\n${logTail()}`)
    if (Date.now() > deadline) {
      child.kill('SIGKILL')
      fail(`The server did not listen on port ${port} within ${READY_WITHIN_MS} ms.\n${logTail()}`)
    }
    await sleep(50)
  }
  return server
}

/** Ends the server with SIGTERM, by its pid; SIGKILL when it overstays. Resolves to how it ended. */
async function stopServer(server) {
  if (server.ended) return server.ended
  server.child.kill('SIGTERM')
  const timer = setTimeout(() => server.child.kill('SIGKILL'), STOP_WITHIN_MS)
  const ended = await server.exited
  clearTimeout(timer)
  return ended
}

const describeEnd = ({ code, signal }) => (signal ? `by ${signal}` : `with status ${code}`)

function logTail() {
  const lines = existsSync(serverLog) ? readFileSync(serverLog, 'utf8').trimEnd().split('\n').slice(-20) : []
  return `Last lines of ${serverLog}:\n  ${lines.join('\n  ')}`
}

/** The runner that is at work, so that an interruption can end it. */
let activeRunner

/** Runs one suite; prints a row as each scenario ends. Resolves to its totals and whether it counts as passed. */
async function runSuite(suite, node, url) {
  console.log(`\n${suite.title}`)
  const output = join(cache, 'results', suite.title.replace(/[^\w.-]+/g, '-'))
  rmSync(output, { recursive: true, force: true })
  const child = spawn(node, [runner(suite.version), 'server', '--url', url, ...suite.args, '--output-dir', output], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  activeRunner = child
  const timer = setTimeout(() => child.kill('SIGKILL'), SUITE_WITHIN_MS)
  const rows = []
  const unscored = new Set()
  let text = ''
  let announced
  let current
  let total
  const keep = (chunk) => (text = (text + chunk).slice(-RUNNER_TEXT_MAX))
  child.stderr.setEncoding('utf8').on('data', keep)
  for await (const line of createInterface({ input: child.stdout })) {
    keep(`${line}\n`)
    if (options.verbose) console.log(`         | ${line}`)
    let match
    if ((match = /^Running .*\((\d+) scenarios\)/.exec(line))) announced = Number(match[1])
    else if ((match = /^Running client scenario '(.+?)' against/.exec(line))) current = match[1]
    else if ((match = /^Results saved to (.+)$/.exec(line)) && current !== undefined) {
      rows.push(readScenario(current, match[1]))
      printScenario(rows.at(-1))
      current = undefined
    } else if ((match = /^Total: (\d+) passed, (\d+) failed/.exec(line)))
      total = { passed: +match[1], failed: +match[2] }
    else if ((match = /^\s+[✓✗] (\S+) \(.+\)$/u.exec(line)) && total) unscored.add(match[1])
  }
  const status = await new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode)
    else child.once('exit', resolve)
  })
  clearTimeout(timer)

  const sum = (key, among = rows) => among.reduce((n, row) => n + row[key], 0)
  const scored = rows.filter((row) => !unscored.has(row.name))
  const faults = []
  if (rows.length === 0) faults.push('the runner ran no scenario')
  if (current !== undefined) faults.push(`the runner ended inside scenario ${current}`)
  if (announced !== undefined && announced !== rows.length)
    faults.push(`${announced} scenarios announced, ${rows.length} run`)
  if (total && (total.passed !== sum('passed') || total.failed !== sum('failed'))) {
    faults.push(`the runner's own total says ${total.passed} passed and ${total.failed} failed`)
  }
  if (status !== 0 && sum('failed', scored) === 0)
    faults.push(`the runner ended with status ${status} without a failed check`)
  if (status === 0 && sum('failed', scored) > 0) faults.push('the runner ended with status 0 in spite of failed checks')
  if (faults.length > 0)
    console.log(
      text
        .split('\n')
        .slice(-25)
        .map((line) => `         | ${line}`)
        .join('\n'),
    )
  for (const fault of faults) console.log(`  FAULT ${fault}`)
  const idle = rows.filter((row) => row.passed + row.failed === 0).length
  const details = [`${sum('warned')} warned`, `${sum('skipped')} skipped`, `${idle} scenarios checked nothing`]
  if (unscored.size > 0)
    details.push(`${unscored.size} scenarios unscored: ${sum('failed') - sum('failed', scored)} failed`)
  console.log(
    `  total ${rows.length} scenarios, ${sum('passed')} passed, ${sum('failed')} failed (${details.join('; ')})`,
  )
  const counted = options['scored-only'] ? sum('failed', scored) : sum('failed')
  return { passed: sum('passed'), failed: sum('failed'), ok: counted === 0 && faults.length === 0 }
}

mkdirSync(cache, { recursive: true })
const suites = plan()
const node = runnerNode()
for (const suite of suites) runner(suite.version)
const server = await startServer()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    activeRunner?.kill('SIGTERM')
    stopServer(server).then(() => process.exit(130))
  })
}
process.once('exit', () => server.ended === undefined && server.child.kill('SIGKILL'))
console.log(`server ${options.against ?? 'dist/examples/everything/main.js'} at ${server.url}, Node ${process.version}`)

let ok = true
for (const suite of suites) {
  const result = await runSuite(suite, node, server.url)
  ok &&= result.ok
  if (server.ended) {
    ok = false
    console.log(`  FAULT the server ended ${describeEnd(server.ended)} during the suite.\n${logTail()}`)
    break
  }
}
if (!server.ended) {
  const ended = await stopServer(server)
  console.log(`\nserver ended ${describeEnd(ended)} after SIGTERM`)
  // Only our own server promises status 0; another may leave the signal to Node's default.
  if (!options.against && ended.code !== 0) {
    ok = false
    console.log(`  FAULT expected status 0.\n${logTail()}`)
  }
}
console.log(ok ? 'conformance: passed' : 'conformance: failed')
process.exitCode = ok ? 0 : 1
