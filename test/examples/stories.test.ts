/** The numbered stories check themselves: each ends with status 0, or says what was not as it should be. */
import { readdirSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { build, examples, Program } from './support.ts'

const stories = readdirSync(examples).filter((name) => /^\d\d-/.test(name))

describe('the stories', () => {
  beforeAll(build, 120_000)

  it('are numbered without a gap', () => {
    expect(stories.map((name) => Number(name.slice(0, 2)))).toEqual(stories.map((_, index) => index + 1))
  })

  it.each(stories)('%s runs to its end, and every claim in it holds', async (name) => {
    const { status, stdout, stderr } = await new Program(name).ended
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.trim().split('\n').length).toBeGreaterThan(2)
  })

  it('keep the smallest server within 12 lines', async () => {
    const { readFile } = await import('node:fs/promises')
    const lines = (await readFile(`${examples}/03-hello/server.ts`, 'utf8')).trimEnd().split('\n')
    expect(lines.length).toBeLessThanOrEqual(12)
  })
})
