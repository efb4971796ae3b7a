/** The children of this process: ending one with all that it started, and ending all when the program itself ends. */
import type { ChildProcess } from 'node:child_process'

const children = new Set<ChildProcess>()

/** Ends the child when this program exits, unless it is told otherwise by the function returned. */
export function watchChild(child: ChildProcess): () => void {
  if (children.size === 0) process.on('exit', endAll)
  children.add(child)
  return () => {
    children.delete(child)
    if (children.size === 0) process.off('exit', endAll)
  }
}

/**
 * Sends a signal to the child and to what it started; where there are no process groups, to the child alone. False when nobody
 * was left: from then on the number may come to stand for somebody else.
 */
export function killGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  if (child.pid === undefined) return false
  if (process.platform === 'win32') return child.kill(signal)
  try {
    return process.kill(-child.pid, signal)
  } catch {
    return false
  }
}

function endAll(): void {
  for (const child of children) killGroup(child, 'SIGTERM')
}
