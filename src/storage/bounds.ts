/** Returns a bound that is a positive integer; throws a `RangeError` that names it otherwise. */
export function positive(name: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value
  throw new RangeError(`The option ${name} must be a positive integer, got ${value}.`)
}
