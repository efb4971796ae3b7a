/** Request state that a client carries: it opens for its own request and principal, unchanged, in time, and not otherwise. */
import { assert, dictionary, integer, jsonValue, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AuthError, canonicalJson, createSealer, digestOf, type SealerOptions, STATE_LENGTH_MAX } from '#auth/index'
import { createRandom } from '#testing'

const seed = Number(process.env['BOUGH_SEED'] ?? 1)
const key = (id: string, fill = 1): { id: string; secret: Uint8Array } => ({
  id,
  secret: new Uint8Array(32).fill(fill),
})
const time = { now: 1_000 }

function sealerWith(options: Partial<SealerOptions> = {}) {
  return createSealer({ keys: [key('k1')], random: createRandom(seed), now: () => time.now, ...options })
}

const binding = { principal: 'ann', request: digestOf({ method: 'tools/call', name: 'book', arguments: { seats: 2 } }) }

describe('sealed state', () => {
  it('opens to what was sealed, with its own nonce and its time of expiry', () => {
    const sealer = sealerWith()
    const opened = sealer.open(sealer.seal({ step: 1, answers: [null, 'é'] }, binding, 500), binding)
    expect(opened).toEqual({ payload: { step: 1, answers: [null, 'é'] }, nonce: expect.any(String), expiresAt: 1_500 })
    const again = sealer.open(sealer.seal({ step: 1 }, binding, 500), binding)
    expect('nonce' in again && 'nonce' in opened && again.nonce !== opened.nonce).toBe(true)
  })

  it('opens until its time, and not from then on', () => {
    const sealer = sealerWith()
    const text = sealer.seal({}, binding, 500)
    time.now = 1_499
    expect(sealer.open(text, binding)).toMatchObject({ payload: {} })
    time.now = 1_500
    expect(sealer.open(text, binding)).toEqual({ refused: 'expired' })
    time.now = 1_000
  })

  it('is foreign to another principal, another request, and to both exchanged', () => {
    const sealer = sealerWith()
    const text = sealer.seal({}, binding, 500)
    for (const other of [
      { ...binding, principal: 'bob' },
      { ...binding, request: digestOf({}) },
      { principal: binding.request, request: binding.principal },
      { principal: '', request: binding.principal + binding.request },
    ]) {
      expect(sealer.open(text, other)).toEqual({ refused: 'foreign' })
    }
  })

  it('shows nothing of its payload, its binding or its expiry', () => {
    const text = sealerWith().seal({ secret: 'rosebud' }, { principal: 'ann', request: 'r' }, 500)
    const bytes = Buffer.from(text, 'base64url').toString('latin1')
    for (const part of ['rosebud', 'secret', 'ann', 'expiresAt', '1500']) expect(bytes).not.toContain(part)
    expect(text).toMatch(/^[A-Za-z0-9_-]+$/)
  })

  it('is refused after any one bit of its bytes was flipped', () => {
    const sealer = sealerWith()
    const text = sealer.seal({ step: 1 }, binding, 500)
    const bytes = Buffer.from(text, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(sealer.open(flipped.toString('base64url'), binding), `bit ${bit}`).toEqual({ refused: 'tampered' })
    }
  })

  it('law: whatever the payload, a changed character, a cut, an addition and a swapped binding are refused', () => {
    const sealer = sealerWith()
    const payloads = dictionary(string(), jsonValue(), { maxKeys: 5 })
    assert(
      property(
        payloads,
        string(),
        string(),
        integer({ min: 0 }),
        integer({ min: 1, max: 63 }),
        (payload, principal, request, at, by) => {
          const text = sealer.seal(payload, { principal, request }, 500)
          expect(sealer.open(text, { principal, request })).toMatchObject({
            payload: JSON.parse(JSON.stringify(payload)),
          })
          const place = at % text.length
          const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
          const other = alphabet[(alphabet.indexOf(text[place] ?? 'A') + by) % 64]
          for (const bad of [
            `${text.slice(0, place)}${other}${text.slice(place + 1)}`,
            text.slice(0, place),
            text.slice(place + 1),
            `${text}A`,
            `${text}=`,
            `${text} `,
            `${text.slice(0, place)} ${text.slice(place)}`,
            text.slice(place) + text.slice(0, place) + (place === 0 ? 'A' : ''),
          ]) {
            expect(sealer.open(bad, { principal, request })).toEqual({ refused: 'tampered' })
          }
          expect(sealer.open(text, { principal: `${principal}x`, request })).toEqual({ refused: 'foreign' })
          if (principal !== request) {
            expect(sealer.open(text, { principal: request, request: principal })).toEqual({ refused: 'foreign' })
          }
        },
      ),
      { seed, numRuns: 300 },
    )
  })

  it('law: text that nobody sealed is refused and throws nothing', () => {
    const sealer = sealerWith()
    assert(
      property(string({ unit: 'binary', maxLength: 300 }), (text) => {
        expect(sealer.open(text, binding)).toEqual({ refused: 'tampered' })
        expect(sealer.open(Buffer.from(text).toString('base64url'), binding)).toEqual({ refused: 'tampered' })
      }),
      { seed },
    )
  })

  it('parts of two texts do not make a third', () => {
    const sealer = sealerWith()
    const [one, two] = [
      sealer.seal({ a: 1 }, binding, 500),
      sealer.seal({ a: 2 }, { ...binding, principal: 'bob' }, 500),
    ]
    const [left, right] = [Buffer.from(one, 'base64url'), Buffer.from(two, 'base64url')]
    for (let cut = 1; cut < left.length; cut++) {
      const mixed = Buffer.concat([left.subarray(0, cut), right.subarray(cut)]).toString('base64url')
      // Cut in what both begin with, it is the second as it was.
      expect(sealer.open(mixed, binding)).toEqual({ refused: mixed === two ? 'foreign' : 'tampered' })
    }
  })

  it('outlives a rotation of keys: the first seals, all open, none opens for another', () => {
    const [before, during, after] = [[key('k1', 1)], [key('k2', 2), key('k1', 1)], [key('k2', 2)]].map((keys) =>
      sealerWith({ keys }),
    )
    const old = before?.seal({ by: 'k1' }, binding, 500) ?? ''
    const young = during?.seal({ by: 'k2' }, binding, 500) ?? ''
    expect(during?.open(old, binding)).toMatchObject({ payload: { by: 'k1' } })
    expect(after?.open(young, binding)).toMatchObject({ payload: { by: 'k2' } })
    expect(after?.open(old, binding)).toEqual({ refused: 'tampered' })
    expect(sealerWith({ keys: [key('k1', 9)] }).open(old, binding)).toEqual({ refused: 'tampered' })
  })

  it('has a bounded length, both ways', () => {
    const sealer = sealerWith()
    const fits = { text: 'x'.repeat(48_000) }
    expect(sealer.open(sealer.seal(fits, binding, 500), binding)).toMatchObject({ payload: fits })
    expect(() => sealer.seal({ text: 'x'.repeat(50_000) }, binding, 500)).toThrow(
      /is longer than 65536\. Keep less in it/,
    )
    expect(sealer.open('A'.repeat(STATE_LENGTH_MAX + 1), binding)).toEqual({ refused: 'tampered' })
  })

  it.each([
    [[], /at least one key/],
    [[key('k1'), key('k1')], /must differ, got "k1" twice/],
    [[{ id: 'k1', secret: new Uint8Array(16) }], /secret must have 32 bytes, got 16/],
    [[key('no spaces')], /a key id must be 1 to 64 .*got "no spaces"/],
    [[key('')], /got ""/],
    [Array.from({ length: 17 }, (_, index) => key(`k${index}`)), /at most 16 keys, got 17/],
  ])('needs keys that can be used: %#', (keys, sentence) => {
    expect(() => sealerWith({ keys })).toThrow(sentence)
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('needs a time to live, not %d', (ttlMs) => {
    expect(() => sealerWith().seal({}, binding, ttlMs)).toThrow(AuthError)
  })
})

describe('a digest', () => {
  it('is the same for the same JSON value in any order of members, as RFC 8785 sorts them', () => {
    expect(canonicalJson({ b: [1, { d: undefined, c: 'é' }], a: null, 10: 1, 9: 1.0 })).toBe(
      '{"10":1,"9":1,"a":null,"b":[1,{"c":"é"}]}',
    )
    expect(digestOf({ b: 1, a: [true] })).toBe(digestOf({ a: [true], b: 1 }))
    expect(digestOf([1, 2])).not.toBe(digestOf([2, 1]))
    expect(digestOf({ __proto__: null, x: new Date(0) })).toBe(digestOf({ x: '1970-01-01T00:00:00.000Z' }))
  })

  it('law: survives a trip through JSON', () => {
    assert(
      property(jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
        expect(digestOf(JSON.parse(JSON.stringify(value)))).toBe(digestOf(value))
      }),
      { seed },
    )
  })

  it('refuses what is nested too deep, in place of a stack overflow', () => {
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level++) deep = [deep]
    expect(() => digestOf(deep)).toThrow(/nested deeper than 1000 levels/)
  })
})
