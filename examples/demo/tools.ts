/** Tools over the folder's files: search and count. */
import type { Server, ToolContext } from 'bough'
import { z } from 'zod'
import { readServedFile, type Snapshot } from './files.ts'
import { checkPath, PathError } from './folder.ts'
import { asText } from './mime-types.ts'

/** Most matches in one answer. */
const MATCHES_MAX = 200
/** Characters of a line that are shown. */
const LINE_LENGTH_MAX = 200
/** Files between two reports of progress. */
const FILES_PER_REPORT = 25

const folder = z.string().default('').describe('Only this folder and what is below it; all files by default')

export function addTools(server: Server, realRoot: string, known: { readonly snapshot: Snapshot }): void {
  server.tool('search', {
    title: 'Search the files',
    description: `Finds the lines that hold a text; at most ${MATCHES_MAX}, as "path:line: text"`,
    input: z.object({
      text: z.string().min(1).max(500).describe('What to look for, as it is: no pattern'),
      folder,
      ignoreCase: z.boolean().default(false),
    }),
    annotations: { readOnlyHint: true, openWorldHint: false },
    run: async ({ text, folder, ignoreCase }, ctx) => {
      const wanted = ignoreCase ? text.toLowerCase() : text
      const found: string[] = []
      await forEachText(realRoot, known.snapshot, folder, ctx, (path, content) => {
        if (!(ignoreCase ? content.toLowerCase() : content).includes(wanted)) return true
        for (const [index, line] of content.split('\n').entries()) {
          if (!(ignoreCase ? line.toLowerCase() : line).includes(wanted)) continue
          found.push(`${path}:${index + 1}: ${line.trim().slice(0, LINE_LENGTH_MAX)}`)
          if (found.length === MATCHES_MAX) return false
        }
        return true
      })
      if (found.length === 0) return `No line holds ${JSON.stringify(text)}.`
      const end = found.length === MATCHES_MAX ? [`There may be more: the answer ends after ${MATCHES_MAX} lines.`] : []
      return [...found, ...end].join('\n')
    },
  })
  server.tool('count', {
    title: 'Count files, lines, words and bytes',
    description: 'Counts what the text files hold; files that are no text count as files and bytes only',
    input: z.object({ folder }),
    output: z.object({ files: z.int(), lines: z.int(), words: z.int(), bytes: z.int() }),
    annotations: { readOnlyHint: true, openWorldHint: false },
    run: async ({ folder }, ctx) => {
      const paths = pathsBelow(known.snapshot, folder)
      const total = { files: paths.length, lines: 0, words: 0, bytes: 0 }
      for (const path of paths) total.bytes += known.snapshot.files.get(path)?.bytes ?? 0
      await forEachText(realRoot, known.snapshot, folder, ctx, (_path, content) => {
        total.lines += content.split('\n').length - (content.endsWith('\n') || content === '' ? 1 : 0)
        total.words += content.match(/\S+/g)?.length ?? 0
        return true
      })
      return { structured: total }
    },
  })
}

/** Hands over the text files below `folder` one by one, until `visit` returns false; reports progress, ends on abort. */
async function forEachText(
  realRoot: string,
  snapshot: Snapshot,
  folder: string,
  ctx: ToolContext,
  visit: (path: string, content: string) => boolean,
): Promise<void> {
  const paths = pathsBelow(snapshot, folder)
  for (const [index, path] of paths.entries()) {
    ctx.signal.throwIfAborted()
    if (index > 0 && index % FILES_PER_REPORT === 0) ctx.progress(index, paths.length, path)
    const content = await readText(realRoot, path)
    if (content !== undefined && !visit(path, content)) break
  }
}

/** A folder's files. Throws a PathError for a folder that is refused or holds none. */
function pathsBelow(snapshot: Snapshot, asked: string): string[] {
  const folder = checkPath(asked)
  const paths = [...snapshot.files.keys()]
  if (folder === '') return paths
  const below = paths.filter((path) => path === folder || path.startsWith(`${folder}/`))
  if (below.length === 0) throw new PathError('missing', `There is no file below "${folder}" in the served folder`)
  return below
}

/** A file that is no text, too long, or gone since the look has nothing to search. */
async function readText(realRoot: string, path: string): Promise<string | undefined> {
  try {
    return asText((await readServedFile(realRoot, path)).bytes)
  } catch (error) {
    if (error instanceof PathError) return undefined
    throw error
  }
}
