// MCP calls over a child's stdin and stdout: newline-delimited JSON, as many lines in one write as one read released.
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { Child } from './child.ts'
import { callBody, echoOf } from './echo.ts'
import type { Wire } from './load.ts'

const HANDSHAKE_WITHIN_MS = 15_000

const isNotification = (message: unknown): boolean =>
  typeof message === 'object' && message !== null && 'method' in message

/** Opens the session of a stdio server and resolves to its wire. Lines before the handshake's reply are skipped. */
export async function stdioWire(child: Child): Promise<Wire> {
  const { stdin, stdout } = child.process as { stdin: Writable; stdout: Readable }
  stdout.setEncoding('latin1')
  const clientInfo = { name: 'bench', version: '1' }
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
  stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 'init', method: 'initialize', params })}\n`)
  const patience = AbortSignal.timeout(HANDSHAKE_WITHIN_MS)
  for (let text = ''; !/^\{.*"id":"init".*\}$/m.test(text); ) {
    const [chunk] = await once(stdout, 'data', { signal: patience }).catch(() => {
      throw new Error(`The server did not answer the handshake. It said ${JSON.stringify(text)}; ${child.stderr()}`)
    })
    text += chunk
  }
  stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`)

  let rest = ''
  let out = ''
  const wire: Wire = {
    onReply: () => {},
    onError: () => {},
    async open() {},
    send(id) {
      out += `${callBody(id)}\n`
    },
    flush() {
      if (out === '') return
      stdin.write(out, 'latin1')
      out = ''
    },
    close() {
      wire.onReply = () => {}
      wire.onError = () => {}
    },
  }
  stdout.on('data', (chunk: string) => {
    try {
      rest += chunk
      let from = 0
      for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n', from)) {
        const line = rest.slice(from, end)
        from = end + 1
        const message: unknown = JSON.parse(line)
        if (isNotification(message)) continue
        const { id, text } = echoOf(message)
        wire.onReply(id, text)
      }
      rest = rest.slice(from)
      wire.flush()
    } catch (error) {
      wire.onError(error as Error)
    }
  })
  stdout.on('close', () => wire.onError(new Error(`The server closed stdout. ${child.stderr()}`)))
  return wire
}
