/**
 * The environment that a server started over stdio gets when nothing else is said: what programs need to find their way, and
 * nothing that tends to hold a secret. The official SDKs pass the same variables on; language, time zone and the folder for
 * temporary files are ours.
 */

const NAMES =
  process.platform === 'win32'
    ? [
        'APPDATA',
        'COMSPEC',
        'HOMEDRIVE',
        'HOMEPATH',
        'LOCALAPPDATA',
        'PATH',
        'PATHEXT',
        'PROCESSOR_ARCHITECTURE',
        'PROGRAMFILES',
        'SYSTEMDRIVE',
        'SYSTEMROOT',
        'TEMP',
        'TMP',
        'USERNAME',
        'USERPROFILE',
      ]
    : ['HOME', 'LANG', 'LC_ALL', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'TMPDIR', 'TZ', 'USER']

/** The variables of this process that are passed on by default, and those in `more`. Functions of a shell are left out. */
export function defaultEnvironment(more: readonly string[] = []): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const name of [...NAMES, ...more]) {
    const value = process.env[name]
    if (value !== undefined && !value.startsWith('()')) environment[name] = value
  }
  return environment
}
