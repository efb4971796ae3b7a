/** The smallest media that real decoders accept: a red pixel, and a tenth of a second of silence. */

/** A PNG of one red pixel, base64. */
export const redPixelPng =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC'

const SAMPLE_RATE_HZ = 8_000
const SAMPLES = 800

/** A WAV of 8-bit mono silence. Format: RIFF, PCM; 0x80 is the middle of an 8-bit sample. */
export function silentWav(): Uint8Array {
  const wav = Buffer.alloc(44 + SAMPLES, 0x80)
  wav.write('RIFF', 0, 'ascii')
  wav.writeUInt32LE(36 + SAMPLES, 4)
  wav.write('WAVEfmt ', 8, 'ascii')
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(SAMPLE_RATE_HZ, 24)
  wav.writeUInt32LE(SAMPLE_RATE_HZ, 28)
  wav.writeUInt16LE(1, 32)
  wav.writeUInt16LE(8, 34)
  wav.write('data', 36, 'ascii')
  wav.writeUInt32LE(SAMPLES, 40)
  return wav
}
