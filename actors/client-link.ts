/**
 * One link of a connection, opened and in use: what it hears becomes messages to the connection's process, marked with the
 * epoch of the link, so that what comes late from an old one is known for what it is. A link is closed when its process has
 * ended, however that was.
 */
import type { RequestId } from '#protocol'
import type { Self } from '#runtime'
import {
  type ClientTransport,
  type Link,
  LinkError,
  type LinkFailure,
  type LinkReceiver,
} from '#transports/client-port'

/** What a link tells its process. */
export type LinkMessage = { readonly epoch: number } & (
  | { readonly type: 'opened'; readonly link: Link }
  | { readonly type: 'unopened'; readonly failure: LinkFailure }
  | { readonly type: 'message'; readonly text: string }
  | { readonly type: 'no_answer'; readonly ids: readonly RequestId[]; readonly failure: LinkFailure }
  | { readonly type: 'link_closed'; readonly failure: LinkFailure }
)

/** Opens a link; everything of it arrives at the process as a `LinkMessage`. */
export function openLink(transport: ClientTransport, epoch: number, { ref, signal }: Self<never>): void {
  const tell = (message: LinkMessage): void => void ref.send(message)
  const receiver: LinkReceiver = {
    message: (text) => tell({ type: 'message', epoch, text }),
    failed: (ids, failure) => tell({ type: 'no_answer', epoch, ids, failure }),
    closed: (failure) => {
      // A process outlives many links and holds none of those that are over.
      signal.removeEventListener('abort', end)
      tell({ type: 'link_closed', epoch, failure })
    },
  }
  let end = (): void => undefined
  const opened = (link: Link): void => {
    if (!ref.alive) return closeQuietly(link)
    // Killed, the process has no last words.
    end = () => closeQuietly(link)
    signal.addEventListener('abort', end, { once: true })
    tell({ type: 'opened', epoch, link })
  }
  const unopened = (error: unknown): void => tell({ type: 'unopened', epoch, failure: failureIn(transport, error) })
  try {
    transport.open(receiver).then(opened, unopened)
  } catch (error) {
    unopened(error)
  }
}

/** Closes a link that nobody waits for. */
export function closeQuietly(link: Link): void {
  link.close().catch(() => undefined)
}

function failureIn({ target }: ClientTransport, error: unknown): LinkFailure {
  if (error instanceof LinkError) return error.failure
  const reason = error instanceof Error ? error.message : String(error)
  return { kind: 'refused', message: `There is no reaching ${target}: ${reason}`, mayHaveRun: false, cause: error }
}
