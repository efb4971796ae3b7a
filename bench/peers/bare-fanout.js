// The limit for a fan-out in Node: one frame, made once, written to every open event stream in a loop that lets go now and then.
// GET opens a stream; POST writes to all of them and answers when it has.
import { createServer } from 'node:http'

/** Streams written to before other work gets its turn. */
const SLICE = 500

const streams = new Set()
createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n')
    streams.add(response)
    response.on('close', () => streams.delete(response))
    return
  }
  request.resume().on('end', () => {
    const frame = Buffer.from(
      'id: 1\ndata: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"bench://news"}}\n\n',
    )
    const all = streams.values()
    const slice = () => {
      for (let count = 0; count < SLICE; count += 1) {
        const { done, value } = all.next()
        if (done) return response.writeHead(200, { 'content-length': 0 }).end()
        value.write(frame)
      }
      setImmediate(slice)
    }
    slice()
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
