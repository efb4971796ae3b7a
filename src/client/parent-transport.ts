/**
 * The transport to a server that started this program as its child: standard input and output, one JSON text a line. A program
 * has one standard input, so one link is all there can be.
 *
 * Spec: MCP 2026-07-28, basic/transports/stdio, message framing.
 */
import { type ClientTransport, LinkError, type LinkFailure } from '#transports/client-port'

/** The longest line taken, in characters. */
const LINE_LENGTH_MAX = 32 * 1024 * 1024

/** A transport to the parent of this program. */
export function parentTransport(
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stdout,
): ClientTransport {
  let isUsed = false
  return {
    name: 'stdio',
    target: 'the parent of this program',
    open: async (receiver) => {
      const over = (kind: LinkFailure['kind'], message: string): LinkFailure => ({ kind, message, mayHaveRun: true })
      if (isUsed)
        throw new LinkError({ ...over('refused', 'Standard input has been used already.'), mayHaveRun: false })
      isUsed = true
      let isOpen = true
      let rest = ''
      const end = (failure: LinkFailure): void => {
        if (!isOpen) return
        isOpen = false
        input.off('data', read)
        input.pause()
        receiver.closed(failure)
      }
      const read = (chunk: string): void => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (isOpen && line.trim() !== '') receiver.message(line)
        if (rest.length > LINE_LENGTH_MAX) end(over('invalid', `A line is longer than ${LINE_LENGTH_MAX} characters.`))
      }
      input.setEncoding('utf8')
      input.on('data', read)
      input.once('end', () => end(over('broken', 'The parent closed standard input.')))
      output.once('error', () => end(over('broken', 'The parent reads no more.')))
      return {
        send: ({ text }) => {
          if (isOpen) output.write(`${text}\n`)
          return isOpen
        },
        abandon: () => undefined,
        listen: () => undefined,
        close: async () => end(over('closed', 'The link to the parent was closed.')),
      }
    },
  }
}
