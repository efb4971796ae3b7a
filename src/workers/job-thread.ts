/**
 * The far side of a job: runs in a thread of the pool, finds the function, in a module or as source, and calls it. What it
 * throws goes home as a value, so that it keeps all that an Error carries.
 */
import { cloneError, isCloneable } from './clone-error.ts'
import { compile } from './compiled.ts'
import { needsPacking, pack, unpack } from './packing.ts'

/** What a thread of the pool is told. `arg` is packed. */
export interface Job {
  /** The function's source, or undefined when a module has it. */
  readonly source: string | undefined
  readonly module: string
  readonly export: string
  readonly arg: unknown
}

/** How it came out; both are packed. */
export type JobOutcome = { readonly value: unknown } | { readonly error: unknown }

type Run = (arg: unknown) => unknown

async function load(url: string, name: string): Promise<Run> {
  const loaded = (await import(url)) as Readonly<Record<string, unknown>>
  const found = loaded[name]
  if (typeof found === 'function') return found as Run
  const names = Object.keys(loaded).join(', ') || 'nothing'
  throw new TypeError(
    `The module ${url} must export a function as "${name}", got ${typeof found}. It exports: ${names}.`,
  )
}

/** Jobs have no system around them: a ref that comes to one has no use, and one cannot come out. */
export const noRefs = {
  tokenOf: (): never => {
    throw new TypeError(
      'A job is given no Ref: it runs outside of any system. Use defineWorker for what must send messages.',
    )
  },
  refOf: (): undefined => undefined,
}

export async function runJob({ source, module, export: name, arg }: Job): Promise<JobOutcome> {
  try {
    const run = source === undefined ? await load(module, name) : compile(source)
    const value = await run(unpack(arg, noRefs))
    const packed = needsPacking(value) ? pack(value, noRefs) : value
    // The pool's thread would not survive a result without a copy. Binary data, which may be large, has one.
    if (!ArrayBuffer.isView(packed) && !isCloneable(packed)) throw cloneError('The result of a job', 'result', value)
    return { value: packed }
  } catch (error) {
    const packed = pack(error, noRefs)
    return { error: isCloneable(packed) ? packed : pack(cloneError('What a job threw', 'error', error), noRefs) }
  }
}
