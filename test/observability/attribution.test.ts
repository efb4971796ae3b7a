/** Whose code runs: known to log lines and to stray faults, also where the storage that carries it was put away. */
import { describe, expect, it } from 'vitest'
import { attributed, CLEAN_RUNS_MIN, currentIds, type Origin } from '#observability/attribution'

const originOf = (requestId: number): Origin => ({
  kind: 'tool',
  name: 'search',
  sessionId: 's1',
  requestId,
  strayed: () => undefined,
})
const idsOf = (requestId: number) => ({ tool: 'search', session: 's1', request: requestId })

// One after another: what one run leaves behind changes how later ones are carried, for the whole program.
describe('attributed code', () => {
  const subject = {}

  it('knows whose it is while it runs, however often it was done when it returned', () => {
    for (let run = 0; run < CLEAN_RUNS_MIN + 10; run += 1) {
      expect(attributed(originOf(run), currentIds, subject)).toEqual(idsOf(run))
      expect(currentIds()).toEqual({})
    }
  })

  it('is forgotten when it throws', () => {
    const fail = (): never => {
      throw new Error('as asked')
    }
    expect(() => attributed(originOf(1), fail, subject)).toThrow('as asked')
    expect(currentIds()).toEqual({})
  })

  it('loses its name once, the first time that a function leaves something behind after all', async () => {
    const later = async (): Promise<object> => {
      await undefined
      return currentIds()
    }
    expect(await attributed(originOf(1), later, subject)).toEqual({})
    expect(await attributed(originOf(2), later, subject)).toEqual(idsOf(2))
  })

  it('keeps its name for everything that it leaves behind from then on', async () => {
    const seen: object[] = []
    const inTwoTurns = new Promise<void>((resolve) => {
      attributed(originOf(3), () => {
        setImmediate(() => {
          seen.push(currentIds())
          void Promise.resolve().then(() => {
            seen.push(currentIds())
            resolve()
          })
        })
      })
    })
    await inTwoTurns
    expect(seen).toEqual([idsOf(3), idsOf(3)])
  })

  it('is carried from its first promise on where nothing is known of it', async () => {
    const fresh = {}
    const later = async (): Promise<object> => {
      await undefined
      return currentIds()
    }
    expect(await attributed(originOf(4), later, fresh)).toEqual(idsOf(4))
  })
})
