/**
 * How it works: 1. a program writes steps that follow from their number alone, and notes each step once it is durable; 2. it
 * is killed at a random moment; 3. the file is opened again: it must hold exactly the state after some step that is not before
 * the last one that was noted, no step done by halves or twice; 4. the next program goes on from there. `BOUGH_KILL_ROUNDS`
 * sets how often, `BOUGH_SEED` the moments.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '#storage/memory'
import { sqliteStore } from '#storage/sqlite'
import { hasSqlite, openDatabase } from '../sqlite.ts'
import { bounds, seen, step } from './fixtures/steps.mjs'
import { tempFolder } from './support.ts'

const rounds = Number(process.env['BOUGH_KILL_ROUNDS'] ?? 30)
const seed = Number(process.env['BOUGH_SEED'] ?? 1)
const writer = fileURLToPath(new URL('./fixtures/writer.mjs', import.meta.url))

/** Moments in milliseconds after the writer began: often at once, sometimes later. */
function moment(round: number): number {
  const hash = Math.imul(round + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b)
  return (((hash ^ (hash >>> 13)) >>> 0) % 100) ** 2 / 70
}

/** Runs a writer and kills it `afterMs` after its first word. Resolves to the last step that it noted as durable. */
function writeUntilKilled(file: string, afterMs: number): Promise<number> {
  const notes = `${file}.told`
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, file, notes], { stdio: ['ignore', 'pipe', 'pipe'] })
    let errors = ''
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), afterMs))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.once('close', (_code, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`The writer ended by itself:\n${errors}`))
      const lines = readFileSync(notes, 'utf8').split('\n')
      resolve(Number(lines.at(-2)))
    })
  })
}

describe.skipIf(!hasSqlite)('a store whose program is killed', () => {
  it(
    `holds all that was durable, exactly, after each of ${rounds} kills`,
    async () => {
      const file = join(tempFolder(), 'store.db')
      const model = memoryStore(bounds)
      let modelAt = 0
      const reached: number[] = []
      for (let round = 0; round < rounds; round += 1) {
        const told = await writeUntilKilled(file, moment(round))
        const store = sqliteStore({ file, ...bounds })
        await store.open()
        const at = store.records<{ id: string; number: number }>('progress', 1).get('at')?.number ?? 0
        expect(at, `round ${round}`).toBeGreaterThanOrEqual(told)
        while (modelAt < at) step(model, (modelAt += 1))
        expect(seen(store), `round ${round}, after step ${at}`).toEqual(seen(model))
        await store.close()
        const reader = openDatabase(file, { readonly: true })
        expect(reader.pragma('integrity_check', { simple: true })).toBe('ok')
        reader.close()
        reached.push(at)
      }
      // Steps were made in most rounds, or nothing was tested.
      expect(new Set(reached).size).toBeGreaterThan(rounds / 2)
    },
    20_000 + rounds * 2_000,
  )
})
