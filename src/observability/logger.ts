/**
 * Log lines, through pino: JSON on standard error unless the caller brings a logger. Standard output is never written to: on the
 * stdio transport it belongs to the protocol.
 *
 * Whatever the logger underneath, each line passes the same door: its module's level, which can be changed while the program runs;
 * a bound on floods; and the redaction of what no log may hold. A line written while a tool runs carries the ids of its session,
 * request, process and trace by itself.
 *
 *     const logger = createLogger({ level: 'info', redact: { keys: ['pin'] } })
 *     logger.levels.set('sessions', 'debug')
 *     logger.info({ order: 12 }, 'Ordered')
 */
import { type DestinationStream, pino } from 'pino'
import { type Clock, realClock } from '#runtime/clock'
import { currentIds } from './attribution.ts'
import { FloodGate } from './flood-gate.ts'
import { type LineLevel, type LogLevelName, LogLevels, moduleOf } from './log-levels.ts'
import { type RedactionOptions, Redactor } from './redaction.ts'
import { activeIds } from './tracing.ts'

/** The part of a pino logger that is used; any logger with these methods will do. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface LoggerOptions {
  /** The least severe level written; default 'info'. */
  readonly level?: LogLevelName
  /** Default standard error. */
  readonly destination?: DestinationStream
  /** What is taken out of lines beside what always is; see `RedactionOptions`. */
  readonly redact?: RedactionOptions
  /** Lines of one kind (level, module and event) within a second; more are left out, and their number is told. Default 50. */
  readonly linesPerSecondMax?: number
  readonly clock?: Clock
}

/** Log lines that may wait for standard error, in bytes; later ones are dropped. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024
/** Lines of one kind within a second, unless the options say otherwise. */
export const LINES_PER_SECOND_MAX = 50

/** The logger that a server uses unless it is given another. Throws a `TypeError` for wrong options. */
export function createLogger(options: LoggerOptions = {}): LogDoor {
  // Asynchronous and bounded: a peer that never reads our standard error must not stop the server, nor fill its memory.
  const destination = options.destination ?? pino.destination({ fd: 2, sync: false, maxLength: UNWRITTEN_BYTES_MAX })
  // The door decides what is written.
  const { clock } = options
  const timestamp = clock === undefined ? {} : { timestamp: () => `,"time":${Math.round(clock.wallNow())}` }
  return new LogDoor(pino({ name: 'bough', level: 'debug', ...timestamp }, destination), {
    level: 'info',
    ...options,
  })
}

/** A logger of the caller's behind the same door. Its own level counts too: what it would drop is dropped. */
export function throughDoor(logger: Logger, clock?: Clock): LogDoor {
  if (logger instanceof LogDoor) return logger
  return new LogDoor(logger, { level: 'debug', ...(clock !== undefined && { clock }) })
}

export class LogDoor implements Logger {
  /** Which lines are wanted; may be changed at any time. */
  readonly levels: LogLevels
  /** Told of each line that was written or left out. For metrics. */
  counted: ((name: 'log_lines' | 'log_lines_left_out', level: LineLevel, by: number) => void) | undefined
  private readonly out: Logger
  private readonly redactor: Redactor
  private readonly gate: FloodGate

  constructor(out: Logger, { level, redact, linesPerSecondMax = LINES_PER_SECOND_MAX, clock }: LoggerOptions) {
    if (!Number.isInteger(linesPerSecondMax) || linesPerSecondMax < 1) {
      throw new TypeError(`linesPerSecondMax must be a whole number of at least 1, got ${String(linesPerSecondMax)}.`)
    }
    this.out = out
    this.levels = new LogLevels()
    this.levels.set('all', level ?? 'info')
    this.redactor = new Redactor(redact)
    this.gate = new FloodGate(clock ?? realClock, linesPerSecondMax, (kind, leftOut) => {
      const [lineLevel = '', module = '', event = ''] = kind.split(' ')
      const severity: LineLevel = lineLevel === 'error' || lineLevel === 'warn' ? lineLevel : 'info'
      this.counted?.('log_lines_left_out', severity, leftOut)
      this.out[severity === 'error' ? 'warn' : severity](
        { event: 'log_lines_left_out', module, kind: event, count: leftOut },
        `${leftOut} more lines like "${kind}" within a second were left out`,
      )
    })
  }

  debug(fields: object, message: string): void {
    this.write('debug', fields, message)
  }

  info(fields: object, message: string): void {
    this.write('info', fields, message)
  }

  warn(fields: object, message: string): void {
    this.write('warn', fields, message)
  }

  error(fields: object, message: string): void {
    this.write('error', fields, message)
  }

  /** Tells what a flood left out so far; for the end of the program. */
  flush(): void {
    this.gate.flush()
  }

  private write(level: LineLevel, fields: object, message: string): void {
    const module = moduleOf(fields)
    if (!this.levels.allows(module, level)) return
    const { event } = fields as { readonly event?: unknown }
    const kind = typeof event === 'string' ? event : message.slice(0, 60)
    if (!this.gate.passes(`${level} ${module} ${kind}`)) return
    this.counted?.('log_lines', level, 1)
    const { pid, ...rest } = this.redactor.fields(fields)
    // A program has a pid too, which pino notes: that of a process of ours is called what it is.
    const ids = { ...activeIds(), ...currentIds(), ...rest, ...(pid !== undefined && { process: pid }) }
    this.out[level]({ module, ...ids }, this.redactor.text(message))
  }
}
