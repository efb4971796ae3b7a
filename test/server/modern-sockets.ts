/** Connections of the modern era by hand: one request behind the other, or half of one. */
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { metaOf, VERSION } from './modern-client.ts'
import { headersOf } from './modern-http-client.ts'
import { type Wire, wireFault } from './wire-schema.ts'

/** One connection of its own, with requests one behind the other. */
export function keepAlive(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = (method: string, params: object = {}) =>
    new Promise<{ status: number | undefined; retryAfter: string | undefined; body: ReturnType<typeof JSON.parse> }>(
      (resolve, reject) => {
        const message = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: metaOf() } }
        const request = httpRequest(
          url,
          {
            agent,
            method: 'POST',
            headers: {
              ...headersOf(message),
              accept: 'application/json, text/event-stream',
              'content-type': 'application/json',
            },
          },
          (response) => {
            let text = ''
            response.setEncoding('utf8')
            response.on('data', (chunk: string) => {
              text += chunk
            })
            response.on('end', () => {
              const data = text.startsWith('{') ? text : (/^data: (.*)$/m.exec(text)?.[1] ?? 'null')
              const body = JSON.parse(data) as Wire | null
              const fault = body === null ? undefined : wireFault(VERSION, body, method)
              if (fault !== undefined) return reject(new Error(fault))
              resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'], body })
            })
          },
        )
        request.on('error', reject)
        request.end(JSON.stringify(message))
      },
    )
  return { ask, end: () => agent.destroy() }
}

/** A request whose body has not arrived yet. `finish` sends the rest and resolves to all that came back. */
export async function halfSent(url: string, method: string) {
  const { hostname, port, host } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const ended = new Promise<string>((resolve) => socket.on('close', () => resolve(text)))
  const message = { jsonrpc: '2.0', id: 1, method, params: { _meta: metaOf() } }
  const body = JSON.stringify(message)
  const headers = {
    host,
    ...headersOf(message),
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    // The server says when it has read the headers.
    expect: '100-continue',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.write(`POST /mcp HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  await once(socket, 'data')
  text = ''
  const finish = (): Promise<string> => {
    socket.write(body)
    return ended
  }
  return { finish }
}

/** Whether anybody takes connections there. */
export function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
