/** The program `bough`: what it says, and a typed client written, compiled and used against the everything server. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compile } from '../client/codegen/compile.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const everything = [process.execPath, `${root}dist/examples/everything/main.js`, '--stdio']
const COMPILE_MS = 60_000

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bough-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function bough(...args: string[]): {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${root}dist/src/cli/main.js`, ...args], {
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

describe('bough', () => {
  it('says what it can do, and what was wrong with its command line', () => {
    const { status, stdout } = bough('--help')
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('codegen') })
    expect(bough()).toMatchObject({ status: 2, stderr: expect.stringContaining('Say what to do.') })
    expect(bough('toString')).toMatchObject({ status: 2, stderr: expect.stringContaining('no command "toString"') })
    expect(bough('codegen', '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--check') })
  })

  it.each([
    [[], 'Name the server'],
    [['http://x/mcp', '--check'], '--check needs --out'],
    [['http://x/mcp', '--timeout', 'soon'], '--timeout needs a number of milliseconds, got "soon"'],
    [['http://x/mcp', '--header', 'secret'], '--header needs "name: value"'],
  ])('codegen %j is a wrong command line', (args, sentence) => {
    expect(bough('codegen', ...args)).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(sentence),
    })
  })

  it('ends with status 1 when there is no server, and leaves no file', () => {
    const out = join(folder, 'none.ts')
    const { status, stderr } = bough('codegen', 'http://127.0.0.1:1/mcp', '--out', out, '--timeout', '5000')
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('bough codegen: ') })
    expect(() => readFileSync(out)).toThrow('ENOENT')
  })
})

describe('bough codegen', () => {
  it(
    'writes a client that compiles, works, and is the same the next time',
    async () => {
      const out = join(folder, 'everything', 'client.ts')
      const args = ['codegen', '--out', out, '--name', 'everything']
      expect(bough(...args, '--check', '--', ...everything)).toMatchObject({ status: 1 })
      expect(bough(...args, '--', ...everything)).toMatchObject({ status: 0, stdout: '' })
      const source = readFileSync(out, 'utf8')
      expect(bough(...args, '--check', '--', ...everything)).toMatchObject({ status: 0 })
      writeFileSync(out, `${source}\n`)
      expect(bough(...args, '--check', '--', ...everything)).toMatchObject({ status: 1 })

      const use = `
import assert from 'node:assert/strict'
import { connect } from 'bough/client'
import { everythingClient, type Draft7Input } from './client.js'

const [, , command = '', ...args] = process.argv
const client = await connect({ command, args })
const everything = everythingClient(client)
const { tools, prompts, resources, templates } = everything

const doubled = await tools.structured({ n: 21 })
if (doubled.isError === true) throw new Error('it should not fail')
const value: number = doubled.structuredContent.doubled
assert.equal(value, 42)
// @ts-expect-error n is a number
await tools.structured({ n: 'twenty-one' }).catch(() => undefined)

const pair: Draft7Input['pair'] = ['a', 1]
assert.deepEqual((await tools.draft7({ pair })).content, [{ type: 'text', text: '["a",1]' }])
assert.equal((await tools.testSimpleText()).content.length, 1)
const { messages } = await prompts.testPromptWithArguments({ arg1: 'x', arg2: 'y' })
assert.equal(messages.length, 1)
assert.equal((await prompts.testSimplePrompt()).messages.length, 1)
assert.equal((await resources.staticText()).contents.length, 1)
const [content] = (await templates.template({ id: 'a b' })).contents
assert.equal(content?.uri, 'test://template/a%20b/data')
await everything.client.close()
console.log('all is well')
`
      const { errors, folder: compiled } = compile({ 'client.ts': source, 'use.ts': use })
      expect(errors).toBe('')
      const child = spawn(process.execPath, [`${compiled}/use.js`, ...everything])
      let said = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
      const status = await new Promise((resolve) => child.once('close', resolve))
      expect({ status, said }).toEqual({ status: 0, said: expect.stringMatching(/all is well\n$/) })
    },
    COMPILE_MS,
  )
})
