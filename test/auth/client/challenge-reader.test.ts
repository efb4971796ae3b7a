/** What servers write into WWW-Authenticate, well and badly. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readChallenge } from '#auth/client/challenge-reader'

const seed = Number(process.env['BOUGH_SEED'] ?? 20_261_121)
const read = (...values: string[]): ReturnType<typeof readChallenge> => {
  const headers = new Headers()
  for (const value of values) headers.append('www-authenticate', value)
  return readChallenge(headers)
}
const nothing = { offersDpop: false }

describe('a challenge', () => {
  it.each([
    ['', nothing],
    ['Bearer', nothing],
    ['bearer ERROR=invalid_token', { ...nothing, error: 'invalid_token' }],
    [
      'Bearer resource_metadata="https://a.example/x", scope="a b"',
      { ...nothing, metadataUrl: 'https://a.example/x', scopes: ['a', 'b'] },
    ],
    ['Bearer resource_metadata=https://a.example/x', { ...nothing, metadataUrl: 'https://a.example/x' }],
    [
      'Bearer error="insufficient_scope",scope="a",realm=""',
      { ...nothing, error: 'insufficient_scope', scopes: ['a'] },
    ],
    ['Bearer realm="say \\"hi\\", scope=\\"no\\"", scope="yes"', { ...nothing, scopes: ['yes'] }],
    ['Basic realm="x", error="no"', nothing],
    ['Negotiate dG9rZW4=, Bearer scope="a"', { ...nothing, scopes: ['a'] }],
    ['Bearer scope="a offline_access  b\u00e9"', { ...nothing, scopes: ['a'] }],
    [
      'DPoP algs="ES256 PS256", Bearer scope="a"',
      { offersDpop: true, dpopAlgorithms: ['ES256', 'PS256'], scopes: ['a'] },
    ],
    ['DPoP error="use_dpop_nonce"', { offersDpop: true, error: 'use_dpop_nonce' }],
    ['Bearer scope="unfinished', nothing],
    ['scope="of nobody"', nothing],
    [`Bearer scope="${'a'.repeat(20_000)}"`, nothing],
  ])('%s is read', (text, found) => {
    expect(read(text)).toEqual(found)
  })

  it('may come in several headers', () => {
    expect(read('Bearer scope="a"', 'DPoP algs="ES256"')).toEqual({
      offersDpop: true,
      scopes: ['a'],
      dpopAlgorithms: ['ES256'],
    })
  })

  it('of any characters is read or passed over, never a failure', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary-ascii', maxLength: 200 }).filter((text) => !/[\0\r\n]/.test(text)),
        (text) => {
          expect(read(text)).toMatchObject({ offersDpop: expect.any(Boolean) })
        },
      ),
      { seed },
    )
  })

  it('that was written well is read as it was meant', () => {
    const value = fc.string({ unit: 'grapheme-ascii', maxLength: 40 }).map((text) => text.replace(/[^\x20-\x7e]/g, ''))
    fc.assert(
      fc.property(value, value, (error, realm) => {
        const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`
        const { error: found } = read(`Digest nonce="x", Bearer realm=${quoted(realm)}, error=${quoted(error)}`)
        expect(found ?? '').toBe(error)
      }),
      { seed },
    )
  })
})
