// What the command line of a run says, and whether the peers are there.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './paths.ts'

/** How a run was asked for. */
export interface Wish {
  readonly isSmall: boolean
  /** Whether a contender is wanted: its name begins with a word of `--only`; every one without it. */
  readonly isWanted: (name: string) => boolean
  /** Whether `--only` was said at all. */
  readonly isChosen: boolean
  readonly rounds: number | undefined
  readonly sessions: number | undefined
}

/** Throws an `Error` that names the option and the value for what is no positive integer. */
export function positiveInteger(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`--${name} must be a positive integer, got: ${text}`)
}

let peersAreThere: boolean | undefined

/** True when the peers can be measured. The large size installs them; the small one takes them only if they are there. */
export function havePeers(isSmall: boolean): boolean {
  peersAreThere ??= findPeers(isSmall)
  return peersAreThere
}

function findPeers(isSmall: boolean): boolean {
  const folder = join(root, 'bench', 'peers')
  const needed = ['@modelcontextprotocol/server', 'fastmcp', 'xstate', 'effect', 'nact']
  if (needed.every((name) => existsSync(join(folder, 'node_modules', name)))) return true
  if (isSmall) {
    console.log(
      'The peers are not installed, so --small leaves them out (npm ci --prefix bench/peers installs them).\n',
    )
    return false
  }
  console.log('Installing the peers: npm ci --prefix bench/peers')
  const npm = spawnSync('npm', ['ci', '--prefix', folder, '--no-fund', '--no-audit', '--loglevel', 'error'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0)
    throw new Error(`npm ci --prefix bench/peers ended with status ${npm.status}. Is the network there?`)
  return true
}
