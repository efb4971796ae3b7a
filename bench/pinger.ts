// An unrelated client in a program of its own: pings a session without a pause, and tells, when asked over the IPC channel, the
// longest wait since it was asked last. `node pinger.js <port> <session>`; for fanout.ts.
import { post } from './load-http.ts'

const [port, session] = process.argv.slice(2)
let longestMs = 0
let isOver = false
process.on('message', () => {
  process.send?.({ longestMs })
  longestMs = 0
})
process.on('disconnect', () => {
  isOver = true
})
while (!isOver) {
  const from = performance.now()
  await post(Number(port), session, { jsonrpc: '2.0', id: 'ping', method: 'ping' })
  longestMs = Math.max(longestMs, performance.now() - from)
}
