/**
 * Certificates for tests, made anew each time: an authority and those that it signs, for ECDSA keys on P-256.
 *
 * Source: RFC 5280, 4.1; ITU-T X.690 (DER).
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface Certificate {
  /** PEM, as node:tls takes them. */
  readonly cert: string
  readonly key: string
  /** SHA-256 of the certificate in base64url, as a token names it. Spec: RFC 8705, 3.1. */
  readonly x5t: string
}

const DAY_MS = 86_400_000

export class Authority {
  readonly cert: string
  private readonly name: string
  private readonly privateKey: KeyObject

  constructor(name: string) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.name = name
    this.privateKey = privateKey
    const extensions = [extension(BASIC_CONSTRAINTS, sequence(TRUE), true)]
    this.cert = pem(
      'CERTIFICATE',
      certificate({ issuer: name, subject: name, publicKey, signer: privateKey, extensions }),
    )
  }

  /** A certificate for a server on 127.0.0.1, or a client. */
  issue(subject: string): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const names = sequence(tagged(0x82, Buffer.from('localhost')), tagged(0x87, Buffer.from([127, 0, 0, 1])))
    const der = certificate({
      issuer: this.name,
      subject,
      publicKey,
      signer: this.privateKey,
      extensions: [extension(SUBJECT_ALT_NAME, names, false)],
    })
    return {
      cert: pem('CERTIFICATE', der),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      x5t: createHash('sha256').update(der).digest('base64url'),
    }
  }
}

interface Parts {
  readonly issuer: string
  readonly subject: string
  readonly publicKey: KeyObject
  readonly signer: KeyObject
  readonly extensions: readonly Buffer[]
}

function certificate({ issuer, subject, publicKey, signer, extensions }: Parts): Buffer {
  const now = Date.now()
  const body = sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))),
    tagged(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    sequence(ECDSA_WITH_SHA256),
    distinguishedName(issuer),
    sequence(time(now - DAY_MS), time(now + DAY_MS)),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', body, signer)
  return sequence(body, sequence(ECDSA_WITH_SHA256), tagged(0x03, Buffer.concat([Buffer.from([0]), signature])))
}

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts)
const hex = (text: string): Buffer => Buffer.from(text, 'hex')

/** 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = hex('06082a8648ce3d040302')
/** 2.5.4.3 */
const COMMON_NAME = hex('0603550403')
/** 2.5.29.19 */
const BASIC_CONSTRAINTS = hex('0603551d13')
/** 2.5.29.17 */
const SUBJECT_ALT_NAME = hex('0603551d11')
const TRUE = hex('0101ff')

function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(COMMON_NAME, tagged(0x0c, Buffer.from(name)))))
}

function extension(id: Buffer, value: Buffer, isCritical: boolean): Buffer {
  return sequence(id, ...(isCritical ? [TRUE] : []), tagged(0x04, value))
}

/** GeneralizedTime, to the second. */
function time(ms: number): Buffer {
  return tagged(0x18, Buffer.from(`${new Date(ms).toISOString().replaceAll(/[-:T]|\..*/g, '')}Z`))
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
