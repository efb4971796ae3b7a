// The limit for stdio in Node: split lines, parse, answer, stringify; one write for each chunk that was read.
import { answer } from './bare.js'

let rest = ''
process.stdin.setEncoding('utf8').on('data', (chunk) => {
  rest += chunk
  let out = ''
  let from = 0
  for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n', from)) {
    const reply = answer(JSON.parse(rest.slice(from, end)))
    if (reply) out += `${JSON.stringify(reply)}\n`
    from = end + 1
  }
  rest = rest.slice(from)
  if (out !== '') process.stdout.write(out)
})
