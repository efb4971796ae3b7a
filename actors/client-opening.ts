/**
 * The first requests on a link, one at a time: `server/discover`, then perhaps `initialize`. Each has its time; what comes of
 * it is the next step.
 */
import type { RequestId } from '#protocol'
import type { Self, Timer } from '#runtime'
import type { Outgoing } from '#transports/client-port'
import type { ConnectionTimer } from './client-connection.ts'
import { type Answer, afterDiscover, afterInitialize, type Step, spoken } from './client-handshake.ts'
import { encodeCall, initializeParams, modernMeta } from './client-messages.ts'
import type { ClientServices } from './client-services.ts'

/** Versions that are tried one after the other on one link. */
const DISCOVERS_MAX = 3

interface Handshake {
  /** '' while the link itself is being opened. */
  readonly id: RequestId
  readonly method: 'server/discover' | 'initialize'
  readonly version: string
  readonly timer: Timer
}

export class Opening {
  private readonly services: ClientServices
  private readonly self: Self<never>
  private readonly put: (message: Outgoing) => boolean
  private handshake: Handshake | undefined
  /** How often this server refused a version and named another. */
  private discovers = 0

  constructor(services: ClientServices, self: Self<never>, put: (message: Outgoing) => boolean) {
    this.services = services
    this.self = self
    this.put = put
  }

  /** The id of the request that waits for its answer, if one does. */
  get id(): RequestId | undefined {
    return this.handshake?.id
  }

  /** The link has its time to open. */
  begin(epoch: number): void {
    this.discovers = 0
    this.start('', 'initialize', '', this.services.settings.connectTimeoutMs, epoch)
  }

  /** Asks the server for its versions, in `version` or the newest that the client speaks. */
  discover(epoch: number, isHttp: boolean, version?: string): void {
    const { settings, known } = this.services
    const asked = version ?? spoken(settings, 'modern')[0]?.version ?? ''
    const id = ++known.lastId
    const { connectTimeoutMs, probeTimeoutMs } = settings
    this.start(id, 'server/discover', asked, isHttp ? connectTimeoutMs : probeTimeoutMs, epoch)
    const { text, headers } = encodeCall(id, 'server/discover', undefined, modernMeta(this.services, asked))
    this.put({ text, kind: 'request', ids: [id], headers })
  }

  initialize(epoch: number): void {
    const { settings, known } = this.services
    const version = spoken(settings, 'legacy')[0]?.version ?? ''
    const id = ++known.lastId
    this.start(id, 'initialize', version, settings.connectTimeoutMs, epoch)
    const { text } = encodeCall(id, 'initialize', initializeParams(settings, version), undefined)
    this.put({ text, kind: 'request', ids: [id], headers: {} })
  }

  /** The step after the answer to the request that waits; undefined when none does. */
  answered(answer: Answer, isHttp: boolean): Step | undefined {
    const { handshake } = this
    if (handshake === undefined) return undefined
    this.end()
    const { known, settings, transports } = this.services
    if (handshake.method === 'server/discover') {
      const step = afterDiscover(settings, answer, isHttp, known.era === 'modern')
      if (step.kind !== 'discover' || ++this.discovers <= DISCOVERS_MAX) return step
      const message = `The server refuses version ${handshake.version}, which it says it supports.`
      return { kind: 'fail', failure: { code: 'unsupported_version', message, mayHaveRun: false }, isFinal: true }
    }
    return afterInitialize(settings, answer, known.transport + 1 < transports.length)
  }

  end(): void {
    if (this.handshake !== undefined) this.self.cancelTimer(this.handshake.timer)
    this.handshake = undefined
  }

  private start(id: RequestId, method: Handshake['method'], version: string, timeoutMs: number, epoch: number): void {
    this.end()
    const timer = this.self.sendAfter(timeoutMs, { type: 'handshake', epoch } satisfies ConnectionTimer)
    this.handshake = { id, method, version, timer }
  }
}
