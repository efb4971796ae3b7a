// Runs the client half of the official conformance suite against the program that package.json names as
// "bough.conformanceClient" (or any other):
//
//   node scripts/conformance.mjs --client                              both requirement sets, then every other scenario alone
//   node scripts/conformance.mjs --client --requirements 2026-07-28    that set alone (may be repeated)
//   node scripts/conformance.mjs --client --against "node client.js"
//   node scripts/conformance.mjs --client -- --scenario sse-retry      what follows "--" goes to the runner as it is
//
// The runner starts all clients of a set at once. On a machine with few processors that alone makes clients late, so a
// scenario that failed is run once more by itself, which is said aloud; its second result counts.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  cache,
  fail,
  PRERELEASE,
  printScenario,
  readScenario,
  root,
  runner,
  runnerNode,
} from './conformance-runner.mjs'

const REQUIREMENTS = ['2025-11-25', '2026-07-28']
/** For one client, as the runner is told; and for a whole run of the runner. */
const CLIENT_WITHIN_MS = 120_000
const SUITE_WITHIN_MS = 900_000
const RUNNER_TEXT_MAX = 200_000

/** Resolves to whether everything passed. */
export async function runClientSuites({ requirements, command = ownCommand(), verbose, passThrough }) {
  const context = { node: runnerNode(), entry: runner(PRERELEASE), command, verbose }
  console.log(`client ${command}, Node ${process.version}, runner ${PRERELEASE}`)
  if (passThrough.length > 0) return (await run(context, passThrough, 'given', false)).ok
  const all = listed(context)
  const seen = new Set()
  const totals = []
  for (const revision of requirements ?? REQUIREMENTS) {
    // The list of a set holds the server's scenarios too.
    const wanted = listed(context, '--requirements', revision).filter((name) => all.includes(name))
    totals.push(await runSet(context, revision, wanted))
    for (const name of wanted) seen.add(name)
  }
  if (requirements === undefined) {
    const others = all.filter((name) => !seen.has(name))
    console.log(`\nscenarios of no requirement set, one after the other`)
    const rows = []
    for (const name of others) rows.push(await runAlone(context, name, undefined))
    totals.push(summary(rows))
  }
  const ok = totals.every((total) => total.ok)
  console.log(ok ? 'conformance of the client: passed' : 'conformance of the client: failed')
  return ok
}

function ownCommand() {
  const { bough } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const command = bough?.conformanceClient
  if (command === undefined) fail('package.json names no "bough": { "conformanceClient": "node dist/..." }.')
  // The runner starts it in whatever folder; what it names lies in ours.
  return command.replace(/(^|\s)(dist\/)/g, `$1${root}/$2`)
}

/** The names of the client scenarios that the runner knows. */
function listed({ node, entry }, ...args) {
  const { status, stdout, stderr } = spawnSync(node, [entry, 'list', '--client', ...args], { encoding: 'utf8' })
  const names = [...stdout.matchAll(/^\s+- (\S+)/gm)].map(([, name]) => name)
  if (status !== 0 || names.length === 0) fail(`The runner lists no client scenarios (status ${status}).\n${stderr}`)
  return names
}

/** Runs a requirement set at once, and what failed once more alone. */
async function runSet(context, revision, wanted) {
  console.log(`\nrequirements ${revision}: ${wanted.length} scenarios at once`)
  const { folder, status, text } = await run(context, ['--requirements', revision], revision, true)
  const rows = []
  for (const name of wanted) {
    const row = readScenario(name, resultOf(folder, name))
    printScenario(row)
    rows.push(row.failed + row.warned === 0 && row.passed > 0 ? row : await again(context, name, revision))
  }
  const total = summary(rows)
  const announced = Number(/^Running .*\((\d+) scenarios\)/m.exec(text)?.[1])
  if (announced === wanted.length && (status === 0 || status === 1)) return total
  console.log(`  FAULT the runner ran ${announced} scenarios of ${wanted.length} and ended with status ${status}`)
  return { ok: false }
}

function again(context, name, revision) {
  console.log(`  AGAIN ${name} failed among the others: once more, alone`)
  return runAlone(context, name, revision)
}

async function runAlone(context, name, revision) {
  const version = revision === undefined ? [] : ['--spec-version', revision, '--force']
  const { folder, ok, text } = await run(context, ['--scenario', name, ...version], name.replaceAll('/', '-'), true)
  const row = readScenario(name, resultOf(folder, name))
  // Alone, the runner also minds a client that ends with another status than 0 where it should not.
  if (!ok && row.failed === 0) {
    row.failed += 1
    row.notes.push(`the runner was not content: ${text.split('\n').filter(Boolean).slice(-4).join(' ')}`)
  }
  printScenario(row)
  return row
}

/** Where the runner saved the checks of a scenario: a folder of its name and the time. */
function resultOf(folder, name) {
  const parent = join(folder, dirname(name))
  const last = name.split('/').at(-1)
  const isIts = (entry) => entry.startsWith(last) && /^-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.test(entry.slice(last.length))
  const found = existsSync(parent) ? readdirSync(parent).filter(isIts).sort() : []
  return join(parent, found.at(-1) ?? last)
}

/** One run of the runner; resolves to how it ended, what it said, and the folder with what it saved. */
async function run({ node, entry, command, verbose }, args, title, isQuiet) {
  const folder = join(cache, 'results', `client-${title}`)
  rmSync(folder, { recursive: true, force: true })
  const given = ['--command', command, '--timeout', String(CLIENT_WITHIN_MS), '--output-dir', folder]
  const child = spawn(node, [entry, 'client', ...given, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = () => {
    child.kill('SIGTERM')
    process.exit(130)
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)
  const timer = setTimeout(() => child.kill('SIGKILL'), SUITE_WITHIN_MS)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      text = (text + chunk).slice(-RUNNER_TEXT_MAX)
      if (verbose || !isQuiet) process.stdout.write(chunk)
    })
  }
  const status = await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  for (const signal of ['SIGINT', 'SIGTERM']) process.removeListener(signal, stop)
  return { ok: status === 0, status, text, folder }
}

function summary(rows) {
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0)
  const isWhole = (row) => row.failed + row.warned === 0 && row.passed > 0
  const failed = rows.filter((row) => !isWhole(row))
  const details = `${sum('warned')} warned; ${sum('skipped')} skipped`
  console.log(`  total ${rows.length} scenarios, ${sum('passed')} passed, ${sum('failed')} failed (${details})`)
  for (const { name } of failed) console.log(`  NOT PASSED ${name}`)
  return { ok: failed.length === 0 && rows.length > 0 }
}
