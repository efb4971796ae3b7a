/**
 * Which log lines are wanted: a level for all, and others for single modules, changeable while the program runs.
 *
 *     levels.set('sessions', 'debug')
 *     levels.set('all', 'warn')          // every module again, those set before included
 */

/** From the least severe; 'silent' is no line at all. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevelName = (typeof logLevels)[number]
/** A level that a line can have. */
export type LineLevel = Exclude<LogLevelName, 'silent'>

/** The parts of a server that log under their own name; 'app' is what its author logs. */
export const logModules = [
  'kernel',
  'supervisor',
  'sessions',
  'requests',
  'transports',
  'auth',
  'store',
  'tasks',
  'client',
  'health',
  'app',
] as const
export type LogModule = (typeof logModules)[number]

export class LogLevels {
  private base: LogLevelName
  private readonly own = new Map<LogModule, LogLevelName>()

  constructor(base: LogLevelName = 'info') {
    this.base = base
  }

  /** The level from which lines of `module` are wanted. */
  get(module: LogModule): LogLevelName {
    return this.own.get(module) ?? this.base
  }

  /** Sets it for one module, or for 'all'. Throws a `TypeError` for names there are not. */
  set(module: LogModule | 'all', level: LogLevelName): void {
    if (!logLevels.includes(level)) {
      throw new TypeError(`There is no log level ${JSON.stringify(level)}. Choose from ${logLevels.join(', ')}.`)
    }
    if (module === 'all') {
      this.base = level
      this.own.clear()
    } else if (logModules.includes(module)) this.own.set(module, level)
    else
      throw new TypeError(
        `There is no log module ${JSON.stringify(module)}. Choose from all, ${logModules.join(', ')}.`,
      )
  }

  allows(module: LogModule, level: LineLevel): boolean {
    return logLevels.indexOf(level) >= logLevels.indexOf(this.get(module))
  }
}

/** The module of a line's fields; 'app' for what names none. */
export function moduleOf(fields: object): LogModule {
  const { module } = fields as { readonly module?: unknown }
  return logModules.find((one) => one === module) ?? 'app'
}
