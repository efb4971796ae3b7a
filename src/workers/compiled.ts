/** Functions that came to this thread as source, compiled once each. */

/** Compiled functions kept by each thread. */
const COMPILED_MAX = 256
const compiled = new Map<string, (...args: unknown[]) => unknown>()

/** The function that `source`, an expression, stands for. Throws what compiling it throws. */
export function compile(source: string): (...args: unknown[]) => unknown {
  let run = compiled.get(source)
  if (run === undefined) {
    run = new Function(`return ${source}`)() as (...args: unknown[]) => unknown
    if (compiled.size >= COMPILED_MAX) compiled.clear()
    compiled.set(source, run)
  }
  return run
}
