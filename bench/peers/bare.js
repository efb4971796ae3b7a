// What both bare servers answer: the handshake, and the echo of a call. No check of anything.

/** The response object of a request, or undefined for a notification. */
export function answer(message) {
  const { id, method } = message
  if (id === undefined) return undefined
  if (method === 'tools/call') {
    return { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: message.params.arguments.text }] } }
  }
  const serverInfo = { name: 'bare', version: '1.0.0' }
  return { jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } }
}
