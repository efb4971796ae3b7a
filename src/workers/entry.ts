/**
 * Where the files are that threads start with. Node 20 loads no TypeScript in a thread: from sources, as the tests run, the
 * built files serve, without the package's private condition, which would lead them back to the sources.
 */
const isSource = import.meta.url.endsWith('.ts')
const folder = new URL(isSource ? '../../dist/src/workers/' : './', import.meta.url)

/** The address of a file that a thread starts with. */
export function threadEntry(name: 'tool-thread' | 'job-thread' | 'resident-thread'): URL {
  return new URL(`${name}.js`, folder)
}

const PRIVATE_CONDITION = 'bough-source'

/** Options of every thread: its flags are the program's. */
export const threadOptions: { readonly execArgv?: string[] } = isSource ? { execArgv: publicFlags() } : {}

function publicFlags(): string[] {
  return process.execArgv.filter((flag, index, all) => {
    const isName = (one: string | undefined): boolean => one === '--conditions' || one === '-C'
    if (flag === `--conditions=${PRIVATE_CONDITION}`) return false
    if (isName(flag)) return all[index + 1] !== PRIVATE_CONDITION
    return !(flag === PRIVATE_CONDITION && isName(all[index - 1]))
  })
}
