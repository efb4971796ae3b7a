/**
 * Whom a question of an upstream server is put to. In the modern era a question comes with the call that it belongs to. In the
 * legacy era it comes over the connection: it goes to the one client that has calls under way there. Where those of several
 * clients are, nobody knows whose it is, and it is refused rather than shown to a stranger.
 */
import type { ClientHandlers } from 'bough/client'
import type { ToolContext } from '#features/context'
import { ErrorCode, ProtocolError } from '#protocol'

/** The calls under way over one connection. */
export class Askers {
  private readonly contexts = new Set<ToolContext>()
  private readonly name: string

  /** `name` is that of the upstream, for errors. */
  constructor(name: string) {
    this.name = name
  }

  /** Runs a call of that client over the connection. */
  async during<T>(ctx: ToolContext, work: () => Promise<T>): Promise<T> {
    this.contexts.add(ctx)
    try {
      return await work()
    } finally {
      this.contexts.delete(ctx)
    }
  }

  /** The context of the one client whose calls are under way, the latest of them; undefined when there is none or several. */
  get sole(): ToolContext | undefined {
    const contexts = [...this.contexts]
    const last = contexts.at(-1)
    return contexts.every((ctx) => last !== undefined && isSameClient(ctx, last)) ? last : undefined
  }

  /** Handlers of the connection. */
  handlers(): ClientHandlers {
    const ctx = (): ToolContext => {
      const { sole, name } = this
      if (sole !== undefined) return sole
      const several = this.contexts.size > 0
      throw new ProtocolError(
        ErrorCode.InternalError,
        several
          ? `${name} serves calls of several clients over this connection: there is no telling whose question this is.`
          : `${name} has no call under way over this connection: there is nobody to ask.`,
      )
    }
    return {
      sampling: (request, context) => handlersFor(ctx()).sampling(request, context),
      elicitation: (request, context) => handlersFor(ctx()).elicitation(request, context),
      roots: (request, context) => handlersFor(ctx()).roots(request, context),
    }
  }
}

/** Handlers that put a question to the client that made a call. */
export function handlersFor(ctx: ToolContext): Required<ClientHandlers> {
  return {
    sampling: (request) => whileWanted(ctx, ctx.sample(request)),
    elicitation: (request) => whileWanted(ctx, ctx.elicit(request)),
    roots: async () => ({ roots: await whileWanted(ctx, ctx.roots()) }),
  }
}

/** In the modern era a question ends its call, and its promise never settles: then the upstream has waited long enough. */
function whileWanted<T>({ signal }: ToolContext, answer: Promise<T>): Promise<T> {
  if (signal.aborted) return Promise.reject(new Error('The call is over.'))
  return new Promise((resolve, reject) => {
    const over = (): void => reject(new Error('The call is over, or goes on with the answer in another round.'))
    signal.addEventListener('abort', over, { once: true })
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', over))
  })
}

/** Without a session or a principal every call may be somebody else's. */
function isSameClient(one: ToolContext, other: ToolContext): boolean {
  if (one === other) return true
  if (one.session !== undefined || other.session !== undefined) return one.session?.id === other.session?.id
  return one.auth !== undefined && one.auth.id === other.auth?.id
}
