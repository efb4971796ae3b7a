/** The everything server: one of each feature, for conformance suites, for tests from outside, and to read how it is done. */
import { createServer, type Server } from 'bough'
import { addAskingTools } from './asking-tools.ts'
import { addContentTools } from './content-tools.ts'
import { addPrompts } from './prompts.ts'
import { addResources } from './resources.ts'
import { addRoundsTools } from './rounds-tools.ts'
import { addSchemaTools } from './schema-tools.ts'
import { addSkills } from './skills.ts'
import { addChangingTools, addStressTools } from './stress-tools.ts'
import { addTaskTools } from './task-tools.ts'

/** Tools that `hasManyTools` adds; with them the list takes several pages. */
const FILLER_TOOLS = 120

/** Tools, resources or prompts on one page of a list. */
export const PAGE_SIZE = 50

export function everythingServer(hasManyTools: boolean): Server {
  const server = createServer({
    name: 'bough-everything',
    title: 'Everything',
    version: '1.0.0',
    instructions: 'One of each feature, for tests.',
  })
  addContentTools(server)
  addSchemaTools(server)
  addAskingTools(server)
  addRoundsTools(server)
  addStressTools(server)
  addTaskTools(server)
  addChangingTools(server)
  addResources(server)
  addPrompts(server)
  addSkills(server)
  if (hasManyTools) addFillers(server)
  return server
}

function addFillers(server: Server): void {
  for (let index = 0; index < FILLER_TOOLS; index++) {
    const name = `filler_${String(index).padStart(3, '0')}`
    server.tool(name, { description: 'Fills the list', run: () => name })
  }
}
