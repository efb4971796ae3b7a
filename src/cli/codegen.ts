/**
 * `bough codegen`: asks a server what it offers and writes a typed client for it.
 *
 *     bough codegen http://127.0.0.1:3000/mcp --out weather.ts
 *     bough codegen --out files.ts --name files -- node server.js /data
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { type ConnectOptions, connect, generateClient, readListing, type Target } from 'bough/client'
import type { Command, Streams } from './command.ts'

const help = `bough codegen <url> [options]
bough codegen [options] -- <command> [arguments]

Writes a typed client from what a server lists: a function for each tool, prompt, resource and resource template, and types for
what they take and give. The server is an address (http, https, ws, wss, tcp, tls), or a command that speaks MCP on its standard
input and output.

  --out <file>             where to write; without it the text goes to standard output
  --name <name>            what the function's name begins with; the server's name where there is none
  --check                  write nothing, and end with status 1 when the file is not what would be written
  --header <name: value>   a header of every request, or of the one that opens a WebSocket; may be repeated
  --timeout <ms>           how long connecting, and each request, may take; default 30000
  --help                   this text
`

type CommandLine =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly sentence: string }
  | {
      readonly kind: 'write'
      readonly target: Target
      readonly out: string | undefined
      readonly name: string | undefined
      readonly isCheck: boolean
      readonly options: ConnectOptions
    }

export const codegenCommand: Command = {
  summary: 'writes a typed client from what a server lists',
  run: async (args, streams) => {
    const line = readCommandLine(args)
    if (line.kind === 'help') {
      streams.stdout.write(help)
      return 0
    }
    if (line.kind === 'wrong') {
      streams.stderr.write(`${line.sentence} See bough codegen --help.\n`)
      return 2
    }
    try {
      return await write(line, streams)
    } catch (error) {
      streams.stderr.write(`bough codegen: ${error instanceof Error ? error.message : String(error)}\n`)
      return 1
    }
  },
}

async function write(line: CommandLine & { readonly kind: 'write' }, streams: Streams): Promise<number> {
  const { target, out, name, isCheck, options } = line
  const warn = (message: string): void => void streams.stderr.write(`${message}\n`)
  const client = await connect(target, { ...options, onWarning: warn })
  let source: string
  try {
    source = generateClient(await readListing(client), name === undefined ? {} : { name })
  } finally {
    await client.close()
  }
  if (out === undefined) {
    streams.stdout.write(source)
    return 0
  }
  const before = await readFile(out, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (before === source) {
    streams.stderr.write(`${out} is up to date.\n`)
    return 0
  }
  if (isCheck) {
    const why = before === undefined ? 'does not exist' : 'is not what the server lists now'
    streams.stderr.write(`${out} ${why}. Run bough codegen without --check.\n`)
    return 1
  }
  await mkdir(dirname(out), { recursive: true })
  // A reader never finds half of it.
  const next = `${out}.${process.pid}.tmp`
  await writeFile(next, source)
  await rename(next, out)
  streams.stderr.write(`${out} written.\n`)
  return 0
}

/** Reads the arguments. Never throws. */
function readCommandLine(args: readonly string[]): CommandLine {
  const dashes = args.indexOf('--')
  const [command, ...rest] = dashes === -1 ? [] : args.slice(dashes + 1)
  try {
    const { values, positionals } = parseArgs({
      args: args.slice(0, dashes === -1 ? args.length : dashes),
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        name: { type: 'string' },
        check: { type: 'boolean', default: false },
        header: { type: 'string', multiple: true, default: [] },
        timeout: { type: 'string', default: '30000' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return { kind: 'help' }
    const [url, ...others] = positionals
    if (others.length > 0) return wrong(`One address is enough, got ${positionals.join(' ')}.`)
    if ((url === undefined) === (command === undefined))
      return wrong('Name the server: an address, or a command after --.')
    if (values.check && values.out === undefined) return wrong('--check needs --out.')
    const timeout = Number(values.timeout)
    if (!(timeout > 0)) return wrong(`--timeout needs a number of milliseconds, got ${JSON.stringify(values.timeout)}.`)
    const headers: Record<string, string> = {}
    for (const header of values.header) {
      const found = /^([^\s:]+):\s*(.*)$/.exec(header)
      // What follows the colon may be secret.
      if (found === null) return wrong('--header needs "name: value".')
      headers[found[1] as string] = found[2] as string // there are two groups
    }
    return {
      kind: 'write',
      target: command === undefined ? (url as string) : { command, args: rest },
      out: values.out,
      name: values.name,
      isCheck: values.check,
      options: { name: 'bough-codegen', timeout, connectTimeout: timeout, headers },
    }
  } catch (error) {
    return wrong(error instanceof Error ? `${error.message.split('. ')[0]?.replace(/\.$/, '')}.` : String(error))
  }
}

function wrong(sentence: string): CommandLine {
  return { kind: 'wrong', sentence }
}
