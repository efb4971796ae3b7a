/** The command line of the everything server, as a value. */
import { parseArgs } from 'node:util'

export type CommandLine =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly sentence: string }
  | {
      readonly kind: 'serve'
      readonly http: HostAndPort | undefined
      readonly stdio: boolean
      readonly manyTools: boolean
      /** Principals by token; undefined lets anybody in. */
      readonly tokens: Readonly<Record<string, string>> | undefined
      readonly store: 'memory' | `sqlite:${string}`
      readonly log: LogLevel
    }

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]

export const help = `The everything server: one of each feature, for tests from outside.

  npm run everything -- --http <host:port>     streamable HTTP at /mcp; port 0 takes any free one
  npm run -s everything -- --stdio             standard input and output; -s keeps npm itself silent

  --http <host:port>   serve over HTTP, such as --http 127.0.0.1:3901
  --stdio              serve over standard input and output; both may be given
  --many-tools         add tools until the list takes several pages of at most 50
  --tokens <t=p,...>   every request needs a token t, which stands for the principal p
  --store <store>      memory, the default, or sqlite:<file>, which keeps sessions, tasks and events
  --log <level>        log lines on standard error: debug, info, warn, error, or silent, the default
  --help               this text
`

/** Reads the arguments that follow the program's name. Never throws. */
export function readCommandLine(args: readonly string[]): CommandLine {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        http: { type: 'string' },
        stdio: { type: 'boolean', default: false },
        'many-tools': { type: 'boolean', default: false },
        tokens: { type: 'string' },
        store: { type: 'string', default: 'memory' },
        log: { type: 'string', default: 'silent' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return { kind: 'help' }
    const http = values.http === undefined ? undefined : hostAndPort(values.http)
    if (http === 'wrong') return wrong(`--http needs host:port, such as 127.0.0.1:3901, got "${values.http}".`)
    if (http === undefined && !values.stdio) return wrong('Say how to serve: --http <host:port>, --stdio, or both.')
    const log = logLevels.find((level) => level === values.log)
    if (log === undefined) return wrong(`--log needs one of ${logLevels.join(', ')}, got "${values.log}".`)
    const tokens = values.tokens === undefined ? undefined : principals(values.tokens)
    if (tokens === 'wrong') return wrong('--tokens needs token=principal pairs, such as secret1=ann,secret2=bob.')
    const { store } = values
    if (!isStore(store)) return wrong(`--store needs memory or sqlite:<file>, got "${store}".`)
    return { kind: 'serve', http, stdio: values.stdio, manyTools: values['many-tools'], tokens, store, log }
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
