// Compiles the project into dist/. With --if-stale it does nothing while dist/ is newer than every source,
// so that the scripts that need a build cost a few milliseconds when there is nothing to do.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const stamp = join(root, 'dist', '.built')
const sources = ['src', 'actors', 'supervisors', 'examples', 'bench', 'package.json', 'tsconfig.json', 'tsconfig.build.json']

function newestMs(path) {
  const stats = statSync(path)
  if (!stats.isDirectory()) return stats.mtimeMs
  let newest = stats.mtimeMs
  for (const name of readdirSync(path)) {
    if (name !== 'node_modules' && name !== 'results') newest = Math.max(newest, newestMs(join(path, name)))
  }
  return newest
}

const isFresh = existsSync(stamp) && sources.every((source) => newestMs(join(root, source)) <= statSync(stamp).mtimeMs)
if (!(process.argv.includes('--if-stale') && isFresh)) {
  const startedAt = new Date()
  if (!process.argv.includes('--if-stale')) rmSync(join(root, 'dist'), { recursive: true, force: true })
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  if (!existsSync(tsc)) {
    process.stderr.write('The compiler is not installed: run "npm ci" first.\n')
    process.exit(1)
  }
  const { status, stdout, stderr } = spawnSync(tsc, ['-p', 'tsconfig.build.json'], { cwd: root, encoding: 'utf8' })
  // Standard output belongs to the program that is started next (a stdio server's protocol), so all goes to stderr.
  process.stderr.write(stdout + stderr)
  if (status !== 0) process.exit(status ?? 1)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, startedAt.toISOString())
}
