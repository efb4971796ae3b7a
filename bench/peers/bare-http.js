// The limit for HTTP in Node: node:http, the body parsed, the answer stringified with its length.
import { createServer } from 'node:http'
import { answer } from './bare.js'

const server = createServer((request, response) => {
  let body
  request.on('data', (chunk) => {
    body = body === undefined ? chunk : Buffer.concat([body, chunk])
  })
  request.on('end', () => {
    const message = JSON.parse(body.toString())
    const reply = answer(message)
    if (reply === undefined) return response.writeHead(202).end()
    const text = JSON.stringify(reply)
    const headers = ['content-type', 'application/json', 'content-length', Buffer.byteLength(text)]
    if (message.method === 'initialize') headers.push('mcp-session-id', 'bare')
    response.writeHead(200, headers).end(text)
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1')
