/**
 * Names that a provider takes for names that it does not: MCP allows tools and ids that a vendor's pattern refuses. A name
 * that fits stands for itself; the others get one that no other has.
 *
 *     const aliases = new Aliases(['get_user', 'files.read'], /^[\w-]+$/, 64)
 *     aliases.toWire('files.read')      // 'files_read'
 *     aliases.fromWire('files_read')    // 'files.read'
 */

export class Aliases {
  private readonly wire = new Map<string, string>()
  private readonly own = new Map<string, string>()

  /** `pattern` is what a whole name must match; its characters beside letters, digits, `_` and `-` are never made up. */
  constructor(names: Iterable<string>, pattern: RegExp, lengthMax: number) {
    const odd: string[] = []
    for (const name of new Set(names)) {
      if (name.length <= lengthMax && pattern.test(name)) this.pair(name, name)
      else odd.push(name)
    }
    for (const name of odd) {
      const near = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, lengthMax) || '_'
      let alias = near
      for (let number = 2; this.own.has(alias); number++) {
        const suffix = `_${number}`
        alias = near.slice(0, lengthMax - suffix.length) + suffix
      }
      this.pair(name, alias)
    }
  }

  /** What the provider is told for `name`; itself for one that was not announced. */
  toWire(name: string): string {
    return this.wire.get(name) ?? name
  }

  /** What the provider means by `alias`; itself for one that it made up. */
  fromWire(alias: string): string {
    return this.own.get(alias) ?? alias
  }

  private pair(name: string, alias: string): void {
    this.wire.set(name, alias)
    this.own.set(alias, name)
  }
}
