/**
 * The demonstration: a server over a real folder.
 *
 *     node dist/examples/demo/main.js [folder] [--port n] [--host address]
 *
 * It ends with status 0 on SIGTERM and SIGINT, with 1 when it cannot serve, with 2 for a wrong command line.
 */
import { realpath, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createServer, serve } from 'bough'
import { help, readCommandLine } from './command-line.ts'
import { takeSnapshot } from './files.ts'
import { addPrompts } from './prompts.ts'
import { addFiles, applyChanges } from './resources.ts'
import { TerminalLogger } from './terminal-logger.ts'
import { addTools } from './tools.ts'
import { addTrouble } from './trouble.ts'
import { watchTree } from './watch.ts'
import { welcome } from './welcome.ts'

/** The project's folder, seen from dist/examples/demo. */
const project = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

const command = readCommandLine(process.argv.slice(2))
if (command.kind === 'help') {
  process.stdout.write(help)
} else if (command.kind === 'wrong') {
  process.stderr.write(`${command.sentence}\n`)
  process.exitCode = 2
} else {
  try {
    await start(command.folder === undefined ? project : resolve(command.folder), command.host, command.port)
  } catch (error) {
    process.stderr.write(`${sentenceFor(error, command.host, command.port)}\n`)
    process.exitCode = 1
  }
}

async function start(folder: string, host: string, port: number): Promise<void> {
  const isFolder = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
  if (!isFolder) throw new Error(`${folder} is not a folder. Name one that exists: npm start -- <folder>`)
  const realRoot = await realpath(folder)
  const known = { snapshot: await takeSnapshot(realRoot) }
  const server = createServer({
    name: 'bough-demo',
    title: 'A folder',
    version: '1.0.0',
    instructions: `The files of one folder: read them as resources, search and count in them. Paths are relative to it.`,
  })
  addFiles(server, realRoot, known)
  addTools(server, realRoot, known)
  addTrouble(server)
  addPrompts(server, realRoot, known)

  const logger = new TerminalLogger()
  const app = await serve(server, { http: { host, port }, logger })
  await app.system.start(
    watchTree({
      realRoot,
      known,
      tell: (changes) => applyChanges(server, realRoot, known.snapshot, changes),
    }),
  )
  logger.isQuiet = false
  process.stdout.write(welcome(app.url, realRoot, known.snapshot, await app.tree()))
}

/** One sentence for a person who wants to start this; a port in use is the usual reason. */
function sentenceFor(error: unknown, host: string, port: number): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause ? cause.code : undefined
    if (code === 'EADDRINUSE') {
      return `Port ${port} of ${host} is taken by another program. Take another one: npm start -- --port ${port + 1}`
    }
    if (code === 'EACCES')
      return `Port ${port} needs rights that you do not have. Take one from 1024: npm start -- --port 3000`
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      return `${host} is no address of this machine. Leave --host out for 127.0.0.1.`
  }
  return error instanceof Error ? error.message : String(error)
}
