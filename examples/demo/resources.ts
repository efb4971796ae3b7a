/** The files as resources: one for each, kept in step with the folder, and a template for those beyond the bound. */
import type { Server } from 'bough'
import { invalidParams, resourceNotFound } from 'bough/protocol'
import { type Changes, FILES_MAX, type FileFacts, readServedFile, type Snapshot } from './files.ts'
import { PathError } from './folder.ts'
import { asText, mimeTypeOf } from './mime-types.ts'

const PREFIX = 'folder:///'

/** The URI of a file, by its path in the folder. */
export function uriOf(path: string): string {
  return PREFIX + path.split('/').map(encodeURIComponent).join('/')
}

export function addFiles(server: Server, realRoot: string, known: { readonly snapshot: Snapshot }): void {
  for (const [path, facts] of known.snapshot.files) addFile(server, realRoot, path, facts)
  server.resourceTemplate(`${PREFIX}{+path}`, {
    name: 'file',
    title: 'A file of the folder',
    description: `Any file by its path in the folder; the first ${FILES_MAX} are listed as resources too`,
    read: ({ path = '' }, _ctx, uri) => readAnswer(realRoot, path, uri),
    complete: { path: (prefix) => pathsFrom(known.snapshot, prefix) },
  })
}

/** Brings the listed resources in step with the folder; subscribers of a changed file are told. */
export function applyChanges(server: Server, realRoot: string, snapshot: Snapshot, changes: Changes): void {
  for (const path of changes.removed) server.removeResource(uriOf(path))
  for (const path of [...changes.added, ...changes.changed]) {
    const facts = snapshot.files.get(path)
    if (facts !== undefined) addFile(server, realRoot, path, facts)
  }
  for (const path of [...changes.changed, ...changes.removed]) server.resourceUpdated(uriOf(path))
}

/** The paths that begin with `prefix`, in order. */
export function pathsFrom(snapshot: Snapshot, prefix: string): string[] {
  return [...snapshot.files.keys()].filter((path) => path.startsWith(prefix))
}

function addFile(server: Server, realRoot: string, path: string, facts: FileFacts): void {
  server.resource(uriOf(path), {
    name: path,
    mimeType: mimeTypeOf(path),
    size: facts.bytes,
    annotations: { lastModified: new Date(facts.modifiedMs).toISOString() },
    read: (_variables, _ctx, uri) => readAnswer(realRoot, path, uri),
  })
}

/** The contents, as text where the bytes are text. A refused path is the client's mistake and is answered as one. */
async function readAnswer(realRoot: string, asked: string, uri: string) {
  try {
    const { path, bytes } = await readServedFile(realRoot, asked)
    const text = asText(bytes)
    const mimeType = mimeTypeOf(path) ?? (text === undefined ? 'application/octet-stream' : 'text/plain')
    return text === undefined ? { blob: bytes, mimeType } : { text, mimeType }
  } catch (error) {
    if (!(error instanceof PathError)) throw error
    throw error.code === 'missing' ? resourceNotFound(uri) : invalidParams(error.message)
  }
}
