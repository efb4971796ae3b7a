/**
 * Rows by the ids that a peer gives its requests, strings or numbers, while those come and go all the time. Whole numbers,
 * which nearly all ids are, have a table of their own for what it saves the garbage collector; see `NumberTable`.
 */
import { NumberTable } from './number-table.ts'

export class IdTable<V extends object> {
  private numbered = new NumberTable<V>()
  private others: Map<string | number, V> | null = null

  get size(): number {
    return this.numbered.size + (this.others?.size ?? 0)
  }

  get(id: string | number): V | undefined {
    return Number.isSafeInteger(id) ? this.numbered.get(id as number) : this.others?.get(id)
  }

  has(id: string | number): boolean {
    return this.get(id) !== undefined
  }

  /** Adds a row, in place of the one that has its id. */
  set(id: string | number, row: V): void {
    this.delete(id)
    if (Number.isSafeInteger(id)) this.numbered.add(id as number, row)
    else (this.others ??= new Map()).set(id, row)
  }

  delete(id: string | number): boolean {
    if (!Number.isSafeInteger(id)) return this.others?.delete(id) ?? false
    const row = this.numbered.get(id as number)
    return row !== undefined && this.numbered.delete(id as number, row)
  }

  clear(): void {
    this.numbered = new NumberTable()
    this.others = null
  }

  /** All rows: those with whole numbers first, the smallest before the others, then the rest as they came. */
  values(): V[] {
    return [...this.numbered.values(), ...(this.others?.values() ?? [])]
  }
}
