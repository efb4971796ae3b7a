#!/usr/bin/env node
/**
 * The program `bough`: finds the command that is named and gives it the rest of the line. What a command writes for other
 * programs goes to standard output, everything that is said to a person to standard error. Status 0 is success, 1 a failure, 2 a
 * wrong command line.
 *
 *     bough codegen http://127.0.0.1:3000/mcp --out weather.ts
 */
import { codegenCommand } from './codegen.ts'
import type { Command } from './command.ts'

const commands: Readonly<Record<string, Command>> = { codegen: codegenCommand }

const [name = '', ...args] = process.argv.slice(2)
const command = Object.hasOwn(commands, name) ? commands[name] : undefined

if (command !== undefined) {
  process.exitCode = await command.run(args, process)
} else if (name === '--help' || name === 'help') {
  process.stdout.write(help())
} else {
  const what = name === '' ? 'Say what to do' : `There is no command ${JSON.stringify(name)}`
  process.stderr.write(`${what}.\n\n${help()}`)
  process.exitCode = 2
}

function help(): string {
  const lines = Object.entries(commands).map(([each, { summary }]) => `  ${each.padEnd(10)}${summary}\n`)
  return `bough <command> ...\n\n${lines.join('')}\nbough <command> --help says more.\n`
}
