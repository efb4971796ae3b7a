/**
 * Brings the answer of an authorization to a program on the user's machine: listens on 127.0.0.1 while the user is asked,
 * takes the one request that carries the state of the question, and tells the browser that it is done.
 *
 * Spec: RFC 8252, 7.3 and 8.3; MCP 2026-07-28, basic/authorization/security-considerations.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AuthError, invalidOption } from '#auth/errors'
import type { Redirect } from './options.ts'

/** Requests that are looked at while one user is asked; browsers ask for icons, and others may knock. */
export const CALLBACKS_MAX = 100

const HOST = '127.0.0.1'
const PATH_DEFAULT = '/callback'
const PORT_MAX = 65_535

export interface LoopbackOptions {
  /**
   * Where to listen. Default 0: a free port, another each time. A fixed one is for authorization servers that compare ports, and
   * keeps registrations from being made anew.
   */
  readonly port?: number
  /** Default '/callback'. */
  readonly path?: string
  /** Shows the address to the user, or opens it in a browser. Default: writes it to standard error. */
  readonly open?: (url: URL) => void | Promise<void>
  /** What the browser shows at the end. Default: that the window may be closed. */
  readonly page?: string
}

/** A `Redirect` by way of this machine. Throws `AuthError` `invalid_option`. */
export function loopbackRedirect(options: LoopbackOptions = {}): Redirect {
  const { port = 0, path = PATH_DEFAULT, open = told, page = 'You may close this window.' } = options
  if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) {
    throw invalidOption(`loopbackRedirect: port must be an integer from 0 to ${PORT_MAX}, got ${port}`)
  }
  if (!/^\/[\w./-]*$/.test(path))
    throw invalidOption(`loopbackRedirect: path must be a plain path, got ${JSON.stringify(path)}`)
  const callback = new Callback(path, page)
  return {
    uri: async () => `http://${HOST}:${await callback.listen(port)}${path}`,
    authorize: async (url, signal) => {
      const answer = callback.wait(url.searchParams.get('state') ?? '', signal)
      // Whichever fails first is told; the other is then of no interest.
      answer.catch(() => undefined)
      await open(url)
      return await answer
    },
    close: () => callback.close(),
  }
}

class Callback {
  readonly #path: string
  readonly #page: string
  #server: Server | undefined
  #state = ''
  #requests = 0
  #settle: ((answer: URL | AuthError) => void) | undefined

  constructor(path: string, page: string) {
    this.#path = path
    this.#page = page
  }

  /** Resolves to the port. Rejects with `AuthError` `invalid_option` when it is taken. */
  async listen(port: number): Promise<number> {
    this.close()
    this.#requests = 0
    const server = createServer((request, response) => this.#answer(request, response))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        const code = 'code' in error ? String(error.code) : error.message
        reject(invalidOption(`loopbackRedirect cannot listen on ${HOST}:${port}: ${code}. Choose another port`))
      })
      server.listen(port, HOST, resolve)
    })
    return (server.address() as AddressInfo).port
  }

  wait(state: string, signal: AbortSignal): Promise<URL> {
    this.#state = state
    return new Promise((resolve, reject) => {
      this.#settle = (answer) => {
        this.#settle = undefined
        if (answer instanceof AuthError) reject(answer)
        else resolve(answer)
      }
      signal.addEventListener('abort', () => this.#settle?.(ended('it was closed')))
    })
  }

  close(): void {
    this.#settle?.(ended('it was closed'))
    const server = this.#server
    this.#server = undefined
    server?.close()
    // The browser keeps its connection open for more.
    server?.closeIdleConnections()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const text = request.url ?? ''
    const url =
      text.startsWith('/') && URL.canParse(text, `http://${HOST}`) ? new URL(text, `http://${HOST}`) : undefined
    this.#requests += 1
    if (this.#requests > CALLBACKS_MAX) this.#settle?.(ended(`more than ${CALLBACKS_MAX} requests came`))
    const isAnswer = request.method === 'GET' && url?.pathname === this.#path
    if (!isAnswer || this.#settle === undefined) return say(response, 404, 'There is nothing here.')
    // Not the answer to this question: who sent it does not end the waiting for the one that is.
    if (url.searchParams.get('state') !== this.#state)
      return say(response, 400, 'This is not the sign-in that was begun.')
    say(response, 200, this.#page)
    this.#settle(url)
  }
}

function say(response: ServerResponse, status: number, text: string): void {
  const escaped = text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`)
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': "default-src 'none'",
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
    Connection: 'close',
  })
  response.end(`<!doctype html><meta charset="utf-8"><title>Sign-in</title><p>${escaped}</p>\n`)
}

function told(url: URL): void {
  process.stderr.write(`Open this address in a browser to sign in:\n${url.href}\n`)
}

const ended = (why: string): AuthError => new AuthError('authorization_ended', `The sign-in ended: ${why}.`)
