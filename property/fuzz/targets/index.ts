/** All targets, by name. */
import type { Target } from '../target.ts'
import { liveMemory, liveStdio, liveTcp } from './connections.ts'
import { guard, modernHeaders } from './headers.ts'
import { liveHttp } from './http.ts'
import { codec, content } from './messages.ts'
import { schemas, sealedState } from './sealed.ts'
import { eventStream, lines, sseReader } from './streams.ts'
import { cursors, eventIds, frontmatter, patterns, templates } from './texts.ts'

/** Decoders without a server around them. */
export const pureTargets: readonly Target[] = [
  codec,
  content,
  modernHeaders,
  guard,
  sseReader,
  eventStream,
  lines,
  templates,
  patterns,
  cursors,
  eventIds,
  frontmatter,
  sealedState,
  schemas,
]

/** Servers that run. */
export const liveTargets: readonly Target[] = [liveMemory, liveStdio, liveTcp, liveHttp]

export const targets: readonly Target[] = [...pureTargets, ...liveTargets]

/** Throws an Error that lists the names. */
export function targetNamed(name: string): Target {
  const found = targets.find((target) => target.name === name)
  if (found !== undefined) return found
  throw new Error(`There is no target "${name}". Choose from: ${targets.map((target) => target.name).join(', ')}.`)
}
