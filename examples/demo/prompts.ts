/** A prompt over the folder's files. */
import { basename } from 'node:path'
import { embeddedResource, type Server, text } from 'bough'
import { invalidParams } from 'bough/protocol'
import { readServedFile, type Snapshot } from './files.ts'
import { PathError } from './folder.ts'
import { asText, mimeTypeOf } from './mime-types.ts'
import { pathsFrom, uriOf } from './resources.ts'

export function addPrompts(server: Server, realRoot: string, known: { readonly snapshot: Snapshot }): void {
  server.prompt('explain_file', {
    title: 'Explain a file',
    description: 'Asks for an explanation of one file, which comes along',
    arguments: [
      {
        name: 'file',
        description: 'Path of the file in the folder, or its name',
        required: true,
        complete: (prefix: string) => {
          const paths = pathsFrom(known.snapshot, prefix)
          const byName = [...known.snapshot.files.keys()].filter((path) => basename(path).startsWith(prefix))
          return [...new Set([...paths, ...byName])]
        },
      },
      { name: 'reader', description: 'Who it is explained to', complete: ['a newcomer', 'a colleague', 'a child'] },
    ],
    get: async ({ file, reader = 'a newcomer' }) => {
      const { path, content } = await textOf(realRoot, pathFor(known.snapshot, file))
      return [
        {
          role: 'user',
          content: embeddedResource({ uri: uriOf(path), mimeType: mimeTypeOf(path) ?? 'text/plain', text: content }),
        },
        { role: 'user', content: text(`Explain the file ${path} to ${reader}: what it is for, and how it works.`) },
      ]
    },
  })
}

/** The path that `file` means: itself, or the one file of that name. */
function pathFor(snapshot: Snapshot, file: string): string {
  if (snapshot.files.has(file)) return file
  const named = [...snapshot.files.keys()].filter((path) => basename(path) === file)
  return named.length === 1 && named[0] !== undefined ? named[0] : file
}

async function textOf(realRoot: string, asked: string): Promise<{ path: string; content: string }> {
  try {
    const { path, bytes } = await readServedFile(realRoot, asked)
    const content = asText(bytes)
    if (content === undefined) throw invalidParams(`The file "${path}" is not text`)
    return { path, content }
  } catch (error) {
    throw error instanceof PathError ? invalidParams(error.message) : error
  }
}
