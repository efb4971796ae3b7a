/**
 * Story 1: an actor. One definition is both the process and its typed client: what `call` has, `ref.call` offers.
 *
 *     node dist/examples/01-actor/main.js
 */
import assert from 'node:assert/strict'
import { CallError, createSystem, defineActor } from 'bough/runtime'

const Account = defineActor({
  name: 'account',
  init: (balance: number) => ({ balance }),
  call: {
    balance: (state) => state.balance,
    withdraw: (state, amount: number) => {
      if (amount > state.balance) throw new Error(`cannot withdraw ${amount} of ${state.balance}`)
      return (state.balance -= amount)
    },
  },
  cast: {
    deposit: (state, amount: number) => {
      state.balance += amount
    },
  },
})

const system = createSystem()
const account = await system.start(Account, 100)

// A cast does not wait. Messages of one sender arrive in order, so the call after it sees what it did.
account.cast('deposit', 20)
assert.equal(await account.call('balance'), 120)
console.log('deposited 20: the balance is 120')

// A hundred withdrawals at once: the process takes one message after the other, so there is nothing to lock.
await Promise.all(Array.from({ length: 100 }, () => account.call('withdraw', 1)))
assert.equal(await account.call('balance'), 20)
console.log('withdrew 1 a hundred times at once: the balance is 20')

// What a handler throws ends the process: its state is not to be trusted any more. The caller is told why.
const refused = await account.call('withdraw', 1_000).catch((error: unknown) => error)
assert.ok(refused instanceof CallError)
assert.equal(refused.code, 'exit')
assert.equal(account.alive, false)
console.log(`withdrew too much: ${String(refused.reason)}. The process has ended; a supervisor would start it anew`)

await system.stop()
