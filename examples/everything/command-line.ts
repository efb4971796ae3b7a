/** The command line of the everything server, as a value. */
import { parseArgs } from 'node:util'

export type CommandLine =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly sentence: string }
  | {
      readonly kind: 'serve'
      readonly http: HostAndPort | undefined
      readonly ws: HostAndPort | undefined
      readonly tcp: HostAndPort | undefined
      readonly sse: HostAndPort | undefined
      readonly stdio: boolean
      readonly manyTools: boolean
      /** Principals by token; undefined lets anybody in. */
      readonly tokens: Readonly<Record<string, string>> | undefined
      readonly store: 'memory' | `sqlite:${string}`
      readonly log: LogLevel
      readonly processes: number
    }

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

/** The transports that take a place to listen. */
const flags = ['http', 'ws', 'tcp', 'sse'] as const
type Flag = (typeof flags)[number]

export type LogLevel = (typeof logLevels)[number]

export const help = `The everything server: one of each feature, for tests from outside.

  npm run everything -- --http <host:port>     streamable HTTP at /mcp; port 0 takes any free one
  npm run -s everything -- --stdio             standard input and output; -s keeps npm itself silent

  --http <host:port>   serve over HTTP, such as --http 127.0.0.1:3901
  --ws <host:port>     serve over WebSocket, at /mcp
  --tcp <host:port>    serve over TCP, a JSON text a line
  --sse <host:port>    serve over the HTTP+SSE of 2024-11-05, at /sse and /messages
  --stdio              serve over standard input and output; any of these may be given together
  --many-tools         add tools until the list takes several pages of at most 50
  --tokens <t=p,...>   every request needs a token t, which stands for the principal p; over TCP
                       the first line of a connection, "Authorization: Bearer t"; not on stdio
  --store <store>      memory, the default, or sqlite:<file>, which keeps sessions, tasks and events
  --log <level>        log lines on standard error: debug, info, warn, error, or silent, the default
  --processes <n>      serve in so many processes; 1, the default, is this one
  --help               this text
`

/** Reads the arguments that follow the program's name. Never throws. */
export function readCommandLine(args: readonly string[]): CommandLine {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        http: { type: 'string' },
        ws: { type: 'string' },
        tcp: { type: 'string' },
        sse: { type: 'string' },
        stdio: { type: 'boolean', default: false },
        'many-tools': { type: 'boolean', default: false },
        tokens: { type: 'string' },
        store: { type: 'string', default: 'memory' },
        log: { type: 'string', default: 'silent' },
        processes: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return { kind: 'help' }
    const places: Partial<Record<Flag, HostAndPort>> = {}
    for (const flag of flags) {
      const text = values[flag]
      if (text === undefined) continue
      const place = hostAndPort(text)
      if (place === 'wrong') return wrong(`--${flag} needs host:port, such as 127.0.0.1:3901, got "${text}".`)
      places[flag] = place
    }
    if (Object.keys(places).length === 0 && !values.stdio) {
      return wrong('Say how to serve: --http, --ws, --tcp or --sse <host:port>, --stdio, or several.')
    }
    const log = logLevels.find((level) => level === values.log)
    if (log === undefined) return wrong(`--log needs one of ${logLevels.join(', ')}, got "${values.log}".`)
    const tokens = values.tokens === undefined ? undefined : principals(values.tokens)
    if (tokens === 'wrong') return wrong('--tokens needs token=principal pairs, such as secret1=ann,secret2=bob.')
    const { store } = values
    if (!isStore(store)) return wrong(`--store needs memory or sqlite:<file>, got "${store}".`)
    const processes = Number(values.processes)
    if (!Number.isInteger(processes) || processes < 1 || processes > 64)
      return wrong(`--processes needs a number from 1 to 64, got "${values.processes}".`)
    const { http, ws, tcp, sse } = places
    const { stdio, 'many-tools': manyTools } = values
    return { kind: 'serve', http, ws, tcp, sse, stdio, manyTools, tokens, store, log, processes }
  } catch (error) {
    return wrong(error instanceof Error ? `${error.message.split('. ')[0]?.replace(/\.$/, '')}.` : String(error))
  }
}

function wrong(sentence: string): CommandLine {
  return { kind: 'wrong', sentence: `${sentence} See --help.` }
}

/** Reads `host:port` or `[address]:port`. */
function hostAndPort(text: string): HostAndPort | 'wrong' {
  const parsed = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(parsed?.[3])
  const host = parsed?.[1] ?? parsed?.[2]
  return host === undefined || port > 65_535 ? 'wrong' : { host, port }
}

/** Reads `token=principal,token=principal`. */
function principals(text: string): Readonly<Record<string, string>> | 'wrong' {
  const pairs = text.split(',').map((pair) => /^([^=\s]+)=(\S+)$/.exec(pair))
  if (pairs.some((pair) => pair === null)) return 'wrong'
  return Object.fromEntries(pairs.map((pair) => [pair?.[1], pair?.[2]]))
}

function isStore(text: string): text is 'memory' | `sqlite:${string}` {
  return text === 'memory' || /^sqlite:./.test(text)
}
