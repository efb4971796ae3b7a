/** The command line of the demonstration server, as a value. */
import { parseArgs } from 'node:util'

export type CommandLine =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly sentence: string }
  | { readonly kind: 'serve'; readonly folder: string | undefined; readonly host: string; readonly port: number }

export const help = `Serves a folder over MCP: its files as resources, with tools to search and count, and to make trouble.

  npm start                        this project's own documents and sources, on http://127.0.0.1:3000/mcp
  npm start -- <folder>            another folder; nothing outside of it can be read
  npm start -- --port <number>     another port; 0 takes any free one
  npm start -- --host <address>    another address than 127.0.0.1; there is no password, so take care
`

/** Reads the arguments that follow the program's name. Never throws. */
export function readCommandLine(args: readonly string[]): CommandLine {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '3000' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return { kind: 'help' }
    const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : Number.NaN
    if (!(port <= 65_535)) return wrong(`--port must be a number from 0 to 65535, got "${values.port}".`)
    if (values.host === '') return wrong('--host must not be empty.')
    if (positionals.length > 1) return wrong(`One folder can be served, got ${positionals.length}.`)
    return { kind: 'serve', folder: positionals[0], host: values.host, port }
  } catch (error) {
    return wrong(error instanceof Error ? `${error.message.split('. ')[0]?.replace(/\.$/, '')}.` : String(error))
  }
}

function wrong(sentence: string): CommandLine {
  return { kind: 'wrong', sentence: `${sentence} See --help.` }
}
