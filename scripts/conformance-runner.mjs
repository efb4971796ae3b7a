// The official conformance runners and what they save: for conformance.mjs and conformance-client.mjs. The runners need
// Node 22 while the product runs on Node 20, so a Node 22 and each runner are installed, once, in folders of their own.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')
export const cache = join(root, '.cache', 'conformance')
export const PRERELEASE = '0.2.0-alpha.12'
export const STABLE = '0.1.16'

/** Stops with one sentence; for faults of the set-up, not of the server under test. */
export function fail(message) {
  console.error(message)
  process.exit(1)
}

/** Installs one package in a folder of its own unless `file` is there already; returns the path of `file`. */
function install(folder, spec, file) {
  const prefix = join(cache, folder)
  const wanted = join(prefix, 'node_modules', file)
  if (existsSync(wanted)) return wanted
  console.log(`installing ${spec} in .cache/conformance/${folder}`)
  mkdirSync(prefix, { recursive: true })
  const npm = spawnSync(
    'npm',
    ['install', '--prefix', prefix, '--no-fund', '--no-audit', '--loglevel', 'error', spec],
    {
      cwd: prefix,
      encoding: 'utf8',
      shell: process.platform === 'win32',
    },
  )
  if (npm.status !== 0) fail(`Installing ${spec} failed (npm status ${npm.status}):\n${npm.stdout}${npm.stderr}`)
  return wanted
}

/** The path of a Node that is 22 or later: this one, or one installed for the runners only. */
export function runnerNode() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath
  const binary = install('node22', 'node@22', join('node', 'bin', 'node'))
  if (!existsSync(binary)) {
    // npm can be told not to run install scripts; this one fetches the binary.
    const folder = join(cache, 'node22', 'node_modules', 'node')
    spawnSync(process.execPath, ['installArchSpecificPackage.js'], { cwd: folder, stdio: 'inherit' })
  }
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  if (!stdout?.startsWith('v22.')) {
    fail(`${binary} does not start as Node 22 (it said "${stdout ?? ''}"). Delete .cache/conformance/node22 and retry.`)
  }
  return binary
}

/** The path of the conformance runner of exactly `version`. */
export function runner(version) {
  const name = join('@modelcontextprotocol', 'conformance')
  const folder = `runner-${version}`
  const entry = install(folder, `@modelcontextprotocol/conformance@${version}`, join(name, 'dist', 'index.js'))
  const manifest = JSON.parse(readFileSync(join(cache, folder, 'node_modules', name, 'package.json'), 'utf8'))
  if (manifest.version !== version) fail(`.cache/conformance/${folder} holds ${manifest.version}, not ${version}.`)
  return entry
}

/** Reads one scenario's saved checks into counts and the failed checks' sentences. */
export function readScenario(name, folder) {
  const row = { name, passed: 0, failed: 0, warned: 0, skipped: 0, notes: [] }
  const file = join(folder, 'checks.json')
  if (!existsSync(file)) return { ...row, failed: 1, notes: [`the runner saved no ${file}`] }
  for (const check of JSON.parse(readFileSync(file, 'utf8'))) {
    if (check.status === 'SUCCESS') row.passed += 1
    else if (check.status === 'FAILURE') row.failed += 1
    else if (check.status === 'WARNING') row.warned += 1
    else if (check.status === 'SKIPPED') row.skipped += 1
    if (check.status === 'FAILURE' || check.status === 'WARNING') {
      row.notes.push(`${check.status.toLowerCase()} ${check.id}: ${check.errorMessage ?? check.description}`)
    }
  }
  return row
}

export function printScenario(row) {
  const mark = row.failed > 0 ? 'FAIL' : row.passed > 0 ? 'ok' : '-'
  const extra = [row.warned && `${row.warned} warned`, row.skipped && `${row.skipped} skipped`].filter(Boolean)
  if (mark === '-') extra.push('nothing was checked')
  const counts = `${String(row.passed).padStart(3)} passed ${String(row.failed).padStart(3)} failed`
  console.log(`  ${mark.padEnd(5)}${row.name.padEnd(46)}${counts}${extra.length > 0 ? `  (${extra.join(', ')})` : ''}`)
  for (const note of row.notes) console.log(`         ${note.replaceAll('\n', ' ').slice(0, 400)}`)
}
