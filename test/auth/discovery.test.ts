/** Where an issuer's metadata is looked for, and what is believed of it. */
import { describe, expect, it } from 'vitest'
import { discover, discoveryUrls, endpointOf } from '#auth/discovery'
import { Asker } from '#auth/fetch-json'

/** An asker of a web that consists of `documents`. */
function askerOf(documents: Record<string, unknown>, asked: string[] = []): Asker {
  return new Asker({
    fetch: async (url) => {
      asked.push(url)
      return documents[url] === undefined ? new Response('', { status: 404 }) : Response.json(documents[url])
    },
  })
}

describe('discovery', () => {
  it('looks at OAuth metadata first, then at OpenID metadata, path inserted before path appended', () => {
    expect(discoveryUrls('https://auth.example.com/tenant1')).toEqual([
      'https://auth.example.com/.well-known/oauth-authorization-server/tenant1',
      'https://auth.example.com/.well-known/openid-configuration/tenant1',
      'https://auth.example.com/tenant1/.well-known/openid-configuration',
    ])
    const atRoot = [
      'https://auth.example.com/.well-known/oauth-authorization-server',
      'https://auth.example.com/.well-known/openid-configuration',
    ]
    expect(discoveryUrls('https://auth.example.com')).toEqual(atRoot)
    expect(discoveryUrls('https://auth.example.com/')).toEqual(atRoot)
  })

  it('takes the first document that names the issuer, and asks for no more', async () => {
    const asked: string[] = []
    const issuer = 'https://auth.example.com/t'
    const [first = '', second = '', third = ''] = discoveryUrls(issuer)
    const right = { issuer, jwks_uri: 'https://auth.example.com/jwks' }
    expect(
      await discover(issuer, askerOf({ [second]: { issuer: 'https://x.example' }, [third]: right }, asked)),
    ).toEqual(right)
    expect(asked).toEqual([first, second, third])
    asked.length = 0
    expect(await discover(issuer, askerOf({ [first]: right, [third]: right }, asked))).toEqual(right)
    expect(asked).toEqual([first])
  })

  it('says what it found when nothing can be used, a slash too many among it', async () => {
    const asker = askerOf({ 'https://a.example/.well-known/openid-configuration': { issuer: 'https://a.example/' } })
    await expect(discover('https://a.example', asker)).rejects.toThrow(
      /oauth-authorization-server answered 404; .*is the metadata of "https:\/\/a.example\/"\. Configure the issuer exactly/,
    )
  })

  it('does not follow metadata to plain http, nor from the network to this machine', () => {
    const uriOf = (issuer: string, jwks_uri: unknown): string => endpointOf(issuer, { jwks_uri }, 'jwks_uri')
    expect(uriOf('https://a.example', 'https://keys.example/jwks')).toBe('https://keys.example/jwks')
    expect(uriOf('http://127.0.0.1:80', 'http://localhost:81/jwks')).toBe('http://localhost:81/jwks')
    for (const uri of [
      'http://keys.example/jwks',
      'https://127.0.0.1/jwks',
      'http://localhost/jwks',
      'file:///etc/passwd',
      '',
      7,
      undefined,
    ]) {
      expect(() => uriOf('https://a.example', uri), String(uri)).toThrow(/has no usable jwks_uri/)
    }
  })
})
