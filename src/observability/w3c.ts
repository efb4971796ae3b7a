/**
 * W3C Trace Context and Baggage as text, the form in which they travel in `_meta` and in HTTP headers. What is malformed is as
 * good as absent, as the standard asks for.
 *
 * Source: W3C Trace Context, sections 3.2 and 3.3; W3C Baggage, section 3; MCP SEP-414 (the keys in `_meta`).
 */
import {
  type Baggage,
  baggageEntryMetadataFromString,
  createTraceState,
  isSpanContextValid,
  propagation,
  type SpanContext,
} from '@opentelemetry/api'

/** Anything that may carry a trace context under the W3C's names: a `_meta` object, or lower-cased HTTP headers. */
export type Carrier = Readonly<Record<string, unknown>>

/** Characters of a tracestate and of a baggage that are looked at; longer ones are left out. Source: their size limits. */
const TRACE_STATE_LENGTH_MAX = 512
const BAGGAGE_LENGTH_MAX = 8_192
/** Entries of a baggage that are kept. Source: W3C Baggage, section 3.3.2. */
const BAGGAGE_ENTRIES_MAX = 64

const TRACE_PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** The span that a carrier names, or undefined. */
export function spanContextOf(carrier: Carrier): SpanContext | undefined {
  const { traceparent, tracestate } = carrier
  if (typeof traceparent !== 'string' || traceparent.length > TRACE_STATE_LENGTH_MAX) return undefined
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACE_PARENT.exec(traceparent.trim()) ?? []
  // Version ff is invalid; version 00 ends with its flags, later ones may go on.
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined
  const context: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
  if (!isSpanContextValid(context)) return undefined
  if (typeof tracestate !== 'string' || tracestate === '' || tracestate.length > TRACE_STATE_LENGTH_MAX) return context
  return { ...context, traceState: createTraceState(tracestate) }
}

/** The trace that a carrier belongs to: 32 hexadecimal digits, or undefined. */
export function traceIdOf(carrier: Carrier): string | undefined {
  return spanContextOf(carrier)?.traceId
}

/** A span as `traceparent` and, if it has one, `tracestate`. */
export function carrierOf({ traceId, spanId, traceFlags, traceState }: SpanContext): Record<string, string> {
  const traceparent = `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, '0')}`
  const tracestate = traceState?.serialize() ?? ''
  return tracestate === '' ? { traceparent } : { traceparent, tracestate }
}

/** The baggage that a carrier brings, or undefined. */
export function baggageOf({ baggage }: Carrier): Baggage | undefined {
  if (typeof baggage !== 'string' || baggage === '' || baggage.length > BAGGAGE_LENGTH_MAX) return undefined
  let found = propagation.createBaggage()
  for (const member of baggage.split(',').slice(0, BAGGAGE_ENTRIES_MAX)) {
    const [pair = '', ...properties] = member.split(';')
    const at = pair.indexOf('=')
    const key = pair.slice(0, Math.max(at, 0)).trim()
    const value = decoded(pair.slice(at + 1).trim())
    if (key === '' || value === undefined) continue
    const metadata = properties.join(';').trim()
    found = found.setEntry(key, {
      value,
      ...(metadata !== '' && { metadata: baggageEntryMetadataFromString(metadata) }),
    })
  }
  return found
}

/** Baggage as its header's text; '' when there is none, or it is too long to travel. */
export function baggageText(baggage: Baggage | undefined): string {
  const members = (baggage?.getAllEntries() ?? []).slice(0, BAGGAGE_ENTRIES_MAX).map(([key, { value, metadata }]) => {
    const properties = metadata === undefined ? '' : `;${metadata.toString()}`
    return `${key}=${encodeURIComponent(value)}${properties}`
  })
  const text = members.join(',')
  return text.length > BAGGAGE_LENGTH_MAX ? '' : text
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
