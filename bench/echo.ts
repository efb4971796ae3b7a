// The one call every server is measured with: `echo`, a tool that returns the text it got. Each call's text is its own,
// so that a reply to another call is noticed.

export const TEXT_BYTES = 64

/** The text of call `id`: unique, ASCII, 64 bytes. */
export function textOf(id: number): string {
  return `call ${id} `.padEnd(TEXT_BYTES, '.')
}

/** The body of call `id`; ASCII, so that its length is its size. */
export function callBody(id: number): string {
  return (
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call",` +
    `"params":{"name":"echo","arguments":{"text":"${textOf(id)}"}}}`
  )
}

/** The id and the text of a reply; throws what else the server said. */
export function echoOf(message: unknown): { id: number; text: unknown } {
  const { id, result } = message as { id: number; result?: { content?: { text?: unknown }[] } }
  if (result?.content === undefined) throw new Error(`The server refused a call: ${JSON.stringify(message)}`)
  return { id, text: result.content[0]?.text }
}
