/** A client of the modern era on a connection: every request says for itself who asks. */
import { type Client, SEED, type World } from './support.ts'
import type { Wire } from './wire-schema.ts'

export { SEED }

export const VERSION = '2026-07-28'
export const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'

export interface Asking {
  readonly capabilities?: object
  readonly logLevel?: string
  readonly meta?: object
}

/** The `_meta` that every request carries. */
export function metaOf({ capabilities = {}, logLevel, meta }: Asking = {}): object {
  return {
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...(logLevel !== undefined && { 'io.modelcontextprotocol/logLevel': logLevel }),
    ...meta,
  }
}

/** Answers to what a server asked, by the method asked for. */
export type Answers = Readonly<Record<string, (params: Wire['params'], key: string) => object>>

export class ModernClient {
  readonly connection: Client
  private readonly asking: Asking

  constructor(world: World, asking: Asking = {}) {
    this.connection = world.connect()
    this.connection.version = VERSION
    this.asking = asking
  }

  begin(method: string, params: object = {}, asking: Asking = this.asking): number {
    return this.connection.begin(method, { ...params, _meta: metaOf(asking) })
  }

  request(method: string, params: object = {}, asking: Asking = this.asking): Promise<Wire> {
    return this.connection.answerTo(this.begin(method, params, asking))
  }

  call(name: string, args: object = {}, more: object = {}, asking: Asking = this.asking): Promise<Wire> {
    return this.request('tools/call', { name, arguments: args, ...more }, asking)
  }

  /** Sends a request again and again with the answers to what the server asks, until it asks nothing. */
  async rounds(
    method: string,
    params: object,
    answers: Answers,
    most = 10,
  ): Promise<{ final: Wire; asked: string[][] }> {
    const asked: string[][] = []
    let reply = await this.request(method, params)
    while (reply.result?.resultType === 'input_required' && asked.length < most) {
      const { inputRequests, requestState } = reply.result
      asked.push(Object.keys(inputRequests))
      const inputResponses = Object.fromEntries(
        Object.entries<Wire>(inputRequests).map(([key, one]) => [key, answers[one.method ?? '']?.(one.params, key)]),
      )
      reply = await this.request(method, { ...params, inputResponses, requestState })
    }
    return { final: reply, asked }
  }
}

/** The text of a tool's result. */
export function textOf(reply: Wire): string {
  return reply.result?.content?.[0]?.text
}
