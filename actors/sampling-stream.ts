/**
 * One sampling request on its way to a model and back, as a process: it asks the human, asks the provider, and asks the human
 * again. It ends with its answer, and with whoever waits for it; its signal closes the connection to the provider, however it
 * ends. What the provider or a hook of the user fails with is an answer too, so that nobody else notices.
 *
 *     handler                                       sampling-stream
 *     startChild: the work                       -> starts it
 *     call 'outcome': waits                      -> replies when the work is done, and stops
 *     exit signal, when the request is cancelled -> ends it at once
 */
import type { SampleResult } from '#protocol'
import { type CallOptions, type ChildSpec, child, defineActor, type Ref, type Self } from '#runtime'

/** What a stream does: all of it, hooks included. Must heed the signal to be ended early. */
export type SamplingWork = (signal: AbortSignal) => Promise<SampleResult>

/** How the work ended. */
export type SamplingOutcome = { readonly value: SampleResult } | { readonly error: unknown }

interface State {
  readonly work: SamplingWork
  outcome: SamplingOutcome | undefined
  waiting: Self['from'] | undefined
}

export const SamplingStream = defineActor({
  name: 'sampling-stream',
  init: (work: SamplingWork, self: Self<never>): State => {
    self.continueWith('run')
    return { work, outcome: undefined, waiting: undefined }
  },
  continue: {
    run: (state: State, _none: undefined, self: Self<State>) => {
      const { ref } = self
      const tell = (outcome: SamplingOutcome): void => void ref.cast('done', outcome)
      // Not awaited: the process hears exit signals and calls meanwhile.
      void (async () => state.work(self.signal))().then(
        (value) => tell({ value }),
        (error: unknown) => tell({ error }),
      )
    },
  },
  call: {
    outcome: (state: State, _none: undefined, self: Self<State>) => {
      if (state.outcome === undefined) {
        state.waiting = self.from
        return self.noreply
      }
      self.stop()
      return state.outcome
    },
  },
  cast: {
    done: (state: State, outcome: SamplingOutcome, self: Self<State>) => {
      state.outcome = outcome
      if (state.waiting === undefined) return
      state.waiting.reply(outcome)
      self.stop()
    },
  },
})

/** What came of a stream. Rejects with `CallError` when the process was ended. To be asked once. */
export async function outcomeOf(stream: Ref): Promise<SamplingOutcome> {
  const forever: CallOptions = { timeout: Number.POSITIVE_INFINITY }
  // The supervisor's children are streams; a Ref of one is typed here.
  return (await (stream as Ref<typeof SamplingStream>).call('outcome', undefined, forever)) as SamplingOutcome
}

/** One stream of any; how many there are is the supervisor's limit. */
export function samplingStreamTemplate(): ChildSpec {
  return child(SamplingStream, undefined as unknown as SamplingWork, {
    id: 'sampling-stream',
    restart: 'temporary',
    shutdown: 'brutal_kill',
  })
}
