// What a full mailbox does to those who do not want to wait behind it: the time until a kill is known, a suspend is
// answered, another actor replies, and the flooded actor's own call gets its reply. `operations` messages wait meanwhile.
// All of it is wall time of one request, after requests on an empty mailbox have made the code warm.
import { defineActor, type Ref, type System, sys } from 'bough/runtime'
import { deferred, type Library, type Run, type Timed } from './kernel-library.ts'

const WARM_UPS = 200

interface Other {
  call(op: 'echo', value: number): Promise<number>
}

const Echo = defineActor({ name: 'echo', version: 1, init: () => 0, call: { echo: (_state, value: number) => value } })

/** The four requests on an actor of `system`. */
export function waiting(system: System): Library {
  let asked = deferred<Timed>()
  const Flooded = defineActor({
    name: 'flooded',
    version: 1,
    init: () => ({ total: 0 }),
    cast: {
      add: (state, value: number) => {
        state.total += value
      },
      ask: async (_state, other: Other, self) => {
        const checksum = self.ref.info()?.queueLength ?? -1
        const startedAt = performance.now()
        await other.call('echo', 1)
        asked.resolve({ checksum, ms: performance.now() - startedAt })
      },
    },
  })
  type Flooded = Ref<typeof Flooded>

  const flood = (actor: Flooded, messages: number): number => {
    for (let value = 0; value < messages; value += 1) actor.cast('add', value)
    return actor.info()?.queueLength ?? -1
  }

  /** A run: floods a new actor and measures `request` on it, which settles when what was asked for is there. */
  const requesting = (request: (actor: Flooded, other: Other) => Promise<unknown>) => async (): Promise<Run> => {
    const other = await system.start(Echo)
    const run = async (messages: number): Promise<Timed> => {
      const actor = await system.start(Flooded)
      const checksum = flood(actor, messages)
      const startedAt = performance.now()
      await request(actor, other)
      const ms = performance.now() - startedAt
      actor.exit('kill')
      await actor.down
      return { checksum, ms }
    }
    for (let index = 0; index < WARM_UPS; index += 1) await run(0)
    return run
  }

  const kill = requesting((actor) => {
    actor.exit('kill')
    return actor.down
  })
  const suspend = requesting((actor) => sys.suspend(actor))
  const reply = requesting((_actor, other) => other.call('echo', 1))
  const ownCall = async (): Promise<Run> => {
    const other = await system.start(Echo)
    const run = async (messages: number): Promise<Timed> => {
      const actor = await system.start(Flooded)
      asked = deferred()
      actor.cast('ask', other)
      flood(actor, messages)
      const timed = await asked.promise
      actor.exit('kill')
      await actor.down
      return timed
    }
    for (let index = 0; index < WARM_UPS; index += 1) await run(0)
    return run
  }

  return {
    'kill-empty': kill,
    'kill-full': kill,
    'suspend-empty': suspend,
    'suspend-full': suspend,
    'reply-empty': reply,
    'reply-full': reply,
    'own-call-empty': ownCall,
    'own-call-full': ownCall,
  }
}
