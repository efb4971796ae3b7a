// Compiles the project into dist/. With --if-stale it does nothing while dist/ is newer than every source, so that the
// scripts that need a build cost a few milliseconds when there is nothing to do. Builds wait for each other, and a new one
// takes the place of the old one whole: a program that starts meanwhile never finds half of it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const dist = join(root, 'dist')
const stamp = join(dist, '.built')
const lock = join(root, '.cache', 'build.lock')
const sources = [
  'src',
  'actors',
  'supervisors',
  'examples',
  'bench',
  'property/fuzz',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
]

/** Milliseconds after which the lock of a build is taken to be left over from one that was killed. */
const LOCK_STALE_MS = 120_000
const LOCK_LOOK_MS = 50

function newestMs(path) {
  const stats = statSync(path)
  if (!stats.isDirectory()) return stats.mtimeMs
  let newest = stats.mtimeMs
  for (const name of readdirSync(path)) {
    if (name !== 'node_modules' && name !== 'results') newest = Math.max(newest, newestMs(join(path, name)))
  }
  return newest
}

const isFresh = () => {
  if (!existsSync(stamp)) return false
  const builtMs = statSync(stamp).mtimeMs
  return sources.every((source) => newestMs(join(root, source)) <= builtMs)
}

function takeLock() {
  mkdirSync(dirname(lock), { recursive: true })
  for (;;) {
    try {
      mkdirSync(lock)
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    try {
      if (Date.now() - statSync(lock).mtimeMs > LOCK_STALE_MS) rmSync(lock, { recursive: true, force: true })
    } catch {
      // Its owner has just finished.
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_LOOK_MS)
  }
}

function build() {
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  if (!existsSync(tsc)) {
    process.stderr.write('The compiler is not installed: run "npm ci" first.\n')
    return 1
  }
  const next = join(root, '.cache', `dist-${process.pid}`)
  const startedAt = new Date()
  const { status, stdout, stderr } = spawnSync(tsc, ['-p', 'tsconfig.build.json', '--outDir', next], {
    cwd: root,
    encoding: 'utf8',
  })
  // Standard output belongs to the program that is started next (a stdio server's protocol), so all goes to stderr.
  process.stderr.write(stdout + stderr)
  if (status !== 0) {
    rmSync(next, { recursive: true, force: true })
    return status ?? 1
  }
  writeFileSync(join(next, '.built'), startedAt.toISOString())
  // What is edited while the compiler runs is newer than its build.
  utimesSync(join(next, '.built'), startedAt, startedAt)
  const old = join(root, '.cache', `dist-${process.pid}-old`)
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(next, dist)
  rmSync(old, { recursive: true, force: true })
  return 0
}

const onlyIfStale = process.argv.includes('--if-stale')
if (!(onlyIfStale && isFresh())) {
  takeLock()
  let status = 1
  try {
    status = onlyIfStale && isFresh() ? 0 : build()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
  process.exitCode = status
}
