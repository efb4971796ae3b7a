/** A model that runs "locally": the smallest server of chat completions that a provider can speak to. It always says the same. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Model {
  readonly baseUrl: string
  /** What it was asked, in its own words. */
  readonly asked: readonly string[]
  stop(): void
}

export async function startModel(answer: string): Promise<Model> {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const { messages } = JSON.parse(body) as { readonly messages: readonly { readonly content: unknown }[] }
    asked.push(JSON.stringify(messages.at(-1)?.content))
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const say = (delta: object, finish_reason: string | null): void => {
      const choices = [{ index: 0, delta, finish_reason }]
      response.write(
        `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', model: 'tiny', choices })}\n\n`,
      )
    }
    for (const word of answer.split(/(?<= )/)) say({ role: 'assistant', content: word }, null)
    say({}, 'stop')
    response.end('data: [DONE]\n\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    asked,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
