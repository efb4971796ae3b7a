/** The way back to a program on a desk: one answer, to the question that was asked. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { CALLBACKS_MAX } from '#auth/client/loopback-redirect'
import { loopbackRedirect, type Redirect } from '#auth/index'

const question = new URL('https://auth.example.com/authorize?state=right')
const uriOf = async ({ uri }: Redirect): Promise<string> => (typeof uri === 'string' ? uri : await uri())
const status = async (url: string, init?: RequestInit): Promise<number> => (await fetch(url, init)).status

describe('a loopback redirect', () => {
  it('shows the address, waits for the answer with the right state, and ends', async () => {
    const shown: string[] = []
    const redirect = loopbackRedirect({ open: (url) => void shown.push(url.href), page: 'Done & <over>' })
    const uri = await uriOf(redirect)
    expect(uri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/)
    const answer = redirect.authorize(question, new AbortController().signal)
    expect(await status(`${uri}?code=stolen&state=wrong`)).toBe(400)
    expect(await status(`${uri}?code=stolen`)).toBe(400)
    expect(await status(`${uri}?code=1&state=right`, { method: 'POST' })).toBe(404)
    expect(await status(new URL('/favicon.ico', uri).href)).toBe(404)
    const page = await fetch(`${uri}?code=1&state=right`)
    expect(await page.text()).toContain('<p>Done &#38; &#60;over&#62;</p>')
    expect(page.headers.get('content-security-policy')).toBe("default-src 'none'")
    expect((await answer).toString()).toMatch(/\/callback\?code=1&state=right$/)
    expect(await status(`${uri}?code=2&state=right`)).toBe(404)
    redirect.close?.()
    await expect(fetch(uri)).rejects.toThrow()
    expect(shown).toEqual([question.href])
  })

  it('can be used again, with another port', async () => {
    const redirect = loopbackRedirect({ open: () => undefined, path: '/' })
    for (let round = 0; round < 2; round++) {
      const uri = await uriOf(redirect)
      const answer = redirect.authorize(question, new AbortController().signal)
      await status(`${uri}?state=right`)
      expect((await answer).toString()).toContain('state=right')
      redirect.close?.()
    }
  })

  it('ends when it is told to, and after too many knocks', async () => {
    const redirect = loopbackRedirect({ open: () => undefined })
    const controller = new AbortController()
    await uriOf(redirect)
    const aborted = redirect.authorize(question, controller.signal)
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'authorization_ended' })
    const uri = await uriOf(redirect)
    const knocked = redirect.authorize(question, new AbortController().signal)
    const refused = expect(knocked).rejects.toThrow(/more than 100 requests came/)
    for (let knocks = 0; knocks <= CALLBACKS_MAX; knocks++) await status(uri)
    await refused
    redirect.close?.()
  })

  it('says when its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    await expect(uriOf(loopbackRedirect({ port }))).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: EADDRINUSE`)
    other.close()
  })

  it.each([{ port: -1 }, { port: 65_536 }, { port: 1.5 }, { path: 'x' }, { path: '/a b' }])(
    'cannot be made from %j',
    (options) => {
      expect(() => loopbackRedirect(options)).toThrow(/loopbackRedirect: (port|path) must be/)
    },
  )
})
