/** Log lines for a person who watches a terminal. */
import type { Logger } from 'bough'

/** Writes one line for each event to standard error; none while `isQuiet`, which it is until told otherwise. */
export class TerminalLogger implements Logger {
  isQuiet = true

  debug(): void {}

  info(_fields: object, message: string): void {
    this.write('info', message)
  }

  warn(_fields: object, message: string): void {
    this.write('warn', message)
  }

  error(_fields: object, message: string): void {
    this.write('error', message)
  }

  private write(level: string, message: string): void {
    if (!this.isQuiet) process.stderr.write(`${new Date().toISOString()} ${level} ${message}\n`)
  }
}
