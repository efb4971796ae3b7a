/** What a command of the program `bough` is. */

/** Where a command writes; a process has both. */
export interface Streams {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
}

export interface Command {
  /** What it does, in half a line. */
  readonly summary: string
  /** Runs it with the arguments that follow its name; resolves to the status to end with. Never rejects. */
  run(args: readonly string[], streams: Streams): Promise<number>
}
