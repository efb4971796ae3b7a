/** The media type of a file, by the end of its name, and whether its bytes are text. */

const types: Readonly<Record<string, string>> = {
  cjs: 'text/javascript',
  css: 'text/css',
  csv: 'text/csv',
  gif: 'image/gif',
  html: 'text/html',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript',
  json: 'application/json',
  md: 'text/markdown',
  mjs: 'text/javascript',
  mp3: 'audio/mpeg',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  ts: 'text/x-typescript',
  txt: 'text/plain',
  wasm: 'application/wasm',
  wav: 'audio/wav',
  webp: 'image/webp',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  zip: 'application/zip',
}

const BYTES_LOOKED_AT_MAX = 8_192

/** The type that the name suggests; undefined for a name that suggests none. */
export function mimeTypeOf(path: string): string | undefined {
  const end = path.slice(path.lastIndexOf('/') + 1).split('.')
  const extension = end.length > 1 ? end.at(-1)?.toLowerCase() : undefined
  return extension !== undefined && Object.hasOwn(types, extension) ? types[extension] : undefined
}

/** The text that the bytes hold in UTF-8, or undefined when they are not text. */
export function asText(bytes: Uint8Array): string | undefined {
  if (bytes.subarray(0, BYTES_LOOKED_AT_MAX).includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
