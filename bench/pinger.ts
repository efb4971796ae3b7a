// An unrelated client in a program of its own: told to `go` over the IPC channel it pings a session without a pause; told to `rest` it
// finishes the ping under way and tells the longest that one took since. `node pinger.js <port> <session>`; for fanout.ts.
import { post } from './load-http.ts'

const [port, session] = process.argv.slice(2)
let isPinging = false
let pinging: Promise<number> = Promise.resolve(0)

async function ping(): Promise<number> {
  let longestMs = 0
  while (isPinging) {
    const from = performance.now()
    await post(Number(port), session, { jsonrpc: '2.0', id: 'ping', method: 'ping' })
    longestMs = Math.max(longestMs, performance.now() - from)
  }
  return longestMs
}

process.on('message', (order: 'go' | 'rest') => {
  isPinging = order === 'go'
  if (isPinging) pinging = ping()
  else void pinging.then((longestMs) => process.send?.({ longestMs }))
})
