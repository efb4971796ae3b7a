import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

describe('system.reload', () => {
  it('imports the changed module, upgrades what it defines, and leaves all as it was when it cannot', async () => {
    const fixture = fileURLToPath(new URL('./fixtures/reload.mjs', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [fixture])
    expect(JSON.parse(stdout)).toEqual({
      before: 'hello Ann',
      after: 'good day Ann1',
      report: [1, 2, 1],
      again: 0,
      refused: 'invalid',
      broken: 'SyntaxError',
      still: 'good day Ann1',
    })
  })
})
