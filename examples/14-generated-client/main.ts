/**
 * Story 14: a client generated from what a server lists. bakery-client.ts was written by `bough codegen`; here it is compiled like
 * any other source, so a wrong argument is an error of the compiler, and a result is what the tool's output schema says. In the
 * end it is generated anew: nothing has changed, as `bough codegen --check` would say in a build.
 *
 *     node dist/examples/14-generated-client/main.js
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { serve } from 'bough'
import { connect, generateClient, readListing } from 'bough/client'
import { type BakeBreadInput, bakeryClient } from './bakery-client.ts'
import { bakery } from './bakery-server.ts'

const app = await serve(bakery, { http: { port: 0 }, logger: false })
const client = await connect(app.url)
const { tools, prompts, resources, templates } = bakeryClient(client)

const order: BakeBreadInput = { kind: 'rye', loaves: 2, delivery: { city: 'Oslo' } }
const baked = await tools.bakeBread(order)
if (baked.isError === true) throw new Error('the oven is broken')
// A number and a text: the compiler knows.
const { price, label } = baked.structuredContent
assert.equal(price.toFixed(2), '9.00')
assert.equal(label.toUpperCase(), '2 RYE TO OSLO')
console.log(`tools.bakeBread: ${label} for ${price}`)

// @ts-expect-error There is no such bread, and the server thinks so too.
const refused = await tools.bakeBread({ kind: 'white' })
assert.equal(refused.isError, true)
console.log('tools.bakeBread: white bread is refused by the compiler, and by the server')

assert.deepEqual((await tools.closeShop()).content, [{ type: 'text', text: 'closed' }])
const { messages } = await prompts.recipe({ kind: 'rye', tone: 'cheerful' })
console.log(`prompts.recipe: ${messages.length} message`)
assert.equal((await resources.stock()).contents.length, 1)
const [found] = (await templates.order({ id: 'a/7' })).contents
assert.equal(found?.uri, 'bakery://orders/a%2F7')
console.log(`templates.order: ${found.uri}`)

const generated = generateClient(await readListing(client))
const kept = await readFile(new URL('../../../examples/14-generated-client/bakery-client.ts', import.meta.url), 'utf8')
assert.equal(generated, kept)
console.log('bakery-client.ts is what would be generated now')

await client.close()
await app.stop()
