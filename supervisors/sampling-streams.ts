/**
 * Sampling streams are independent of each other, and none is asked for twice: each costs its user money, so none is restarted.
 * How many there may be at once is the client's limit.
 */
import { samplingStreamTemplate } from '#actors/sampling-stream'
import { defineSupervisor, type SupervisorDefinition } from '#runtime'

/** Streams of one client that may be open at once. */
export const SAMPLING_STREAMS_MAX = 100

export const samplingStreams = (maxChildren: number = SAMPLING_STREAMS_MAX): SupervisorDefinition<undefined> =>
  defineSupervisor({
    name: 'sampling-streams',
    strategy: 'simple_one_for_one',
    maxChildren,
    children: [samplingStreamTemplate()],
  })
