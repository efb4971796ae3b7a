/**
 * The process that keeps an eye on the folder. It watches every folder by itself (one recursive watch would also walk
 * through node_modules), waits until a burst of events is over, looks at all files again and tells what changed.
 *
 *     await system.start(watchTree({ realRoot, known, tell }))
 *
 * Watching is a hint, the look is the truth: lost or doubled events do no harm. When it crashes, its supervisor starts it
 * anew from a fresh look.
 */
import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { child, defineActor, defineSupervisor, type Ref, type Self } from 'bough/runtime'
import { type Changes, changesBetween, type Snapshot, takeSnapshot } from './files.ts'

/** How long the folder must have been quiet before it is looked at again. */
const QUIET_MS = 100

export interface WatchOptions {
  readonly realRoot: string
  /** What is known already; kept up to date, so that a restart tells what happened in between. */
  readonly known: { snapshot: Snapshot }
  readonly tell: (changes: Changes) => void
}

interface WatchState extends WatchOptions {
  readonly watched: Map<string, { readonly inode: number; readonly watcher: FSWatcher }>
  isLookDue: boolean
}

/** Something in the folder stirred. */
const stirred = { type: 'stirred' }
/** It is time to look. */
const look = { type: 'look' }

export const Watch = defineActor({
  name: 'folder-watch',
  init: (options: WatchOptions, self: Self<never>): WatchState => {
    const state: WatchState = { ...options, watched: new Map(), isLookDue: false }
    self.signal.addEventListener('abort', () => forget(state, [...state.watched.keys()]))
    follow(state, self.ref)
    self.ref.send(stirred)
    return state
  },
  info: async (state, message, self) => {
    if (message === stirred && !state.isLookDue) {
      state.isLookDue = true
      self.sendAfter(QUIET_MS, look)
    }
    if (message === look) {
      state.isLookDue = false
      const before = state.known.snapshot
      state.known.snapshot = await takeSnapshot(state.realRoot)
      state.tell(changesBetween(before.files, state.known.snapshot.files))
      // A folder that is watched only now may have got a file since the look.
      if (follow(state, self.ref) > 0) self.ref.send(stirred)
    }
  },
})

/** The watch under a supervisor: a file system that fails now and then is nothing to end a server for. */
export function watchTree(options: WatchOptions) {
  return defineSupervisor({
    name: 'folder',
    strategy: 'one_for_one',
    intensity: 5,
    period: 10_000,
    children: [child(Watch, options, { id: 'watch' })],
  })
}

/** Watches the folders that are there now, and no longer those that went away. Returns how many are new. */
function follow(state: WatchState, self: Ref): number {
  const { folders } = state.known.snapshot
  forget(
    state,
    [...state.watched].filter(([folder, { inode }]) => folders.get(folder) !== inode).map(([folder]) => folder),
  )
  let added = 0
  for (const [folder, inode] of folders) {
    if (state.watched.has(folder)) continue
    try {
      const watcher = watch(join(state.realRoot, folder), { persistent: false }, () => void self.send(stirred))
      // A folder that goes away ends its watcher; the next look sees the rest.
      watcher.on('error', () => void self.send(stirred))
      state.watched.set(folder, { inode, watcher })
      added++
    } catch {
      // It went away since the look, or the system allows no more watches: its files are served, their changes not told.
    }
  }
  return added
}

function forget(state: WatchState, folders: readonly string[]): void {
  for (const folder of folders) {
    state.watched.get(folder)?.watcher.close()
    state.watched.delete(folder)
  }
}
