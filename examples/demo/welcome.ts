/** What the demonstration server says when it is up: where it is, how a host finds it, what it is made of. */
import type { TreeNode } from 'bough'
import type { Snapshot } from './files.ts'

/** The text, with a line feed at its end. */
export function welcome(url: string, folder: string, snapshot: Snapshot, tree: TreeNode): string {
  const count = `${snapshot.files.size} files${snapshot.isCut ? ', more can be read through the template' : ''}`
  const config = JSON.stringify({ mcpServers: { folder: { type: 'http', url } } }, null, 2)
  return `
Serving ${folder} (${count})
at ${url}

For the configuration file of an MCP host:

${indented(config)}

or, where a host has a command line of this common form:

  <host> mcp add --transport http folder ${url}

Try: "search the folder for ...", the prompt explain_file, and the tools crash, slow and spin.

The tree:

${indented(drawn(tree))}

`
}

/** One line for each process, its children below it. */
function drawn(node: TreeNode, margin = ''): string {
  const rows = node.children.map((child, index) => {
    const isLast = index === node.children.length - 1
    return `${margin}${isLast ? '`- ' : '|- '}${drawn(child, margin + (isLast ? '   ' : '|  '))}`
  })
  return [node.id, ...rows].join('\n')
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, '  ')
}
