/**
 * A function as text, for a job: threads take no functions, but they take their source. Such a function must stand alone: it
 * sees its argument, globals and what it imports itself (`await import('node:crypto')`), nothing around it.
 */

/** The source of a function as an expression, however it was written. Throws a `TypeError` for one that has none. */
export function jobSource(job: (...args: never) => unknown): string {
  const text = Function.prototype.toString.call(job)
  // The second form is for methods: `{ name() {} }.name`.
  for (const source of [`(${text})`, `Object.values({ ${text} })[0]`]) {
    if (isExpression(source)) return source
  }
  throw new TypeError(
    `runInThread: the function is sent to a thread as text, and this one has none (${text.slice(0, 60)}). Write a plain function, or give the URL of a module that exports it.`,
  )
}

function isExpression(source: string): boolean {
  try {
    new Function(`return ${source}`)
    return true
  } catch {
    return false
  }
}
