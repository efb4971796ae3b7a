/**
 * What the glue uses of fast-check, by shape. The caller hands fast-check over (`import fc from 'fast-check'`), so that this
 * package needs it for nothing else: these are fast-check's own public interfaces. What its classes keep private no shape can
 * name, so there are two: `Given` is any arbitrary that comes in, `Arbitrary` one that fast-check takes for its own.
 */

/** A generated value and what its shrinking needs to know. */
export interface Value<T> {
  readonly hasToBeCloned: boolean
  readonly value: T
  readonly value_: T
  readonly context: unknown
}

/** An arbitrary of the caller's. */
export interface Given<T> {
  generate(random: never, bias: number | undefined): { readonly value: T }
}

/** An arbitrary for the caller, to be used like any of fast-check's. */
export interface Arbitrary<T> extends Given<T> {
  generate(random: never, bias: number | undefined): Value<T>
  canShrinkWithoutContext(value: unknown): value is T
  /** For fast-check alone. */
  shrink(value: T, context: unknown): never
  filter(predicate: (value: T) => boolean): Arbitrary<T>
  map<U>(mapper: (value: T) => U, unmapper?: (possibly: unknown) => T): Arbitrary<U>
  chain<U>(chainer: (value: T) => Given<U>): Arbitrary<U>
}

/** A step of a model-based test. After: fast-check, model based testing. */
export interface Command<M extends object, R> {
  /** Whether the step makes sense in this state of the model. */
  check(model: Readonly<M>): boolean
  /** Does the step to both, compares, and throws where they differ. */
  run(model: M, real: R): Promise<void>
  toString(): string
}

/** The part of fast-check that is used. */
export interface FastCheck {
  readonly Arbitrary: abstract new () => object
  readonly Value: new <T>(value: T, context: unknown) => Value<T>
  readonly toStringMethod: symbol
  readonly cloneMethod: symbol
  stream<T>(values: IterableIterator<T>): object
  constantFrom<T>(...values: T[]): Given<T>
  oneof<T>(...arbitraries: Given<T>[]): Given<T>
  array<T>(arbitrary: Given<T>, constraints?: { maxLength?: number }): Given<T[]>
  commands(commands: never, constraints?: { maxCommands?: number }): Given<Iterable<unknown>>
  asyncModelRun(setup: never, commands: never): Promise<void>
}

/** The part of fast-check that makes properties; `P` is its type of them. */
export interface FastCheckProperties<P> extends FastCheck {
  asyncProperty(first: never, second: never, predicate: never): P
}

/** An arbitrary of fast-check's making, under the name that its caller may go on with. */
export function asArbitrary<T>(given: Given<T>): Arbitrary<T> {
  // Every arbitrary that fast-check makes is an instance of its class, which has all of these methods.
  return given as Arbitrary<T>
}
