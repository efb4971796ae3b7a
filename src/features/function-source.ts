/**
 * A function as text, to run in another thread. Functions cannot be sent to a thread, their source can: such a function must
 * stand alone. It sees its parameters, globals and what it imports itself (`await import('node:fs')`), nothing around it.
 */
import { refuse } from './definition.ts'

/** The source of a function as an expression, whichever way it was written. Throws a FeatureError for one that has none. */
export function functionSource(what: string, run: (...args: never) => unknown): string {
  const text = Function.prototype.toString.call(run)
  for (const source of [`(${text})`, `Object.values({ ${text} })[0]`]) {
    if (isExpression(source)) return source
  }
  return refuse(
    what,
    `with isolate "thread" run is sent to a thread as text, and this one has none (${text.slice(0, 60)}). Write a plain function`,
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
