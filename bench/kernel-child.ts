// One scenario on one library, in a process of its own: `kernel-child <library> <scenario> <operations> <runs>`.
// Prints JSON: CPU nanoseconds per operation of each run after two that only warm up, or bytes per actor for the heap scenario.
import { type Library, scenarios } from './kernel-library.ts'

const [libraryName, scenarioName, operationsText, runsText] = process.argv.slice(2)
const operations = Number(operationsText)
const runs = Number(runsText)

async function load(name: string | undefined): Promise<Library> {
  if (name === 'bare loop') return (await import('./kernel-bare-loop.ts')).library
  if (name === 'bare kernel') return (await import('./kernel-bare.ts')).library
  if (name === 'bough') return (await import('./kernel-bough.ts')).library
  throw new Error(`There is no library "${name}". Choose bare loop, bare kernel or bough.`)
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
  const isHeap = scenario.name === 'heap'
  const warmUps = isHeap ? 0 : 2
  let checksum = 0
  for (let index = -warmUps; index < (isHeap ? 1 : runs); index += 1) {
    collect()
    const heapBytes = process.memoryUsage().heapUsed
    const startedCpu = process.cpuUsage()
    checksum = await run(operations)
    const { user, system } = process.cpuUsage(startedCpu)
    if (checksum !== scenario.checksum(operations)) {
      throw new Error(`${scenarioName} on ${libraryName}: expected ${scenario.checksum(operations)}, got ${checksum}.`)
    }
    collect()
    const usedBytes = process.memoryUsage().heapUsed - heapBytes
    if (index >= 0) samples.push(isHeap ? usedBytes / operations : ((user + system) * 1000) / operations)
  }
  // The runtime may hold timers; the figures are all this process is for.
  process.stdout.write(JSON.stringify({ perOperation: samples, checksum }), () => process.exit(0))
}
