// One scenario on one library, in a process of its own: `kernel-child <library> <scenario> <operations> <runs>`.
// Prints JSON: CPU nanoseconds per operation of each run after two that only warm up, or bytes per actor for the heap
// scenario, or the milliseconds that the run measured itself. A peer's program gets the same tools as the others.
import { pathToFileURL } from 'node:url'
import * as tools from './kernel-library.ts'
import { type Library, scenarios } from './kernel-library.ts'
import { peer } from './paths.ts'

const [libraryName, scenarioName, operationsText, runsText] = process.argv.slice(2)
const operations = Number(operationsText)
const runs = Number(runsText)

interface PeerProgram {
  createLibrary(given: typeof tools): Library
}

async function load(name: string | undefined): Promise<Library> {
  if (name === 'bare loop') return (await import('./kernel-bare-loop.ts')).library
  if (name === 'bare kernel') return (await import('./kernel-bare.ts')).library
  if (name === 'bough') return (await import('./kernel-bough.ts')).library
  if (name === 'xstate' || name === 'effect' || name === 'nact') {
    const program = (await import(pathToFileURL(peer(`kernel-${name}.js`)).href)) as PeerProgram
    return program.createLibrary(tools)
  }
  throw new Error(`There is no library "${name}". Choose bare loop, bare kernel, bough, xstate, effect or nact.`)
}

const collect = () => {
  if (globalThis.gc === undefined) throw new Error('Start this program with --expose-gc: the runs need a clean heap.')
  globalThis.gc()
}

const scenario = scenarios.find(({ name }) => name === scenarioName)
if (scenario === undefined) throw new Error(`There is no scenario "${scenarioName}".`)
const prepare = (await load(libraryName))[scenario.name]
if (prepare === undefined) {
  process.stdout.write(JSON.stringify({ perOperation: [], checksum: 0 }))
} else {
  const run = await prepare()
  const samples: number[] = []
  const isHeap = scenario.unit === 'bytes'
  const warmUps = isHeap ? 0 : 2
  let checksum = 0
  for (let index = -warmUps; index < (isHeap ? 1 : runs); index += 1) {
    collect()
    const heapBytes = process.memoryUsage().heapUsed
    const startedCpu = process.cpuUsage()
    const result = await run(operations)
    const { user, system } = process.cpuUsage(startedCpu)
    const timed = typeof result === 'number' ? { checksum: result, ms: Number.NaN } : result
    checksum = timed.checksum
    if (checksum !== scenario.checksum(operations)) {
      throw new Error(`${scenarioName} on ${libraryName}: expected ${scenario.checksum(operations)}, got ${checksum}.`)
    }
    collect()
    const usedBytes = process.memoryUsage().heapUsed - heapBytes
    if (index < 0) continue
    if (scenario.unit === 'ms') samples.push(timed.ms)
    else samples.push(isHeap ? usedBytes / operations : ((user + system) * 1000) / operations)
  }
  // The runtime may hold timers; the figures are all this process is for.
  process.stdout.write(JSON.stringify({ perOperation: samples, checksum }), () => process.exit(0))
}
