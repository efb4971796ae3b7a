// Servers that speak over standard input and output, over a port: one of them for each connection, by lines over TCP or by messages
// over WebSocket.
import { createServer } from 'node:net'
import { PassThrough, Writable } from 'node:stream'
import { WebSocketServer } from 'ws'

/** `begin(input, output)` starts a server on two streams. */
export function overTcp(port, begin) {
  createServer((socket) => {
    socket.on('error', () => undefined)
    begin(socket, socket)
  }).listen(port, '127.0.0.1')
}

export function overWebSocket(port, begin) {
  new WebSocketServer({ host: '127.0.0.1', port, handleProtocols: () => 'mcp' }).on('connection', (webSocket) => {
    webSocket.on('error', () => undefined)
    const input = new PassThrough()
    webSocket.on('message', (data) => input.write(`${data}\n`))
    webSocket.on('close', () => input.end())
    let rest = ''
    const output = new Writable({
      decodeStrings: false,
      write: (chunk, _encoding, done) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) webSocket.send(line)
        done()
      },
    })
    begin(input, output)
  })
}
