/** The official clients take a message for what their own types say; here each is held against the published schema as well. */
import { expect, onTestFinished } from 'vitest'
import { Conversation, type Wire } from '../server/wire-schema.ts'

/** What the transports of both generations have; each types its messages in its own way. */
interface Wired {
  onmessage?: ((message: never, extra?: never) => void) | undefined
  send(message: never, options?: never): Promise<void>
}

/** The same transport, whose messages are checked as they pass. The test fails when the server said what no schema allows. */
export function checked<T extends object>(transport: T): T {
  const wired = transport as T & Wired
  const conversation = new Conversation()
  const faults: string[] = []
  const send = wired.send.bind(wired)
  wired.send = (message, options) => {
    conversation.sent(message as Wire)
    return send(message, options)
  }
  let listener: Wired['onmessage']
  Object.defineProperty(wired, 'onmessage', {
    configurable: true,
    get: (): Wired['onmessage'] => {
      const inner = listener
      if (inner === undefined) return undefined
      return (message, extra) => {
        const fault = conversation.faultOf(message as Wire)
        if (fault !== undefined) faults.push(fault)
        inner(message, extra)
      }
    },
    set: (wanted: Wired['onmessage']) => {
      listener = wanted
    },
  })
  onTestFinished(() => expect(faults).toEqual([]))
  return transport
}
