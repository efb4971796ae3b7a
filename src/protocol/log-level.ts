/**
 * The eight severities of RFC 5424 that MCP logging uses, in rising order.
 * Spec: MCP 2025-11-25, server/utilities/logging.
 */

export const logLevels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const

export type LogLevel = (typeof logLevels)[number]

const order: ReadonlyMap<unknown, number> = new Map(logLevels.map((level, index) => [level, index]))

/** Whether `value` is one of the eight names, exactly as spelled. */
export function isLogLevel(value: unknown): value is LogLevel {
  return order.has(value)
}

/** 0 for debug to 7 for emergency. */
export function severity(level: LogLevel): number {
  return order.get(level) ?? 0
}

/** Whether a message at `level` passes a threshold set to `minimum`; equal passes. */
export function isAtLeast(level: LogLevel, minimum: LogLevel): boolean {
  return severity(level) >= severity(minimum)
}
