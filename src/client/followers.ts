/**
 * Those who want to be told of changes by a pool: each is attached to one of its connections, and to another one when that ends.
 * What changed in between may have been missed, so they are then told that it may have.
 */
import type { Client } from './client.ts'

type Stop = () => void | Promise<void>

interface Follower {
  readonly attach: (client: Client) => Promise<Stop>
  /** Something may have been missed. */
  readonly resumed: () => void
  client: Client | undefined
  stop: Stop | undefined
  isOver: boolean
}

/** Followers of one pool. */
const FOLLOWERS_MAX = 10_000

export class Followers {
  private readonly followers = new Set<Follower>()
  private readonly warn: (message: string) => void
  private client: Client | undefined

  constructor(warn: (message: string) => void) {
    this.warn = warn
  }

  /** Attaches from now on; with what is attached already, if there is. Returns what ends it. */
  add(
    attach: Follower['attach'],
    resumed: Follower['resumed'],
    attached?: { readonly client: Client; readonly stop: Stop },
  ): () => Promise<void> {
    if (this.followers.size >= FOLLOWERS_MAX) throw new RangeError(`A pool is followed by ${FOLLOWERS_MAX} at most.`)
    const follower: Follower = { attach, resumed, client: attached?.client, stop: attached?.stop, isOver: false }
    this.followers.add(follower)
    if (attached === undefined && this.client !== undefined) void this.follow(follower, this.client, false)
    return async () => {
      follower.isOver = true
      this.followers.delete(follower)
      await follower.stop?.()
    }
  }

  /** There is a connection: whoever has none follows it. */
  up(client: Client): void {
    this.client ??= client
    for (const follower of this.followers) {
      if (follower.client === undefined) void this.follow(follower, client, true)
    }
  }

  /** A connection is gone: who followed it follows another one, or the next. */
  down(client: Client, other: Client | undefined): void {
    if (this.client === client) this.client = other
    for (const follower of this.followers) {
      if (follower.client !== client) continue
      follower.client = undefined
      follower.stop = undefined
      if (other !== undefined) void this.follow(follower, other, true)
    }
  }

  clear(): void {
    this.followers.clear()
  }

  private async follow(follower: Follower, client: Client, isAgain: boolean): Promise<void> {
    follower.client = client
    try {
      const stop = await follower.attach(client)
      if (follower.isOver || follower.client !== client) await stop()
      else {
        follower.stop = stop
        if (isAgain) follower.resumed()
      }
    } catch (error) {
      // With the next connection it is tried again.
      if (follower.client === client) follower.client = undefined
      this.warn(`The pool cannot follow changes: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}
