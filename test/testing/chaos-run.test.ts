/** The chaos command in its small size: two scenarios for a moment each, on the build. `npm run chaos` runs them all. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { hasSqlite } from '../sqlite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

it.skipIf(!hasSqlite)(
  'a server whose sessions are killed, and which is then killed itself, loses nothing and serves the others',
  () => {
    const args = ['dist/bench/chaos/main.js', '--scenario', 'processes,kill-9', '--seconds', '1']
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: 'utf8',
      timeout: 110_000,
    })
    expect(stdout, stderr).toContain('kill-9')
    // How fast it recovers is for the command to judge, on a machine that is quiet.
    const laws = stdout.split('\n').filter((line) => /^(processes|kill-9):/.test(line))
    expect(laws).toHaveLength(2)
    for (const line of laws) expect(line.replace(/recovery took \d+ ms/, 'holds')).toMatch(/: holds$/)
    expect([0, 1]).toContain(status)
  },
  120_000,
)
