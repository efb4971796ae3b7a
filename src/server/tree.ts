/** The processes of a tree as plain data. */
import type { SupervisorRef } from '#runtime'

/** A process of the tree, seen from outside. */
export interface TreeNode {
  readonly id: string
  readonly pid: string
  readonly type: 'worker' | 'supervisor'
  readonly children: readonly TreeNode[]
}

/** Children of one supervisor that `tree` names; the rest is left out. */
const TREE_CHILDREN_MAX = 1_000

/** A supervisor and what is below it, as it stands. */
export async function describeTree(id: string, ref: SupervisorRef): Promise<TreeNode> {
  const children = await ref.whichChildren()
  const nodes: Promise<TreeNode>[] = []
  for (const child of children.reverse().slice(0, TREE_CHILDREN_MAX)) {
    if (typeof child.ref !== 'object') continue
    const name = child.id ?? child.modules[0] ?? ''
    // A child of type supervisor has a supervisor's ref.
    if (child.type === 'supervisor') nodes.push(describeTree(name, child.ref as SupervisorRef))
    else nodes.push(Promise.resolve({ id: name, pid: child.ref.pid, type: 'worker', children: [] }))
  }
  const settled = await Promise.allSettled(nodes)
  return {
    id,
    pid: ref.pid,
    type: 'supervisor',
    children: settled.flatMap((node) => (node.status === 'fulfilled' ? [node.value] : [])),
  }
}
