/**
 * Starts the everything server.
 *
 *     node dist/examples/everything/main.js --http 127.0.0.1:3901
 *
 * Standard output belongs to the protocol of --stdio, so everything that is said to a person goes to standard error. SIGTERM,
 * SIGINT and, with --stdio alone, the end of standard input end it with status 0; a wrong command line ends it with status 2,
 * an address that cannot be had with 1.
 */
import { createLogger, serve } from 'bough'
import { staticTokens } from 'bough/auth'
import { help, readCommandLine } from './command-line.ts'
import { everythingServer, PAGE_SIZE } from './server.ts'

/** Sessions are kept for tests that hold thousands of them idle for minutes. */
const SESSIONS_MAX = 20_000
const SESSION_IDLE_MS = 600_000

const command = readCommandLine(process.argv.slice(2))
if (command.kind === 'help') {
  process.stdout.write(help)
} else if (command.kind === 'wrong') {
  process.stderr.write(`${command.sentence}\n`)
  process.exitCode = 2
} else {
  try {
    const app = await serve(everythingServer(command.manyTools), {
      ...(command.http && { http: command.http }),
      ...(command.ws && { ws: command.ws }),
      ...(command.tcp && { tcp: command.tcp }),
      ...(command.sse && { sse: command.sse }),
      stdio: command.stdio,
      // A test that crashes tools by the thousand may never read standard error: it stays empty unless asked for.
      logger: command.log === 'silent' ? false : createLogger({ level: command.log }),
      pageSize: PAGE_SIZE,
      store: command.store,
      processes: command.processes,
      ...(command.tokens && { auth: staticTokens(command.tokens) }),
      sessions: { max: SESSIONS_MAX, idleMs: SESSION_IDLE_MS },
    })
    if (app.isPrimary) for (const url of app.urls) process.stderr.write(`Everything server: ${url}\n`)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
