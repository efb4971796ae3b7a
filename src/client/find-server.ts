/**
 * The target 'auto': where whoever started this program says that the server is. Looked at in this order: the variable
 * `MCP_HTTP_URL`, then `MCP_WS_URL`, then `MCP_TCP_PORT`, then whether this program is a child that speaks over standard input
 * and output.
 */
import type { ClientTransport } from '#transports/client-port'
import { parentTransport } from './parent-transport.ts'

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether standard input and output are both no terminal. */
  readonly isPiped: boolean
}

/** An address, or the transport to the parent. Throws an Error that lists what was looked at. */
export function findServer(around: Surroundings = surroundings()): string | ClientTransport {
  const { env, isPiped } = around
  const { MCP_HTTP_URL: http = '', MCP_WS_URL: ws = '', MCP_TCP_PORT: tcp = '' } = env
  if (http !== '') return http
  if (ws !== '') return ws
  if (tcp !== '') return tcp.includes(':') ? `tcp://${tcp}` : `tcp://127.0.0.1:${tcp}`
  if (isPiped) return parentTransport()
  throw new Error(
    "connect: 'auto' found no server. Looked at MCP_HTTP_URL, MCP_WS_URL and MCP_TCP_PORT, which are not set, and at standard " +
      'input and output, which are a terminal. Set one of them, or name the target.',
  )
}

function surroundings(): Surroundings {
  const { env, stdin, stdout } = process
  return { env, isPiped: stdin.isTTY !== true && stdout.isTTY !== true }
}
